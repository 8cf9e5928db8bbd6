//! The catalogue.

pub mod graphql;
pub mod lookup;
