//! From contributions to credit: the selectable attribution models.
//!
//! Credit is a whole-number weight per partner. Only the ratio of weights matters; money is divided by
//! [`allocate`] with exactly these weights in exactly this order, so a unit that does not divide goes to
//! the partner with the earliest touch, then the smaller id. Credit that nobody holds is a row of its own
//! without a partner and stays with the house.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::division::{self, Divided};
use super::parameters::Parameters;
use crate::platform::ppm::Ppm;
use crate::{
    entity::{
        attribution_run::{AttributionBasis, AttributionModel},
        touchpoint::{DealMilestone, JourneyPhase, TouchpointKind},
    },
    platform::money::{MoneyError, allocate, shares},
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

/// The credit each partner gets by `model`.
///
/// If no touchpoint counts, each participating partner is taken to have one, at the time it first
/// accepted; such a touch has no phase and no kind, so the phase rule does not apply and CUSTOM is LINEAR.
/// ROLE_WEIGHTED needs participants; without any, it too goes by the touchpoints, all alike. If nobody takes
/// part, the house has all credit.
///
/// # Errors
///
/// [`MoneyError::OutOfRange`] for parameters that [`Parameters::faults`] would refuse.
pub fn credit<K: Ord + Copy>(
    model: AttributionModel,
    inputs: &Inputs<K>,
    parameters: &Parameters,
) -> Result<Outcome<K>, MoneyError> {
    let mut touches: Vec<&Touch<K>> = inputs.touches.iter().collect();
    touches.sort_by_key(|touch| (touch.at, touch.partner, touch.id));
    let mut participants: Vec<&Participant<K>> = inputs.participants.iter().collect();
    participants.sort_by_key(|participant| {
        (
            participant.accepted_at,
            participant.partner,
            &participant.role,
        )
    });

    let (basis, divided) = if model == AttributionModel::RoleWeighted && !participants.is_empty() {
        (
            AttributionBasis::Participation,
            division::by_role(&participants, parameters)?,
        )
    } else if !touches.is_empty() {
        let divided = match &parameters.phases {
            Some(rule) => division::by_phase(model, &touches, rule, inputs.close, parameters)?,
            None => division::by_touch(model, &touches, inputs.close, parameters),
        };
        (AttributionBasis::Touchpoints, divided)
    } else if !participants.is_empty() {
        (
            AttributionBasis::Participation,
            division::by_acceptance(model, &participants, inputs.close, parameters),
        )
    } else {
        (AttributionBasis::Nobody, Divided::house())
    };
    Ok(Outcome {
        basis,
        unit: divided.unit,
        credits: credits(&touches, &divided),
        contributions: divided.contributions,
    })
}

/// Adds up the contributions of each partner. If all of them are zero, the house has all credit.
fn credits<K: Ord + Copy>(touches: &[&Touch<K>], divided: &Divided<K>) -> Vec<Credit<K>> {
    let mut rows: BTreeMap<K, Credit<K>> = BTreeMap::new();
    let blank = |partner| Credit {
        partner: Some(partner),
        weight: 0,
        touches: 0,
        first_touch: None,
    };
    for row in &divided.contributions {
        rows.entry(row.partner)
            .or_insert_with(|| blank(row.partner))
            .weight += row.weight;
    }
    for touch in touches {
        rows.entry(touch.partner).and_modify(|row| {
            row.touches = row.touches.saturating_add(1);
            row.first_touch.get_or_insert(touch.at);
        });
    }
    for row in &divided.contributions {
        rows.entry(row.partner).and_modify(|credit| {
            credit.first_touch.get_or_insert(row.at);
        });
    }
    let mut credits: Vec<Credit<K>> = rows.into_values().collect();
    credits.sort_by_key(|credit| (credit.first_touch, credit.partner));
    let nobody = divided.house == 0 && credits.iter().all(|credit| credit.weight == 0);
    let house = if nobody { divided.unit } else { divided.house };
    if house > 0 {
        credits.push(Credit {
            partner: None,
            weight: house,
            touches: 0,
            first_touch: None,
        });
    }
    credits
}

#[cfg(test)]
mod tests;
