//! Customers.

pub mod graphql;
pub mod identity;
pub mod resolve;

pub use identity::{MatchOutcome, MatchReason};

/// Why two customers may be the same, as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, sea_orm::FromJsonQueryResult)]
pub struct MatchReasons(pub Vec<MatchReason>);
