//! Tables of `programs`.

pub mod program;
pub mod program_version;
pub mod enrollment;
pub mod product_family;
pub mod product;
