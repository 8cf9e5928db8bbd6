//! The API of `catalog`.

pub mod change;
pub mod product;

pub use change::CatalogMutation;
pub use product::{
    CatalogQuery, Product, ProductConnection, ProductFamily, ProductFamilyConnection,
};
