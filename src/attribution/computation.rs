//! What credit is computed from, and what comes out.
//!
//! Pure: decides from facts alone.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{
    entity::{
        attribution_run::AttributionBasis,
        touchpoint::{DealMilestone, JourneyPhase, TouchpointKind},
    },
    platform::{
        money::{MoneyError, allocate, shares},
        ppm::Ppm,
    },
};

/// A touchpoint that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch<K> {
    /// Which touchpoint.
    pub id: Uuid,
    /// Whose.
    pub partner: K,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What it was.
    pub kind: TouchpointKind,
    /// Where in the customer's journey.
    pub phase: JourneyPhase,
    /// What it brought about.
    pub milestone: Option<DealMilestone>,
}

/// An accepted participation: one partner in one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant<K> {
    /// Who.
    pub partner: K,
    /// In which role, such as `RESELLER`.
    pub role: String,
    /// Since when.
    pub accepted_at: DateTime<Utc>,
}

/// What credit is computed from, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs<K> {
    /// The touchpoints that count.
    pub touches: Vec<Touch<K>>,
    /// The accepted participants.
    pub participants: Vec<Participant<K>>,
    /// When the deal was closed, or the moment of looking while it is open.
    pub close: DateTime<Utc>,
}

/// The credit of one partner, or of the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit<K> {
    /// Who; `None` is credit nobody holds, which stays with the house.
    pub partner: Option<K>,
    /// How much, relative to the other rows. All rows together stay below 2^63.
    pub weight: u64,
    /// How many of the partner's touchpoints count.
    pub touches: u32,
    /// The partner's earliest touchpoint that counts, else when it accepted; `None` for the house.
    pub first_touch: Option<DateTime<Utc>>,
}

/// Where a part of a partner's credit comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution<K> {
    /// Whose.
    pub partner: K,
    /// When: of the touchpoint, or of the acceptance.
    pub at: DateTime<Utc>,
    /// The touchpoint, if it comes from one.
    pub touch: Option<Uuid>,
    /// The role, if it comes from one.
    pub role: Option<String>,
    /// How much, on the scale of the credits.
    pub weight: u64,
}

/// The credit of everybody, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<K> {
    /// What it was computed from.
    pub basis: AttributionBasis,
    /// The weight that is shown to people as 1.
    pub unit: u64,
    /// By earliest touch, then id; the house last. Never empty, and never all zero.
    pub credits: Vec<Credit<K>>,
    /// By time, then partner, then id of the touchpoint.
    pub contributions: Vec<Contribution<K>>,
}

impl<K: Ord + Copy> Outcome<K> {
    /// The weights of the credits, in their order.
    #[must_use]
    pub fn weights(&self) -> Vec<u64> {
        self.credits.iter().map(|credit| credit.weight).collect()
    }

    /// The sum of the weights.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.credits.iter().map(|credit| credit.weight).sum()
    }

    /// An amount in minor units divided among the credits, in their order.
    pub fn amounts(&self, minor: i64) -> Result<Vec<i64>, MoneyError> {
        allocate(minor, &self.weights())
    }

    /// The shares of the credits in their order; they sum to exactly 1,000,000.
    pub fn shares(&self) -> Result<Vec<Ppm>, MoneyError> {
        shares(&self.weights())
    }

    /// A weight as people see it, such as `0.5` of a total of `1.75`; at most 12 decimals.
    #[must_use]
    pub fn text(&self, weight: u64) -> String {
        let shown = Decimal::from(weight).checked_div(Decimal::from(self.unit));
        shown
            .unwrap_or_default()
            .round_dp(12)
            .normalize()
            .to_string()
    }
}
