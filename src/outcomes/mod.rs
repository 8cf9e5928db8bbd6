//! What follows from a win and from a refund, in the same transaction and in this order.
//!
//! The domains know what each of them does; only here it is put together. There are no rules and no tables here.

pub mod graphql;
pub mod refund;
pub mod win;
