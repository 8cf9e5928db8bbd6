//! The catalogue: what partners sell.
//!
//! Every product belongs to one product family, and the family is what a registration protects: two products of one
//! family at one customer are the same claim. A product may have a list price. There are no states.
//!
//! Administrators and alliance managers of the vendor keep the catalogue; everybody reads it.

mod facts;
pub mod family;
pub mod graphql;
pub mod lookup;
pub mod product;
pub mod store;
