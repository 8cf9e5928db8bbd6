//! Commission lines: what a partner earned, what is held back, what was taken back.
//!
//! Pure: decides from facts alone.

use crate::entity::accrual::AccrualKind;
use chrono::{DateTime, Utc};

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
