//! Facts about a partner change.

use std::collections::BTreeSet;

use async_graphql::MaybeUndefined::{self, Null, Undefined, Value};
use chrono::NaiveDate;

use super::{PartnerType, create, facts, number, store};
use crate::{
    access::{Action, Held},
    entity::{
        ids::PartnerId,
        partner::{self, PartnerSize},
        partner_attribute::AttributeKind,
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    tx::Tx,
};

/// A change of facts. An undefined field keeps its value, null clears it.
#[derive(Clone, Debug)]
pub struct Update {
    /// The partner.
    pub partner: PartnerId,
    /// The version the caller read; the change is refused when it is not the stored one.
    pub expected_version: Option<i64>,
    /// The changes.
    pub patch: Patch,
}

/// The fields of a change.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// The name in contracts.
    pub legal_name: MaybeUndefined<String>,
    /// The name in lists.
    pub display_name: MaybeUndefined<String>,
    /// What the partner is.
    pub types: MaybeUndefined<Vec<PartnerType>>,
    /// How big it is.
    pub size: MaybeUndefined<PartnerSize>,
    /// The country of its head office.
    pub country: MaybeUndefined<String>,
    /// Where it works.
    pub countries: MaybeUndefined<Vec<String>>,
    /// The vendor's sales region.
    pub region: MaybeUndefined<String>,
    /// Its website.
    pub website: MaybeUndefined<String>,
    /// Its number in a public register.
    pub registration_number: MaybeUndefined<String>,
    /// The industries it serves.
    pub industries: MaybeUndefined<Vec<String>>,
    /// What it is good at.
    pub competencies: MaybeUndefined<Vec<String>>,
    /// The company it belongs to.
    pub parent: MaybeUndefined<PartnerId>,
    /// The last day of the data processing agreement on file.
    pub dpa_valid_until: MaybeUndefined<NaiveDate>,
    /// Its key in another system.
    pub external_id: MaybeUndefined<String>,
}

impl Patch {
    /// The given fields that only the vendor changes.
    fn of_the_vendor(&self) -> Vec<&'static str> {
        let fields = [
            (self.legal_name.is_undefined(), "legalName"),
            (self.types.is_undefined(), "types"),
            (self.size.is_undefined(), "size"),
            (self.country.is_undefined(), "country"),
            (self.countries.is_undefined(), "countries"),
            (self.region.is_undefined(), "region"),
            (
                self.registration_number.is_undefined(),
                "registrationNumber",
            ),
            (self.parent.is_undefined(), "parentId"),
            (self.dpa_valid_until.is_undefined(), "dpaValidUntil"),
            (self.external_id.is_undefined(), "externalId"),
        ];
        fields
            .into_iter()
            .filter(|(absent, _)| !absent)
            .map(|(_, field)| field)
            .collect()
    }
}

/// Changes facts about a partner. What is as it was before is no change; without any, nothing is written.
///
/// # Errors
/// `NOT_FOUND` for a partner the caller does not see; `FORBIDDEN` for roles that change nothing here, and at each field
/// that a partner's administrator leaves to the vendor; `STALE_OBJECT`; `BAD_USER_INPUT` with every fault at its
/// field; `DUPLICATE` at `externalId` or `registrationNumber`. Records `partner.updated` with the names of the fields.
pub async fn update(tx: &Tx, command: Update) -> Result<Held<partner::Entity>> {
    let Update {
        partner: id,
        expected_version,
        patch,
    } = command;
    let before = tx.load::<partner::Entity>(id, Action::PartnerRead).await?;
    authorise(tx, &patch)?;
    before.at_version(expected_version)?;
    let mut faults = Faults::default();
    let after = apply(&mut faults, &before, &patch);
    let lists = lists(&mut faults, &patch);
    faults.check()?;
    if let (Some(parent), true) = (after.parent_id, after.parent_id != before.parent_id) {
        create::check_parent(tx, Some(id), parent).await?;
    }
    if (&after.registration_number, &after.country)
        != (&before.registration_number, &before.country)
    {
        let (number, country) = (&after.registration_number, &after.country);
        number::claim(tx, id, number.as_deref(), country.as_deref()).await?;
    }
    let mut fields = changed(&before, &after);
    fields.extend(replace_lists(tx, id, lists).await?);
    if fields.is_empty() {
        return Ok(before);
    }
    tx.record(Event::PartnerUpdated {
        partner_id: id,
        fields: fields.into_iter().map(str::to_owned).collect(),
    });
    let saved = tx.save(&before, |row| *row = after).await;
    saved.map_err(|error| error.taken().map_or(error, |_| create::taken()))
}

fn authorise(tx: &Tx, patch: &Patch) -> Result<()> {
    if tx.actor().can(Action::PartnerUpdate) {
        return Ok(());
    }
    tx.actor().may(Action::PartnerUpdateOwn)?;
    let refusal = |field| Refusal::new(Code::Forbidden, "Only the vendor changes this.").at(field);
    let refusals: Vec<_> = patch.of_the_vendor().into_iter().map(refusal).collect();
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(Error::Refused(refusals))
    }
}

/// The row as it will be.
fn apply(faults: &mut Faults, before: &partner::Model, patch: &Patch) -> partner::Model {
    let mut row = before.clone();
    required(faults, "legalName", &patch.legal_name, &mut row.legal_name);
    required(
        faults,
        "displayName",
        &patch.display_name,
        &mut row.display_name,
    );
    row.name_key = facts::name_key(&row.display_name);
    optional(
        faults,
        "region",
        &patch.region,
        facts::WORD,
        &mut row.region,
    );
    optional(
        faults,
        "externalId",
        &patch.external_id,
        facts::KEY,
        &mut row.external_id,
    );
    if let Some(website) = patch.website.as_opt_deref() {
        row.website = facts::website(faults, "website", website);
    }
    if let Some(number) = patch.registration_number.as_opt_deref() {
        row.registration_number = facts::registration_number(faults, "registrationNumber", number);
    }
    patch.size.update_to(&mut row.size);
    patch.country.clone().update_to(&mut row.country);
    patch.parent.update_to(&mut row.parent_id);
    patch.dpa_valid_until.update_to(&mut row.dpa_valid_until);
    row
}

fn required(faults: &mut Faults, path: &str, given: &MaybeUndefined<String>, value: &mut String) {
    match given {
        Undefined => {}
        Null => faults.add(path, "must not be empty"),
        Value(text) => *value = faults.text(path, text, facts::NAME),
    }
}

fn optional(
    faults: &mut Faults,
    path: &str,
    given: &MaybeUndefined<String>,
    limit: usize,
    value: &mut Option<String>,
) {
    if let Some(text) = given.as_opt_deref() {
        *value = faults.optional_text(path, text, limit);
    }
}

/// The lists that were given, each with its field.
fn lists(
    faults: &mut Faults,
    patch: &Patch,
) -> Vec<(&'static str, AttributeKind, BTreeSet<String>)> {
    let mut lists = Vec::new();
    if let Some(types) = patch.types.as_opt_deref() {
        let types = facts::types(faults, "types", types.unwrap_or_default());
        lists.push(("types", AttributeKind::Type, types));
    }
    let words = [
        ("countries", AttributeKind::Country, &patch.countries),
        ("industries", AttributeKind::Industry, &patch.industries),
        (
            "competencies",
            AttributeKind::Competency,
            &patch.competencies,
        ),
    ];
    for (field, kind, given) in words {
        if let Some(values) = given.as_opt_deref() {
            lists.push((
                field,
                kind,
                facts::words(faults, field, values.unwrap_or_default()),
            ));
        }
    }
    lists
}

/// Replaces the lists that differ from what is stored; returns their fields.
async fn replace_lists(
    tx: &Tx,
    id: PartnerId,
    lists: Vec<(&'static str, AttributeKind, BTreeSet<String>)>,
) -> Result<Vec<&'static str>> {
    if lists.is_empty() {
        return Ok(Vec::new());
    }
    let stored = store::attributes(tx, tx.actor().scope(), &[id]).await?;
    let mut fields = Vec::new();
    for (field, kind, values) in lists {
        let before: BTreeSet<_> = stored
            .iter()
            .filter(|row| row.kind == kind)
            .map(|row| row.value.clone())
            .collect();
        if before != values {
            store::clear_attributes(tx, id, kind).await?;
            store::add_attributes(tx, id, facts::of_kind(kind, values)).await?;
            fields.push(field);
        }
    }
    Ok(fields)
}

fn changed(before: &partner::Model, after: &partner::Model) -> Vec<&'static str> {
    let fields = [
        (before.legal_name != after.legal_name, "legalName"),
        (before.display_name != after.display_name, "displayName"),
        (before.size != after.size, "size"),
        (before.country != after.country, "country"),
        (before.region != after.region, "region"),
        (before.website != after.website, "website"),
        (
            before.registration_number != after.registration_number,
            "registrationNumber",
        ),
        (before.parent_id != after.parent_id, "parentId"),
        (
            before.dpa_valid_until != after.dpa_valid_until,
            "dpaValidUntil",
        ),
        (before.external_id != after.external_id, "externalId"),
    ];
    fields
        .into_iter()
        .filter(|(differs, _)| *differs)
        .map(|(_, field)| field)
        .collect()
}
