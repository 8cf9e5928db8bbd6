//! From a won deal and a plan to commission lines.
//!
//! The same function answers what a deal would pay and what it does pay, so a preview cannot promise
//! another amount than the payout.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Utc};

use super::accrual::{AccrualKind, Line};
use super::terms::{Component, ComponentKind, PlanTerms};
use crate::attribution::models::Participant;
use crate::platform::money::{Currency, MoneyError, allocate, rate};
use crate::platform::ppm::Ppm;

/// A won deal as far as a plan needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DealFacts<K> {
    /// Its value in minor units.
    pub value_minor: i64,
    /// Its currency.
    pub currency: Currency,
    /// When it was won.
    pub won_at: DateTime<Utc>,
    /// The accepted participants, in any order.
    pub participants: Vec<Participant<K>>,
    /// The official credit, in its order; `None` is the house.
    pub credits: Vec<(Option<K>, u64)>,
    /// The product families it holds.
    pub product_families: BTreeSet<String>,
}

/// The commission lines of a won deal under `terms`, by component, then by the order of the credit.
///
/// * pool = min(value × rate, cap), rounded half to even, or the flat amount; a SPIFF with a product
///   family is paid only for deals that hold one of its products.
/// * REFERRAL_FEE and SPIFF go to the role SOURCER, RESALE_MARGIN to RESELLER; should several partners hold
///   the role they share equally, earliest acceptance first. INFLUENCE_POOL is divided by the credit, and
///   what falls to the house is not paid.
/// * Of each partner's amount the holdback, rounded half to even, is a line of its own that is available
///   `days` after the win; the rest is available at once. Lines of zero are left out.
///
/// # Errors
///
/// [`MoneyError::OtherCurrency`] if the deal is not in the plan's currency, [`MoneyError::OutOfRange`] for
/// amounts or days that the plan's validation would refuse.
pub fn lines<K: Ord + Copy>(
    deal: &DealFacts<K>,
    terms: &PlanTerms,
) -> Result<Vec<Line<K>>, MoneyError> {
    if deal.currency != terms.currency {
        return Err(MoneyError::OtherCurrency(deal.currency, terms.currency));
    }
    let days = Days::new(terms.holdback.days.into());
    let released = deal
        .won_at
        .checked_add_days(days)
        .ok_or(MoneyError::OutOfRange)?;
    let mut lines = Vec::new();
    for (position, component) in terms.components.iter().enumerate() {
        let pool_minor = pool(deal, component)?;
        let weights = beneficiaries(deal, component.kind);
        if weights.iter().all(|(_, weight)| *weight == 0) {
            continue;
        }
        let each: Vec<u64> = weights.iter().map(|(_, weight)| *weight).collect();
        for ((partner, weight), amount) in weights.into_iter().zip(allocate(pool_minor, &each)?) {
            let Some(partner) = partner else { continue };
            let held = rate(amount, terms.holdback.rate_ppm)?;
            let halves = [
                (AccrualKind::Earned, amount - held, deal.won_at),
                (AccrualKind::Holdback, held, released),
            ];
            for (kind, amount_minor, available_at) in halves.into_iter().filter(|half| half.1 != 0)
            {
                let component = position;
                lines.push(Line {
                    component,
                    partner,
                    kind,
                    amount_minor,
                    weight,
                    pool_minor,
                    available_at,
                });
            }
        }
    }
    Ok(lines)
}

/// The lines of one partner if a deal of this value were won now: `share` of the credit, in these roles.
///
/// The share is rounded to parts per million, so for a large pool the last minor unit may differ from the
/// lines of a stored credit; give the credit itself to [`lines`] when it is known.
///
/// # Errors
///
/// As [`lines`]; [`MoneyError::OutOfRange`] for a share that is not between nothing and the whole.
pub fn preview(
    (value_minor, currency): (i64, Currency),
    won_at: DateTime<Utc>,
    share: Ppm,
    roles: &[String],
    product_families: BTreeSet<String>,
    terms: &PlanTerms,
) -> Result<Vec<Line<()>>, MoneyError> {
    let weight = |parts: i32| u64::try_from(parts).map_err(|_| MoneyError::OutOfRange);
    let rest = Ppm::WHOLE
        .parts()
        .checked_sub(share.parts())
        .ok_or(MoneyError::OutOfRange)?;
    let participant = |role: &String| Participant {
        partner: (),
        role: role.clone(),
        accepted_at: won_at,
    };
    let deal = DealFacts {
        value_minor,
        currency,
        won_at,
        participants: roles.iter().map(participant).collect(),
        credits: vec![(Some(()), weight(share.parts())?), (None, weight(rest)?)],
        product_families,
    };
    lines(&deal, terms)
}

fn pool<K>(deal: &DealFacts<K>, component: &Component) -> Result<i64, MoneyError> {
    let applies = component
        .product_family
        .as_ref()
        .is_none_or(|family| deal.product_families.contains(family));
    if !applies || deal.value_minor <= 0 {
        return Ok(0);
    }
    let base = match component.rate_ppm {
        Some(ppm) => rate(deal.value_minor, ppm)?,
        None => component.flat_minor.unwrap_or(0),
    };
    Ok(base.min(component.cap_minor.unwrap_or(i64::MAX)))
}

fn beneficiaries<K: Ord + Copy>(deal: &DealFacts<K>, kind: ComponentKind) -> Vec<(Option<K>, u64)> {
    let Some(role) = kind.role() else {
        return deal.credits.clone();
    };
    let mut holders: Vec<_> = deal
        .participants
        .iter()
        .filter(|participant| participant.role == role)
        .map(|participant| (participant.accepted_at, participant.partner))
        .collect();
    holders.sort_unstable();
    holders
        .into_iter()
        .map(|(_, partner)| (Some(partner), 1))
        .collect()
}

#[cfg(test)]
mod tests;
