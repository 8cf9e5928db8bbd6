//! From what a partner typed to the one customer it means, and what else it might mean.

use sea_orm::{ActiveModelTrait, IntoActiveModel};

use super::{
    MatchOutcome, MatchReasons,
    claim::Claim,
    identity::{self, Facts},
    store,
};
use crate::{
    entity::customer,
    error::{Error, Faults, Result},
    events::Event,
    tx::Tx,
};

/// A customer as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClaimedCustomer {
    /// The name, as typed.
    pub name: String,
    /// A domain, web address or e-mail address, as typed.
    pub domain: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// The number in a public register, as typed.
    pub registration_number: Option<String>,
    /// A phone number, as typed.
    pub phone: Option<String>,
}

/// The customer found or made, and which other customers look like it.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The one record.
    pub customer: customer::Model,
    /// Other records that may be the same customer, each with the outcome of the comparison and its reasons; the most
    /// similar in name first, at most 300.
    pub lookalikes: Vec<(customer::Model, MatchOutcome, MatchReasons)>,
}

/// Finds the customer by registrable domain, or by normalised name and country where there is no domain, else
/// makes it; safe under any number of parallel callers with different spellings. A record that was found stays as it
/// is, whatever else was claimed. Whoever may register a deal may name its customer.
///
/// # Errors
/// `BAD_USER_INPUT` under `path` (`path.name`, `path.domain` …). Records `customer.created` for a new one.
pub async fn find_or_create(
    tx: &Tx,
    claimed: &ClaimedCustomer,
    similarity_ppm: i32,
    path: &str,
) -> Result<Resolved> {
    let mut faults = Faults::default();
    let claim = Claim::read(&mut faults, claimed, path);
    faults.check()?;
    let customer = match store::identical(tx, &claim).await? {
        Some(known) => known,
        None => make(tx, &claim).await?,
    };
    let lookalikes = lookalikes(tx, &claim, &customer, similarity_ppm).await?;
    Ok(Resolved {
        customer,
        lookalikes,
    })
}

/// Writes the customer, unless somebody else did at the same time: then theirs is the one.
async fn make(tx: &Tx, claim: &Claim) -> Result<customer::Model> {
    let row = blank(tx, claim);
    if insert(tx, &row).await? {
        return Ok(row);
    }
    let theirs = store::identical(tx, claim).await?;
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

/// Writes a new customer with its keys, unless a customer of this identity exists; says whether it was written.
pub(super) async fn insert(tx: &Tx, row: &customer::Model) -> Result<bool> {
    if !tx
        .insert_new(row.clone().into_active_model().reset_all())
        .await?
    {
        return Ok(false);
    }
    store::file_under(tx, row.id, identity::block_keys(&row.name_key)).await?;
    tx.record(Event::CustomerCreated {
        customer_id: row.id,
    });
    Ok(true)
}

async fn lookalikes(
    tx: &Tx,
    claim: &Claim,
    own: &customer::Model,
    similarity_ppm: i32,
) -> Result<Vec<(customer::Model, MatchOutcome, MatchReasons)>> {
    let candidates = store::candidates(tx, claim, own.id).await?;
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
        name_key: &customer.name_key,
        domain: customer.domain.as_deref(),
        country: customer.country.as_deref(),
        registration_number: customer.registration_number.as_deref(),
        phone: customer.phone.as_deref(),
    }
}
