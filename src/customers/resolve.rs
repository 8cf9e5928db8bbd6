//! From what a partner typed to the one customer it means, and what else it might mean.

use sea_orm::EntityTrait;

use super::{
    claim::{Claim, ClaimedCustomer},
    identity::{self, Facts},
    match_store,
};
use crate::{
    access::Held,
    entity::{
        customer,
        deal_registration::{MatchOutcome, MatchReasons},
        ids::{CustomerId, PartnerId},
    },
    error::{Error, Faults, Result},
    events::Event,
    tx::Tx,
};

/// The customer found or made, and which other customers look like it.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The one record.
    pub customer: customer::Model,
    /// Other records that may be the same customer, each with the outcome of the comparison and its reasons; the most
    /// similar in name first, at most 300.
    pub lookalikes: Vec<Lookalike>,
}

/// A similar customer, the outcome of the comparison, and its reasons.
pub type Lookalike = (customer::Model, MatchOutcome, MatchReasons);

/// Finds the customer by registrable domain or by registration number, else makes it; safe under any number of parallel
/// callers with different spellings. A name proves nothing: a customer known by its name alone is a record of its own,
/// unless the same partner named it in the same words before. A record that was found stays as it is, whatever else was
/// claimed. Everyone who may register a deal may name its customer.
///
/// # Errors
/// `BAD_USER_INPUT` under `path` (`path.name`, `path.domain` …). Records `customer.created` for a new one.
pub async fn find_or_create(
    tx: &Tx,
    claimed: &ClaimedCustomer,
    claimant: PartnerId,
    similarity_ppm: i32,
    path: &str,
) -> Result<Resolved> {
    let mut faults = Faults::default();
    let claim = Claim::read(&mut faults, claimed, path);
    faults.check()?;
    match_store::hold_number(tx, claim.registration_number.as_deref()).await?;
    let customer = match match_store::identical(tx, &claim).await? {
        Some(known) => known,
        None => match match_store::named_before(tx, &claim, claimant).await? {
            Some(own) => own,
            None => make(tx, &claim).await?,
        },
    };
    let lookalikes = lookalikes(tx, &claim, customer.id, similarity_ppm).await?;
    Ok(Resolved {
        customer,
        lookalikes,
    })
}

/// A customer that was named before, as the record says and in the words of the claim, with what looks like it now.
///
/// # Errors
/// The record does not exist.
pub async fn again(
    tx: &Tx,
    id: CustomerId,
    claimed_name: &str,
    similarity_ppm: i32,
) -> Result<Resolved> {
    let customer = customer::Entity::find_by_id(id).one(tx).await?;
    let customer = customer.ok_or_else(|| Error::internal("a registration without a customer"))?;
    let stored = Claim::of(&customer);
    let mut found = lookalikes(tx, &stored, id, similarity_ppm).await?;
    if claimed_name != customer.name {
        let named = stored.named(claimed_name);
        for other in lookalikes(tx, &named, id, similarity_ppm).await? {
            if !found.iter().any(|(known, ..)| known.id == other.0.id) {
                found.push(other);
            }
        }
    }
    Ok(Resolved {
        customer,
        lookalikes: found,
    })
}

/// Writes the customer, unless somebody else did at the same time: then theirs is the one.
async fn make(tx: &Tx, claim: &Claim) -> Result<customer::Model> {
    if let Some(made) = insert(tx, blank(tx, claim)).await? {
        return Ok(made.into_row());
    }
    let theirs = match_store::identical(tx, claim).await?;
    theirs.ok_or_else(|| Error::internal("a customer exists and cannot be found"))
}

/// A new customer of which only the claim is known.
pub(super) fn blank(tx: &Tx, claim: &Claim) -> customer::Model {
    let claim = claim.clone();
    customer::Model {
        id: tx.id(),
        external_id: None,
        name: claim.name,
        name_key: claim.name_key,
        domain: claim.domain,
        domain_hint: claim.domain_hint,
        country: claim.country,
        industry: None,
        registration_number: claim.registration_number,
        phone: claim.phone,
        employees: None,
        parent_id: None,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    }
}

/// Writes a new customer with its keys, unless a customer of this identity exists.
pub(super) async fn insert(
    tx: &Tx,
    row: customer::Model,
) -> Result<Option<Held<customer::Entity>>> {
    let added = tx.add_new(row).await?;
    if let Some(customer) = &added {
        match_store::file_under(tx, customer.id, identity::block_keys(&customer.name)).await?;
        tx.record(Event::CustomerCreated {
            customer_id: customer.id,
        });
    }
    Ok(added)
}

/// The similar customers about which a person has to decide.
pub(super) async fn undecided(
    tx: &Tx,
    row: &customer::Model,
    similarity_ppm: i32,
) -> Result<Vec<Lookalike>> {
    let mut found = lookalikes(tx, &Claim::of(row), row.id, similarity_ppm).await?;
    found.retain(|(other, outcome, _)| leaves_a_doubt(row, other, *outcome));
    Ok(found)
}

/// Whether a person has to decide if two similar customers are the same. Not if each has its own domain, unless
/// something else proves that they are the same.
#[must_use]
pub fn leaves_a_doubt(
    one: &customer::Model,
    other: &customer::Model,
    outcome: MatchOutcome,
) -> bool {
    one.domain.is_none() || other.domain.is_none() || outcome == MatchOutcome::Conflict
}

async fn lookalikes(
    tx: &Tx,
    claim: &Claim,
    own: CustomerId,
    similarity_ppm: i32,
) -> Result<Vec<Lookalike>> {
    let candidates = match_store::candidates(tx, claim, own).await?;
    let compared = candidates.into_iter().map(|other| {
        let found = identity::compare(claim.facts(), facts(&other), similarity_ppm);
        (other, found.outcome, MatchReasons(found.reasons))
    });
    Ok(compared
        .filter(|(_, outcome, _)| *outcome != MatchOutcome::Clear)
        .collect())
}

/// The stored facts of a customer, for comparison.
#[must_use]
pub fn facts(customer: &customer::Model) -> Facts<'_> {
    Facts {
        name: &customer.name,
        domain: customer.domain.as_deref(),
        domain_hint: customer.domain_hint.as_deref(),
        country: customer.country.as_deref(),
        registration_number: customer.registration_number.as_deref(),
        phone: customer.phone.as_deref(),
    }
}
