//! Tables of `customers`.

pub mod customer;
pub mod customer_block_key;
