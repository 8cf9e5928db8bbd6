//! Commission lines: what a partner earned, what is held back, what was taken back.
//!
//! Pure: decides from facts alone.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a commission line is.
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
pub enum AccrualKind {
    /// Earned by winning a deal, available at once.
    Earned,
    /// Earned by winning a deal, held back until a date.
    Holdback,
    /// Taken back because the customer was refunded; negative.
    Clawback,
}

/// A commission line as it is booked, never changed afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<K> {
    /// Which component of the plan, from 0.
    pub component: usize,
    /// Whose.
    pub partner: K,
    /// What it is.
    pub kind: AccrualKind,
    /// In minor units; negative for a clawback, never zero.
    pub amount_minor: i64,
    /// The partner's weight in the pool.
    pub weight: u64,
    /// The pool that was divided, in minor units.
    pub pool_minor: i64,
    /// From when on it can be paid.
    pub available_at: DateTime<Utc>,
}
