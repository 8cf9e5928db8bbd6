//! What stands in the way of a claim on a customer.
//!
//! A place held at the same customer for one of the families stops the claim. A place held at a customer that only looks
//! alike does not: a reviewer decides, and cannot approve without saying so. The partner learns what matched, never who
//! is there.

use std::collections::BTreeSet;

use super::store;
use crate::{
    customers::{
        claim::ClaimedCustomer,
        identity::{Address, Facts, address, compare},
        resolve::{self, Resolved},
    },
    entity::{
        customer,
        deal_registration::{self, MatchOutcome, MatchReason, MatchReasons},
        ids::{PartnerId, ProductFamilyId},
        protection,
    },
    error::{Code, Refusal, Result},
    platform::company_number::{phone_key, registration_number_key},
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
    // The record that was found, and others that are proven to be the same company.
    for same in same_company(resolved) {
        let here: Vec<_> = held
            .iter()
            .filter(|place| place.customer_id == same.id)
            .collect();
        if !here.is_empty() {
            return Err(refuse(claim, same, &here).into());
        }
    }
    Ok(verdict(resolved, &held))
}

/// What a reviewer has to decide before a registration can be approved: places that other registrations hold now at
/// customers that look like its own, where not both are known by a domain.
///
/// # Errors
/// `CONFLICT` when one of them is proven to be the same company.
pub async fn at_review(
    tx: &Tx,
    registration: &deal_registration::Model,
    name_similarity_ppm: i32,
) -> Result<Verdict> {
    let (customer, name) = (registration.customer_id, &registration.customer_name);
    let mut resolved = resolve::again(tx, customer, name, name_similarity_ppm).await?;
    let own = resolved.customer.clone();
    resolved
        .lookalikes
        .retain(|(other, outcome, _)| resolve::leaves_a_doubt(&own, other, *outcome));
    let families = store::held_families(tx, registration.id).await?;
    let alike = resolved.lookalikes.iter().map(|(customer, ..)| customer.id);
    let mut held = store::held_places(tx, alike, &families).await?;
    held.retain(|place| place.registration_id != registration.id);
    let at_same =
        |customer: &customer::Model| held.iter().any(|place| place.customer_id == customer.id);
    if same_company(&resolved).any(at_same) {
        return Err(Refusal::new(Code::Conflict, TAKEN).into());
    }
    Ok(verdict(&resolved, &held))
}

fn same_company(resolved: &Resolved) -> impl Iterator<Item = &customer::Model> {
    let proven = resolved
        .lookalikes
        .iter()
        .filter(|(_, outcome, _)| *outcome == MatchOutcome::Conflict)
        .map(|(customer, ..)| customer);
    std::iter::once(&resolved.customer).chain(proven)
}

fn verdict(resolved: &Resolved, held: &[protection::Model]) -> Verdict {
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
    Verdict {
        outcome,
        reasons: MatchReasons(reasons.into_iter().collect()),
    }
}

/// The refusal of a claim whose place was taken a moment ago by somebody who was faster.
///
/// # Errors
/// `CONFLICT` or `DUPLICATE`, always.
pub async fn lost_race(tx: &Tx, claim: Claim<'_>, resolved: &Resolved) -> Result<Refusal> {
    let held = store::held_places(tx, [resolved.customer.id], claim.families).await?;
    Ok(refuse(
        claim,
        &resolved.customer,
        &held.iter().collect::<Vec<_>>(),
    ))
}

const TAKEN: &str = "This customer is already registered for one of these product families.";

fn refuse(claim: Claim<'_>, record: &customer::Model, held: &[&protection::Model]) -> Refusal {
    let own = !held.is_empty() && held.iter().all(|place| place.partner_id == claim.partner);
    let refusal = if own {
        Refusal::new(
            Code::Duplicate,
            "You have registered this customer for one of these product families already.",
        )
    } else {
        Refusal::new(Code::Conflict, TAKEN)
    };
    let reason = what_led_to(claim, record);
    refusal.because(reason.map(|reason| sea_orm::ActiveEnum::to_value(&reason)))
}

/// The strongest thing that the named customer and the record have in common. No further ones: they would tell
/// facts of the record that the partner did not know.
fn what_led_to(claim: Claim<'_>, record: &customer::Model) -> Option<MatchReason> {
    let named_at = claim.named.domain.as_deref();
    let (domain, domain_hint) = named_at
        .and_then(|domain| address(domain).ok())
        .map_or((None, None), Address::into_parts);
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
        name: &claim.named.name,
        domain: domain.as_deref(),
        domain_hint: domain_hint.as_deref(),
        country: claim.named.country.as_deref(),
        registration_number: number.as_deref(),
        phone: phone.as_deref(),
    };
    let stored = Facts {
        name: &record.name,
        domain: record.domain.as_deref(),
        domain_hint: record.domain_hint.as_deref(),
        country: record.country.as_deref(),
        registration_number: record_number.as_deref(),
        phone: record_phone.as_deref(),
    };
    let reasons = compare(named, stored, claim.name_similarity_ppm).reasons;
    let proof = reasons.iter().find(|reason| reason.is_proof());
    proof.or(reasons.first()).copied()
}
