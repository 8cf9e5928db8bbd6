//! What stands in the way of a claim on a customer.
//!
//! Whoever holds a place at the same customer for one of the families stops the claim. A place held at a customer
//! that only looks alike does not: a reviewer decides. The partner is told what matched, never who is there.

use std::collections::BTreeSet;

use super::store;
use crate::{
    customers::{
        MatchOutcome, MatchReason, MatchReasons,
        identity::{
            Facts, compare, name_key, phone_key, registrable_domain, registration_number_key,
        },
        resolve::{ClaimedCustomer, Resolved},
    },
    entity::{
        customer,
        ids::{PartnerId, ProductFamilyId},
        protection,
    },
    error::{Code, Refusal, Result},
    tx::Tx,
};

/// A claim that can be handed in, with what a reviewer should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Clear, or possibly a conflict.
    pub outcome: MatchOutcome,
    /// What made it possible.
    pub reasons: MatchReasons,
}

/// A claim on a customer.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Who claims.
    pub partner: PartnerId,
    /// The customer as named by the partner.
    pub named: &'a ClaimedCustomer,
    /// For which families.
    pub families: &'a BTreeSet<ProductFamilyId>,
    /// From which similarity on two names are alike.
    pub name_similarity_ppm: i32,
}

/// Judges a claim by the places that are held.
///
/// # Errors
/// `CONFLICT` when another partner holds a place at this customer, `DUPLICATE` when the claimant does.
pub async fn judge(tx: &Tx, claim: Claim<'_>, resolved: &Resolved) -> Result<Verdict> {
    let alike = resolved.lookalikes.iter().map(|(customer, ..)| customer.id);
    let customers = alike.chain([resolved.customer.id]);
    let held = store::held_places(tx, customers, claim.families).await?;
    let here: Vec<_> = held
        .iter()
        .filter(|place| place.customer_id == resolved.customer.id)
        .collect();
    if !here.is_empty() {
        return Err(refuse(claim, resolved, &here).into());
    }
    let occupied: BTreeSet<_> = held.iter().map(|place| place.customer_id).collect();
    let reasons: BTreeSet<MatchReason> = resolved
        .lookalikes
        .iter()
        .filter(|(customer, ..)| occupied.contains(&customer.id))
        .flat_map(|(_, _, reasons)| reasons.0.iter().copied())
        .collect();
    let outcome = if occupied.is_empty() {
        MatchOutcome::Clear
    } else {
        MatchOutcome::PossibleConflict
    };
    Ok(Verdict {
        outcome,
        reasons: MatchReasons(reasons.into_iter().collect()),
    })
}

/// The refusal of a claim whose place was taken a moment ago by somebody who was faster.
///
/// # Errors
/// `CONFLICT` or `DUPLICATE`, always.
pub async fn lost_race(tx: &Tx, claim: Claim<'_>, resolved: &Resolved) -> Result<Refusal> {
    let held = store::held_places(tx, [resolved.customer.id], claim.families).await?;
    Ok(refuse(claim, resolved, &held.iter().collect::<Vec<_>>()))
}

fn refuse(claim: Claim<'_>, resolved: &Resolved, held: &[&protection::Model]) -> Refusal {
    let own = !held.is_empty() && held.iter().all(|place| place.partner_id == claim.partner);
    let refusal = if own {
        Refusal::new(
            Code::Duplicate,
            "You have registered this customer for one of these product families already.",
        )
    } else {
        Refusal::new(
            Code::Conflict,
            "This customer is already registered for one of these product families.",
        )
    };
    let reason = what_led_to(claim, &resolved.customer);
    refusal.because(reason.map(|reason| sea_orm::ActiveEnum::to_value(&reason)))
}

/// The strongest thing that the named customer and the record have in common. No further ones: they would tell
/// facts of the record that the partner did not know.
fn what_led_to(claim: Claim<'_>, record: &customer::Model) -> Option<MatchReason> {
    let key = name_key(&claim.named.name);
    let domain = claim
        .named
        .domain
        .as_deref()
        .and_then(|domain| registrable_domain(domain).ok().flatten());
    let number = claim
        .named
        .registration_number
        .as_deref()
        .and_then(registration_number_key);
    let phone = claim.named.phone.as_deref().and_then(phone_key);
    let record_number = record
        .registration_number
        .as_deref()
        .and_then(registration_number_key);
    let record_phone = record.phone.as_deref().and_then(phone_key);
    let named = Facts {
        name_key: &key,
        domain: domain.as_deref(),
        country: claim.named.country.as_deref(),
        registration_number: number.as_deref(),
        phone: phone.as_deref(),
    };
    let stored = Facts {
        name_key: &record.name_key,
        domain: record.domain.as_deref(),
        country: record.country.as_deref(),
        registration_number: record_number.as_deref(),
        phone: record_phone.as_deref(),
    };
    compare(named, stored, claim.name_similarity_ppm)
        .reasons
        .first()
        .copied()
}
