//! Where an incentive plan stands.

use serde::{Deserialize, Serialize};

/// A plan is drafted by one person, put into force by another, and never changed afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sea_orm::EnumIter, sea_orm::DeriveActiveEnum, async_graphql::Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PlanStatus {
    /// Being written; pays nothing.
    Draft,
    /// In force from its date on.
    Active,
    /// Superseded; what it paid stays.
    Retired,
}
