//! Where a programme stands.
//!
//! Pure: decides from facts alone.

use serde::{Deserialize, Serialize};

/// Whether a programme takes registrations.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum ProgramStatus {
    /// Takes registrations and pays.
    Active,
    /// Takes no new registrations; what was earned is still paid.
    Retired,
}
