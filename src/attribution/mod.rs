//! Attribution.

pub mod attribute;
pub mod countable;
mod division;
pub mod graphql;
pub mod influence;
pub mod models;
pub mod parameters;
pub mod touchpoint;
mod weights;

pub use models::{Basis, Model};
pub use touchpoint::{Milestone, Phase, TouchpointKind, TouchpointStatus};
