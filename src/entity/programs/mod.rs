//! Tables of `programs`.

pub mod enrollment;
pub mod product;
pub mod product_family;
pub mod program;
pub mod program_version;
pub mod program_version_outcome;
pub mod tier_change;
