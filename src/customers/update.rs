//! Facts about a customer change.

use async_graphql::MaybeUndefined::{self, Null, Undefined, Value};
use sea_orm::{ActiveValue::Set, DbErr, SqlErr};

use super::{
    claim::{self, WORD},
    create, identity, match_store, store,
};
use crate::{
    access::Action,
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
pub async fn update(tx: &Tx, command: Update) -> Result<CustomerId> {
    let Update {
        customer: id,
        expected_version,
        patch,
    } = command;
    // Who does not see the customer is told nothing about it.
    let scope = store::scope(tx.actor());
    store::find(tx, scope, id)
        .await?
        .ok_or_else(|| Error::not_found("customerId"))?;
    tx.actor().may(Action::CustomerManage)?;
    let before = store::hold(tx, id)
        .await?
        .ok_or_else(|| Error::not_found("customerId"))?;
    if expected_version.is_some_and(|expected| expected != before.version) {
        return Err(Error::stale());
    }
    let mut faults = Faults::default();
    let after = apply(&mut faults, &before, &patch);
    faults.check()?;
    if let (Some(parent), true) = (after.parent_id, after.parent_id != before.parent_id) {
        create::check_parent(tx, Some(id), parent).await?;
    }
    let fields = changed(&before, &after);
    if fields.is_empty() {
        return Ok(id);
    }
    check_proof(tx, &before, &after).await?;
    write(tx, &before, &after).await?;
    if before.name != after.name {
        match_store::unfile(tx, id).await?;
        match_store::file_under(tx, id, identity::block_keys(&after.name)).await?;
    }
    tx.record(Event::CustomerUpdated {
        customer_id: id,
        fields: fields.into_iter().map(str::to_owned).collect(),
    });
    Ok(id)
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
        row.domain = claim::domain(faults, "domain", domain);
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
        (before.domain != after.domain, "domain"),
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

async fn write(tx: &Tx, before: &customer::Model, after: &customer::Model) -> Result<()> {
    let values = after.clone();
    let row = customer::ActiveModel {
        external_id: Set(values.external_id),
        name: Set(values.name),
        name_key: Set(values.name_key),
        domain: Set(values.domain),
        country: Set(values.country),
        industry: Set(values.industry),
        registration_number: Set(values.registration_number),
        phone: Set(values.phone),
        employees: Set(values.employees),
        parent_id: Set(values.parent_id),
        version: Set(before.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    match store::replace(tx, row, before.id, before.version).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::stale()),
        Err(error) => Err(clash(error)),
    }
}

/// Which unique value the database refused.
fn clash(error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(text)) if text.contains("external_id") => {
            create::taken("externalId")
        }
        Some(SqlErr::UniqueConstraintViolation(_)) => create::taken("domain"),
        _ => error.into(),
    }
}
