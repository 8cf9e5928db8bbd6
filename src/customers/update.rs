//! Facts about a customer change.

use async_graphql::MaybeUndefined::{self, Null, Undefined, Value};

use super::{
    claim::{self, WORD},
    create, identity, match_store,
};
use crate::{
    access::{Action, Held},
    entity::{customer, ids::CustomerId},
    error::{Error, Faults, Result},
    events::Event,
    tx::Tx,
};

/// A change of facts. An undefined field keeps its value, null clears it.
#[derive(Clone, Debug)]
pub struct Update {
    /// The customer.
    pub customer: CustomerId,
    /// The version the caller read; the change is refused when it is not the stored one.
    pub expected_version: Option<i64>,
    /// The changes.
    pub patch: Patch,
}

/// The fields of a change.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// The name.
    pub name: MaybeUndefined<String>,
    /// A domain, web address or e-mail address.
    pub domain: MaybeUndefined<String>,
    /// ISO 3166-1 alpha-2.
    pub country: MaybeUndefined<String>,
    /// Its industry, in the vendor's words.
    pub industry: MaybeUndefined<String>,
    /// How many people it employs.
    pub employees: MaybeUndefined<i64>,
    /// The number in a public register.
    pub registration_number: MaybeUndefined<String>,
    /// A phone number.
    pub phone: MaybeUndefined<String>,
    /// The company it belongs to.
    pub parent: MaybeUndefined<CustomerId>,
    /// Its key in another system.
    pub external_id: MaybeUndefined<String>,
}

/// Changes facts about a customer. What is as it was before is no change; without any, nothing is written.
///
/// # Errors
/// `NOT_FOUND` at `customerId` or `parentId`; `FORBIDDEN` for everybody but the vendor's administrators and alliance
/// managers; `STALE_OBJECT`; `BAD_USER_INPUT` with every fault at its field; `DUPLICATE` when another customer has the
/// domain, the registration number or the external id. Records `customer.updated` with the names of the fields.
pub async fn update(tx: &Tx, command: Update) -> Result<Held<customer::Entity>> {
    // Who does not see the customer is told nothing about it.
    let before = tx.load_seen::<customer::Entity>(command.customer).await?;
    tx.actor().may(Action::CustomerManage)?;
    before.at_version(command.expected_version)?;
    let mut faults = Faults::default();
    let after = apply(&mut faults, &before, &command.patch);
    faults.check()?;
    if let (Some(parent), true) = (after.parent_id, after.parent_id != before.parent_id) {
        create::check_parent(tx, Some(before.id), parent).await?;
    }
    let fields = changed(&before, &after);
    if fields.is_empty() {
        return Ok(before);
    }
    check_proof(tx, &before, &after).await?;
    let saved = tx.save(&before, |row| *row = after).await;
    let saved = saved.map_err(clash)?;
    if before.name != saved.name {
        match_store::unfile(tx, saved.id).await?;
        match_store::file_under(tx, saved.id, identity::block_keys(&saved.name)).await?;
    }
    tx.record(Event::CustomerUpdated {
        customer_id: saved.id,
        fields: fields.into_iter().map(str::to_owned).collect(),
    });
    Ok(saved)
}

/// Refuses a domain or a registration number by which another customer is known.
async fn check_proof(tx: &Tx, before: &customer::Model, after: &customer::Model) -> Result<()> {
    let known_by = |row: &customer::Model| {
        (
            row.domain.clone(),
            row.registration_number.clone(),
            row.country.clone(),
        )
    };
    if known_by(before) == known_by(after) {
        return Ok(());
    }
    match_store::hold_number(tx, after.registration_number.as_deref()).await?;
    let claim = claim::Claim::of(after);
    match match_store::identical_but(tx, &claim, Some(after.id)).await? {
        Some(other) => Err(create::taken(create::proof(&claim, &other))),
        None => Ok(()),
    }
}

/// The row as it will be.
fn apply(faults: &mut Faults, before: &customer::Model, patch: &Patch) -> customer::Model {
    let mut row = before.clone();
    match &patch.name {
        Undefined => {}
        Null => faults.add("name", "must not be empty"),
        Value(name) => (row.name, row.name_key) = claim::name(faults, "name", name),
    }
    if let Some(domain) = patch.domain.as_opt_deref() {
        let typed = claim::domain(faults, "domain", domain);
        (row.domain, row.domain_hint) = claim::beside(before.domain.as_deref(), typed);
    }
    if let Some(country) = patch.country.as_opt_deref() {
        row.country = claim::country(faults, "country", country);
    }
    if let Some(industry) = patch.industry.as_opt_deref() {
        row.industry = faults.optional_text("industry", industry, WORD);
    }
    if let Some(number) = patch.registration_number.as_opt_deref() {
        row.registration_number = claim::registration_number(faults, "registrationNumber", number);
    }
    if let Some(phone) = patch.phone.as_opt_deref() {
        row.phone = claim::phone(faults, "phone", phone);
    }
    if let Some(key) = patch.external_id.as_opt_deref() {
        row.external_id = faults.optional_text("externalId", key, create::KEY);
    }
    if let Some(number) = patch.employees.as_opt_ref() {
        row.employees = create::employees(faults, number.copied());
    }
    patch.parent.update_to(&mut row.parent_id);
    row
}

fn changed(before: &customer::Model, after: &customer::Model) -> Vec<&'static str> {
    let fields = [
        (before.name != after.name, "name"),
        (
            (&before.domain, &before.domain_hint) != (&after.domain, &after.domain_hint),
            "domain",
        ),
        (before.country != after.country, "country"),
        (before.industry != after.industry, "industry"),
        (before.employees != after.employees, "employees"),
        (
            before.registration_number != after.registration_number,
            "registrationNumber",
        ),
        (before.phone != after.phone, "phone"),
        (before.parent_id != after.parent_id, "parentId"),
        (before.external_id != after.external_id, "externalId"),
    ];
    fields
        .into_iter()
        .filter(|(differs, _)| *differs)
        .map(|(_, field)| field)
        .collect()
}

/// Which unique value the database refused.
fn clash(error: Error) -> Error {
    match error.taken() {
        Some(text) if text.contains("external_id") => create::taken("externalId"),
        Some(_) => create::taken("domain"),
        None => error,
    }
}
