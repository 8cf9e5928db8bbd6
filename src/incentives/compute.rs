//! From a won deal and a plan to commission lines.
//!
//! The same function answers what a deal would pay and what it does pay, so a preview cannot promise
//! another amount than the payout.
//!
//! Pure: decides from facts alone.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::accrual::Line;
use super::rebate::Volume;
use super::terms::{Component, Payee, PlanTerms};
use crate::platform::calendar;
use crate::platform::money::{Currency, MoneyError, allocate, rate};
use crate::platform::ppm::Ppm;
use crate::{attribution::computation::Participant, entity::accrual::AccrualKind};

/// A won deal as far as a plan needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DealFacts<K> {
    /// Its value in minor units.
    pub value_minor: i64,
    /// Its currency.
    pub currency: Currency,
    /// When it was won.
    pub won_at: DateTime<Utc>,
    /// The time zone of its programme, in which days are counted.
    pub zone: Tz,
    /// Whether it is a renewal.
    pub is_renewal: bool,
    /// The partner that leads it.
    pub leader: Option<K>,
    /// The accepted participants, in any order.
    pub participants: Vec<Participant<K>>,
    /// The official credit, in its order; `None` is the house.
    pub credits: Vec<(Option<K>, u64)>,
    /// The product families it holds.
    pub product_families: BTreeSet<String>,
}

/// The volume of the partner of record before a deal, by component; nothing was sold before where none is given.
pub type Volumes = BTreeMap<usize, Volume>;

/// The commission lines of a won deal under `terms`, by component, then by the order of the credit.
///
/// * A component pays for new business, a RENEWAL for renewals; `includes_renewals` pays for both.
/// * pool = min(value × rate, cap), rounded half to even, or the flat amount; a SPIFF with a product
///   family is paid only for deals that hold one of its products.
/// * REFERRAL_FEE and SPIFF go to the role SOURCER, RESALE_MARGIN to RESELLER; should several partners hold
///   the role they share equally, earliest acceptance first. INFLUENCE_POOL is divided by the credit, and
///   what falls to the house is not paid. RENEWAL and VOLUME_REBATE go to the partner of record.
/// * A VOLUME_REBATE pays the rebate on the volume with this deal less what was booked on the volume before; its pool
///   is the rebate with this deal.
/// * Of each partner's amount the holdback, rounded half to even, is a line of its own that is available
///   `days` after the win at the same time of day; the rest is available at once. Lines of zero are left out.
///
/// # Errors
///
/// [`MoneyError::OtherCurrency`] if the deal is not in the plan's currency, [`MoneyError::OutOfRange`] for
/// amounts or days that the plan's validation would refuse.
pub fn lines<K: Ord + Copy>(
    deal: &DealFacts<K>,
    terms: &PlanTerms,
    volumes: &Volumes,
) -> Result<Vec<Line<K>>, MoneyError> {
    if deal.currency != terms.currency {
        return Err(MoneyError::OtherCurrency(deal.currency, terms.currency));
    }
    let released = calendar::add_days(deal.zone, deal.won_at, terms.holdback.days)
        .ok_or(MoneyError::OutOfRange)?;
    let mut lines = Vec::new();
    for (position, component) in terms.components.iter().enumerate() {
        if !component.pays_for(deal.is_renewal) {
            continue;
        }
        let before = volumes.get(&position).copied().unwrap_or_default();
        let (pool_minor, due) = pool(deal, component, before)?;
        let weights = beneficiaries(deal, component.kind.payee());
        if weights.iter().all(|(_, weight)| *weight == 0) {
            continue;
        }
        let each: Vec<u64> = weights.iter().map(|(_, weight)| *weight).collect();
        for ((partner, weight), amount) in weights.into_iter().zip(allocate(due, &each)?) {
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

/// A deal of this value that somebody thinks of, won now and led by whoever asks: `share` of the credit, in these roles.
///
/// The share is rounded to parts per million, so for a large pool the last minor unit may differ from the
/// lines of a stored credit; give the credit itself to [`lines`] when it is known.
///
/// # Errors
///
/// [`MoneyError::OutOfRange`] for a share that is not between nothing and the whole.
pub fn imagined(
    (value_minor, currency): (i64, Currency),
    is_renewal: bool,
    (won_at, zone): (DateTime<Utc>, Tz),
    share: Ppm,
    roles: &[String],
    product_families: BTreeSet<String>,
) -> Result<DealFacts<()>, MoneyError> {
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
    Ok(DealFacts {
        value_minor,
        currency,
        won_at,
        zone,
        is_renewal,
        leader: Some(()),
        participants: roles.iter().map(participant).collect(),
        credits: vec![(Some(()), weight(share.parts())?), (None, weight(rest)?)],
        product_families,
    })
}

/// The pool, and what is due of it now: all of it, but for a rebate, of which a part was booked before.
fn pool<K>(
    deal: &DealFacts<K>,
    component: &Component,
    before: Volume,
) -> Result<(i64, i64), MoneyError> {
    if !component.applies_to(&deal.product_families) || deal.value_minor <= 0 {
        return Ok((0, 0));
    }
    if let Some(rebate) = &component.rebate {
        let after = rebate.after(before, deal.value_minor, component.cap_minor)?;
        return Ok((after.rebate_minor, after.rebate_minor - before.rebate_minor));
    }
    let pool = most(deal.value_minor, component)?;
    Ok((pool, pool))
}

/// What a component other than a rebate pays for a deal of this value, all partners together, if it applies.
///
/// # Errors
///
/// [`MoneyError::OutOfRange`] for an amount that a plan's validation would refuse.
pub fn most(value_minor: i64, component: &Component) -> Result<i64, MoneyError> {
    let base = match component.rate_ppm {
        Some(ppm) => rate(value_minor, ppm)?,
        None => component.flat_minor.unwrap_or(0),
    };
    Ok(base.min(component.cap_minor.unwrap_or(i64::MAX)))
}

/// Whether a component has a partner to pay for a deal.
pub fn has_beneficiary<K: Ord + Copy>(deal: &DealFacts<K>, component: &Component) -> bool {
    beneficiaries(deal, component.kind.payee())
        .iter()
        .any(|(partner, weight)| partner.is_some() && *weight > 0)
}

/// The partner of record: who resells the deal, earliest acceptance first, else who leads it.
pub fn of_record<K: Ord + Copy>(deal: &DealFacts<K>) -> Option<K> {
    in_role(deal, "RESELLER").first().copied().or(deal.leader)
}

fn in_role<K: Ord + Copy>(deal: &DealFacts<K>, role: &str) -> Vec<K> {
    let mut holders: Vec<_> = deal
        .participants
        .iter()
        .filter(|participant| participant.role == role)
        .map(|participant| (participant.accepted_at, participant.partner))
        .collect();
    holders.sort_unstable();
    holders.into_iter().map(|(_, partner)| partner).collect()
}

fn beneficiaries<K: Ord + Copy>(deal: &DealFacts<K>, payee: Payee) -> Vec<(Option<K>, u64)> {
    let equally = |partners: Vec<K>| {
        let part = |partner| (Some(partner), 1);
        partners.into_iter().map(part).collect()
    };
    match payee {
        Payee::Credit => deal.credits.clone(),
        Payee::Role(role) => equally(in_role(deal, role)),
        Payee::OfRecord => equally(of_record(deal).into_iter().collect()),
    }
}

#[cfg(test)]
mod tests;
