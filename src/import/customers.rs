//! Customers from a file: one record each, known again by domain or registration number like any other customer, and by
//! name and country where the file gives neither.
//!
//! A customer that was recorded before under the same domain or number, or under the same name and country without
//! another number, and that has no external id yet, is the one meant and gets the id; the report says so. Where another
//! external id has it already the row is refused: two records of the other system are one customer here.
//!
//! A domain may move from one customer to another within a file. The row that claims it waits for the row that gives it
//! up, wherever that is, so that the order of rows decides nothing.

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    cells::{Cells, NAME},
    known::Known,
    lineage::Lineage,
    table,
    unit::{Draft, Fate, Ground, Importable, Outcome, Remark},
};
use crate::{
    customers::{
        identity::{block_keys, name_key, registrable_domain},
        store::TREE,
    },
    entity::{customer, customer_block_key, ids::CustomerId},
    error::Result,
    platform::{
        company_number::{phone_key, registration_number_key},
        ids::TypedId,
    },
    tx::{CHUNK, Tx, Work},
};

/// What a row says about a customer.
#[derive(Clone, Debug)]
pub struct Facts {
    name: String,
    domain: Option<String>,
    country: Option<String>,
    industry: Option<String>,
    registration_number: Option<String>,
    phone: Option<String>,
    employees: Option<i64>,
    parent: Option<String>,
}

impl Importable for Facts {
    fn read(cells: &mut Cells<'_>) -> Self {
        Self {
            name: name(cells),
            domain: domain(cells),
            country: cells.country("country"),
            industry: cells.text("industry", NAME),
            registration_number: cells
                .text("registration_number", NAME)
                .and_then(|text| registration_number_key(&text)),
            phone: cells.text("phone", NAME).and_then(|text| phone_key(&text)),
            employees: cells.whole("employees", 0),
            parent: cells.key("parent"),
        }
    }

    fn import<'t>(tx: &'t Tx, ground: &'t Ground, drafts: &'t [Draft<Self>]) -> Work<'t, Outcome> {
        Box::pin(import(tx, ground, drafts))
    }
}

fn name(cells: &mut Cells<'_>) -> String {
    let name = cells.required("name", NAME);
    if !name.is_empty() && name_key(&name).is_empty() {
        cells.fault("name", "has neither a letter nor a digit");
    }
    name
}

fn domain(cells: &mut Cells<'_>) -> Option<String> {
    let text = cells.raw("domain")?;
    registrable_domain(text).unwrap_or_else(|fault| {
        cells.fault("domain", fault.to_string());
        None
    })
}

/// What no two customers of a file may share: the domain, or else the number, or else the name and country.
fn identity(customer: &customer::Model) -> String {
    identities(customer).swap_remove(0)
}

/// What a customer is known by, the surest first. The name only where there is no domain.
fn identities(customer: &customer::Model) -> Vec<String> {
    let country = customer.country.as_deref().unwrap_or_default();
    let number = customer.registration_number.as_ref();
    let mut known = Vec::from_iter(customer.domain.clone());
    known.extend(number.map(|number| format!("#{number}/{country}")));
    if customer.domain.is_none() {
        known.push(format!("{}/{country}", customer.name_key));
    }
    known
}

/// Whether two customers have different registration numbers.
fn told_apart(one: &customer::Model, other: &customer::Model) -> bool {
    matches!((&one.registration_number, &other.registration_number), (Some(one), Some(other)) if one != other)
}

/// What is stored about the customers of a unit of work.
struct Stored {
    by_external_id: HashMap<String, customer::Model>,
    by_identity: HashMap<String, customer::Model>,
    /// Customers without an external id, by registration number.
    by_number: HashMap<String, Vec<customer::Model>>,
    parents: HashMap<String, CustomerId>,
}

impl Stored {
    /// The customer that a row names as the parent, where there is one.
    fn parent(&self, ground: &Ground, draft: &Draft<Facts>) -> Option<CustomerId> {
        let name = draft.facts.parent.as_ref()?;
        ground
            .known
            .customers
            .get(name)
            .or_else(|| self.parents.get(name))
            .copied()
    }

    /// The record of the customer that a row means: under its external id, or recorded before under none, with the same
    /// domain, number, or name and country.
    fn record(
        &self,
        ground: &Ground,
        writes: &Writes,
        draft: &Draft<Facts>,
        meant: &customer::Model,
    ) -> Result<Option<&customer::Model>, Fate> {
        let known = self.by_external_id.get(&draft.external_id);
        if known.is_some() {
            return Ok(known);
        }
        let adopted = |row: &customer::Model| {
            let id = row.id.uuid();
            writes.adopted.contains(&id) || ground.known.adopted.contains(&id)
        };
        let free = |identity: &String| {
            let row = self.by_identity.get(identity)?;
            let free = row.external_id.is_none() && !adopted(row) && !told_apart(row, meant);
            free.then_some(row)
        };
        if let Some(row) = meant.domain.as_ref().and_then(free) {
            return Ok(Some(row));
        }
        let number = meant.registration_number.as_ref();
        let same = number.and_then(|number| self.by_number.get(number));
        let numbered = same.into_iter().flatten().filter(|row| {
            // Numbers are given by registers of a country.
            let abroad =
                row.country.is_some() && meant.country.is_some() && row.country != meant.country;
            !adopted(row) && !abroad
        });
        match Vec::from_iter(numbered).as_slice() {
            [] => Ok(identities(meant).iter().find_map(free)),
            [row] => Ok(Some(row)),
            several => {
                let names: Vec<_> = several
                    .iter()
                    .map(|row| format!("{:?}", row.name))
                    .collect();
                Err(Fate::refused(
                    "registration_number",
                    format!(
                        "fits {} customers that were recorded without an external id: {}. Give the right one this external id.",
                        names.len(),
                        names.join(", ")
                    ),
                ))
            }
        }
    }
}

#[derive(Default)]
struct Writes {
    lineage: Lineage,
    created: Vec<customer::Model>,
    changed: Vec<customer::Model>,
    /// Changed customers whose name is another one.
    renamed: Vec<CustomerId>,
    block_keys: Vec<customer_block_key::Model>,
    /// Who holds which identity after this unit of work.
    identities: HashMap<String, String>,
    remarks: Vec<Remark>,
    /// Customers without an external id that got it.
    adopted: HashSet<Uuid>,
}

async fn import(tx: &Tx, ground: &Ground, drafts: &[Draft<Facts>]) -> Result<Outcome> {
    let stored = load(tx, &ground.known, drafts).await?;
    let (mut writes, mut outcome) = (Writes::default(), Outcome::default());
    let parents = drafts
        .iter()
        .filter_map(|draft| stored.parent(ground, draft));
    let moving = drafts.iter().filter_map(|draft| {
        let row = stored.record(ground, &Writes::default(), draft, &fresh(tx, draft));
        let row = row.ok()??;
        let moves = ground.source.gives("parent") && row.parent_id != stored.parent(ground, draft);
        moves.then_some(row.id)
    });
    writes.lineage = Lineage::load(tx, &TREE, parents, moving, &ground.known.parents).await?;
    for draft in drafts {
        let fate = decide(
            tx,
            ground,
            &stored,
            draft,
            &mut writes,
            &mut outcome.learned,
        );
        outcome.fates.push(fate);
    }
    outcome.remarks = std::mem::take(&mut writes.remarks);
    outcome.learned.adopted = std::mem::take(&mut writes.adopted);
    if ground.dry_run {
        outcome.learned.customer_identities = writes.identities;
    } else {
        write(tx, writes).await?;
    }
    Ok(outcome)
}

async fn load(tx: &Tx, known: &Known, drafts: &[Draft<Facts>]) -> Result<Stored> {
    use customer::{Column, Entity};
    let names = drafts.iter().map(|draft| draft.external_id.as_str());
    let by_id = table::find::<Entity, _>(tx, Column::ExternalId, names).await?;
    let domains = drafts
        .iter()
        .filter_map(|draft| draft.facts.domain.as_deref());
    let by_domain = table::find::<Entity, _>(tx, Column::Domain, domains).await?;
    let keys = drafts.iter().map(|draft| name_key(&draft.facts.name));
    let by_name = table::find::<Entity, _>(tx, Column::NameKey, keys).await?;
    let numbers = drafts
        .iter()
        .filter_map(|draft| draft.facts.registration_number.as_deref());
    let numbered = table::find::<Entity, _>(tx, Column::RegistrationNumber, numbers).await?;
    let mut by_identity = HashMap::new();
    // A name is taken by the record without a number, where there is one.
    let named = by_name.into_iter().filter(|row| row.domain.is_none());
    let (with_number, plain): (Vec<_>, Vec<_>) =
        named.partition(|row| row.registration_number.is_some());
    for row in plain
        .into_iter()
        .chain(with_number)
        .chain(by_domain)
        .chain(numbered.iter().cloned())
    {
        for identity in identities(&row) {
            by_identity.entry(identity).or_insert_with(|| row.clone());
        }
    }
    let mut by_number: HashMap<String, Vec<customer::Model>> = HashMap::new();
    for row in numbered.into_iter().filter(|row| row.external_id.is_none()) {
        let number = row.registration_number.clone().unwrap_or_default();
        by_number.entry(number).or_default().push(row);
    }
    let parents = drafts
        .iter()
        .filter_map(|draft| draft.facts.parent.as_deref());
    Ok(Stored {
        parents: find_all(tx, known, parents).await?,
        by_number,
        by_identity,
        by_external_id: by_id
            .into_iter()
            .filter_map(|row| Some((row.external_id.clone()?, row)))
            .collect(),
    })
}

/// The customers of these external ids that the import does not know yet, as far as they exist.
pub async fn find_all<'n>(
    tx: &Tx,
    known: &Known,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<HashMap<String, CustomerId>> {
    let unknown: HashSet<&str> = names
        .into_iter()
        .filter(|name| !known.customers.contains_key(*name))
        .collect();
    let rows =
        table::find::<customer::Entity, _>(tx, customer::Column::ExternalId, unknown).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((row.external_id?, row.id)))
        .collect())
}

fn decide(
    tx: &Tx,
    ground: &Ground,
    stored: &Stored,
    draft: &Draft<Facts>,
    writes: &mut Writes,
    learned: &mut Known,
) -> Fate {
    let parent_id = stored.parent(ground, draft);
    match &draft.facts.parent {
        Some(parent) if *parent == draft.external_id => {
            return Fate::refused("parent", "is the row itself");
        }
        Some(parent) if parent_id.is_none() => return Fate::Waiting(parent.clone()),
        _ => {}
    }
    let blank = fresh(tx, draft);
    let before = match stored.record(ground, writes, draft, &blank) {
        Ok(before) => before,
        Err(refused) => return refused,
    };
    let after = updated(ground, before.unwrap_or(&blank), draft, parent_id);
    let identity = identity(&after);
    if let Some(holder) = holder(ground, stored, writes, &identity, &after) {
        if draft.may_wait(&holder) {
            return Fate::Waiting(holder);
        }
        let field = match (&after.domain, &after.registration_number) {
            (Some(_), _) => "domain",
            (None, Some(_)) => "registration_number",
            (None, None) => "name",
        };
        return Fate::refused(
            field,
            format!("is that of the customer {holder:?}, which is recorded already"),
        );
    }
    writes.remark(ground, draft, before, &identity);
    if let Err(fault) = writes.lineage.hang(after.id, after.parent_id) {
        return Fate::refused("parent", fault.to_string());
    }
    if ground.dry_run {
        learned.parents.extend(
            after
                .parent_id
                .map(|parent| (after.id.uuid(), parent.uuid())),
        );
    }
    learned
        .customers
        .insert(draft.external_id.clone(), after.id);
    if let Some(old) = before.map(self::identity).filter(|old| *old != identity) {
        learned.given_up.insert(old, draft.external_id.clone());
    }
    writes
        .identities
        .insert(identity, draft.external_id.clone());
    writes.keep(tx, before, after)
}

impl Writes {
    /// Says what a reader of the report cannot see from the counts: that a row took over a record, or a domain.
    fn remark(
        &mut self,
        ground: &Ground,
        draft: &Draft<Facts>,
        before: Option<&customer::Model>,
        identity: &str,
    ) {
        let name = &draft.external_id;
        if let Some(row) = before.filter(|row| row.external_id.is_none()) {
            let text = format!(
                "{name:?} takes over the customer {:?}, which was recorded without an external id.",
                row.name
            );
            self.remarks.push(Remark::note(draft.line, text));
            self.adopted.insert(row.id.uuid());
        }
        let giver = ground.known.given_up.get(identity);
        if let Some(giver) = giver.filter(|giver| *giver != name) {
            let text = format!("{name:?} takes {identity} over from {giver:?}, which gave it up.");
            self.remarks.push(Remark::note(draft.line, text));
        }
    }

    fn keep(
        &mut self,
        tx: &Tx,
        before: Option<&customer::Model>,
        mut after: customer::Model,
    ) -> Fate {
        let Some(before) = before else {
            self.block_keys.extend(keys(&after));
            self.created.push(after);
            return Fate::Created;
        };
        if *before == after {
            return Fate::Unchanged;
        }
        after.version += 1;
        after.updated_at = tx.now();
        if before.name != after.name {
            self.renamed.push(after.id);
            self.block_keys.extend(keys(&after));
        }
        self.changed.push(after);
        Fate::Changed
    }
}

/// The other customer that has this identity, by its external id or name.
fn holder(
    ground: &Ground,
    stored: &Stored,
    writes: &Writes,
    identity: &str,
    customer: &customer::Model,
) -> Option<String> {
    let promised = writes
        .identities
        .get(identity)
        .or_else(|| ground.known.customer_identities.get(identity));
    if let Some(other) = promised.filter(|other| customer.external_id.as_ref() != Some(*other)) {
        return Some(other.clone());
    }
    // What a dry run would have changed is still stored.
    if ground.dry_run && ground.known.given_up.contains_key(identity) {
        return None;
    }
    let other = stored
        .by_identity
        .get(identity)
        .filter(|other| other.id != customer.id && self::identity(other) == identity)?;
    Some(
        other
            .external_id
            .clone()
            .unwrap_or_else(|| other.name.clone()),
    )
}

fn fresh(tx: &Tx, draft: &Draft<Facts>) -> customer::Model {
    let (now, facts) = (tx.now(), &draft.facts);
    customer::Model {
        id: tx.id(),
        external_id: None,
        name: facts.name.clone(),
        name_key: name_key(&facts.name),
        domain: facts.domain.clone(),
        country: facts.country.clone(),
        industry: None,
        registration_number: facts.registration_number.clone(),
        phone: None,
        employees: None,
        parent_id: None,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

/// The customer as the file tells it; what the file does not tell stays.
fn updated(
    ground: &Ground,
    before: &customer::Model,
    draft: &Draft<Facts>,
    parent_id: Option<CustomerId>,
) -> customer::Model {
    let (gives, facts) = (|field| ground.source.gives(field), &draft.facts);
    let mut after = before.clone();
    after.external_id = Some(draft.external_id.clone());
    after.name.clone_from(&facts.name);
    after.name_key = name_key(&facts.name);
    if gives("domain") {
        after.domain.clone_from(&facts.domain);
    }
    if gives("country") {
        after.country.clone_from(&facts.country);
    }
    if gives("industry") {
        after.industry.clone_from(&facts.industry);
    }
    if gives("registration_number") {
        after
            .registration_number
            .clone_from(&facts.registration_number);
    }
    if gives("phone") {
        after.phone.clone_from(&facts.phone);
    }
    if gives("employees") {
        after.employees = facts.employees;
    }
    if gives("parent") {
        after.parent_id = parent_id;
    }
    after
}

fn keys(customer: &customer::Model) -> impl Iterator<Item = customer_block_key::Model> {
    let customer_id = customer.id;
    let keys = block_keys(&customer.name).into_iter();
    keys.map(move |block_key| customer_block_key::Model {
        block_key,
        customer_id,
    })
}

async fn write(tx: &Tx, writes: Writes) -> Result<()> {
    tx.insert_models(writes.created).await?;
    tx.replace_all(writes.changed).await?;
    for chunk in writes.renamed.chunks(CHUNK) {
        let theirs = customer_block_key::Column::CustomerId.is_in(chunk.iter().copied());
        customer_block_key::Entity::delete_many()
            .filter(theirs)
            .exec(tx)
            .await?;
    }
    tx.insert_models(writes.block_keys).await
}
