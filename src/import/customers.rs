//! Customers from a file: one record each, identified by external id, domain or registration number.
//!
//! An existing customer with the same domain or number and no external id yet is matched and gets the id; the report
//! has a note. If it already has another external id, the row is refused: two records of the other system are one
//! customer here.
//!
//! A name alone does not identify a customer. A row that shares its name with other customers becomes a separate
//! customer, like the accounts in the other system. The report has a warning, and a person decides.
//!
//! A domain or a number may move from one customer to another within a file. The row that claims it waits for the row
//! that releases it, wherever that is, so the order of rows does not matter.

use std::collections::{BTreeSet, HashMap, HashSet};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    cells::{Cells, NAME},
    known::{Claimant, Known, Namesake},
    lineage::Lineage,
    table,
    unit::{Draft, Fate, Ground, Importable, Outcome, Remark},
};
use crate::{
    customers::{
        claim,
        identity::{address, block_keys, name_key},
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

/// How many customers with the same name a warning lists.
const NAMED: usize = 3;

/// What a row says about a customer.
#[derive(Clone, Debug)]
pub struct Facts {
    name: String,
    domain: Option<String>,
    domain_hint: Option<String>,
    country: Option<String>,
    industry: Option<String>,
    registration_number: Option<String>,
    phone: Option<String>,
    employees: Option<i64>,
    parent: Option<String>,
}

impl Importable for Facts {
    fn read(cells: &mut Cells<'_>) -> Self {
        let (domain, domain_hint) = domain(cells);
        Self {
            name: name(cells),
            domain,
            domain_hint,
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

/// The customer's own domain, or a hint.
fn domain(cells: &mut Cells<'_>) -> (Option<String>, Option<String>) {
    match cells.raw("domain").map(address) {
        Some(Ok(address)) => address.into_parts(),
        Some(Err(fault)) => {
            cells.fault("domain", fault.to_string());
            (None, None)
        }
        None => (None, None),
    }
}

/// A value that no two customers may share.
struct Proof {
    /// The field of the value.
    field: &'static str,
    /// The value as a key: a domain, or `#` and a number.
    key: String,
}

impl Proof {
    /// Whether customers of different countries may both have it: registers are national.
    fn is_apart(&self, one: Option<&str>, other: Option<&str>) -> bool {
        self.field == NUMBER && matches!((one, other), (Some(one), Some(other)) if one != other)
    }

    /// The value as a report shows it.
    fn shown(&self) -> &str {
        self.key.trim_start_matches('#')
    }
}

const NUMBER: &str = "registration_number";

/// What identifies a customer, the most reliable first.
fn proofs(customer: &customer::Model) -> Vec<Proof> {
    let domain = customer.domain.iter().map(|domain| Proof {
        field: "domain",
        key: domain.clone(),
    });
    let number = customer.registration_number.iter().map(|number| Proof {
        field: NUMBER,
        key: format!("#{number}"),
    });
    domain.chain(number).collect()
}

/// Whether two states of a customer have the same identifying values.
fn known_by_the_same(one: &customer::Model, other: &customer::Model) -> bool {
    one.domain == other.domain
        && one.registration_number == other.registration_number
        && one.country == other.country
}

/// What different customers may have in common: the name, and `@` with the host of an address.
fn hints(customer: &customer::Model) -> BTreeSet<String> {
    let hosts = [&customer.domain, &customer.domain_hint];
    let hosts = hosts.into_iter().flatten();
    let hosts = hosts.map(|host| format!("@{host}"));
    hosts.chain([customer.name_key.clone()]).collect()
}

/// A customer as a report names it.
fn shown(row: &customer::Model) -> String {
    row.external_id.clone().unwrap_or_else(|| row.name.clone())
}

/// Whether two customers have different registration numbers.
fn told_apart(one: &customer::Model, other: &customer::Model) -> bool {
    matches!((&one.registration_number, &other.registration_number), (Some(one), Some(other)) if one != other)
}

/// What is stored about the customers of a unit of work.
struct Stored {
    by_external_id: HashMap<String, customer::Model>,
    by_proof: HashMap<String, Vec<customer::Model>>,
    by_hint: HashMap<String, Vec<customer::Model>>,
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
    /// domain or number.
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
        for proof in proofs(meant) {
            let holders = self.by_proof.get(&proof.key).into_iter().flatten();
            let free = holders.filter(|row| {
                let id = row.id.uuid();
                let adopted = writes.adopted.contains(&id) || ground.known.adopted.contains(&id);
                row.external_id.is_none()
                    && !adopted
                    && !told_apart(row, meant)
                    && !proof.is_apart(row.country.as_deref(), meant.country.as_deref())
            });
            match Vec::from_iter(free).as_slice() {
                [] => {}
                [row] => return Ok(Some(row)),
                several => {
                    let names = several.iter().map(|row| format!("{:?}", row.name));
                    let names = names.collect::<Vec<_>>().join(", ");
                    return Err(Fate::refused(
                        proof.field,
                        format!(
                            "matches {} customers that were recorded without an external id: {names}. Give the right one this external id.",
                            several.len()
                        ),
                    ));
                }
            }
        }
        Ok(None)
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
    /// The customer of each identifying value after this unit of work.
    proofs: HashMap<String, Vec<Claimant>>,
    /// The customers of each name and host after this unit of work.
    namesakes: HashMap<String, Vec<Namesake>>,
    /// The customers whose rows have been decided.
    decided: HashSet<CustomerId>,
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
        outcome.learned.customer_proofs = writes.proofs;
        outcome.learned.namesakes = writes.namesakes;
    } else {
        write(tx, writes).await?;
    }
    Ok(outcome)
}

async fn load(tx: &Tx, known: &Known, drafts: &[Draft<Facts>]) -> Result<Stored> {
    use customer::{Column, Entity};
    let names = drafts.iter().map(|draft| draft.external_id.as_str());
    let by_id = table::find::<Entity, _>(tx, Column::ExternalId, names).await?;
    let hosts = || {
        let facts = drafts.iter().map(|draft| &draft.facts);
        let hosts = facts.flat_map(|facts| [&facts.domain, &facts.domain_hint]);
        let hosts: HashSet<_> = hosts.flatten().map(String::as_str).collect();
        hosts
    };
    let by_domain = table::find::<Entity, _>(tx, Column::Domain, hosts()).await?;
    let hinted = table::find::<Entity, _>(tx, Column::DomainHint, hosts()).await?;
    let keys = drafts.iter().map(|draft| name_key(&draft.facts.name));
    let named = table::find::<Entity, _>(tx, Column::NameKey, keys).await?;
    let numbers = drafts
        .iter()
        .filter_map(|draft| draft.facts.registration_number.as_deref());
    let numbered = table::find::<Entity, _>(tx, Column::RegistrationNumber, numbers).await?;
    let mut by_proof: HashMap<String, Vec<customer::Model>> = HashMap::new();
    let mut seen = HashSet::new();
    let proven = by_domain.iter().chain(&numbered);
    for row in proven.filter(|row| seen.insert(row.id)) {
        for proof in proofs(row) {
            by_proof.entry(proof.key).or_default().push(row.clone());
        }
    }
    let mut by_hint: HashMap<String, Vec<customer::Model>> = HashMap::new();
    let mut seen = HashSet::new();
    let alike = named.into_iter().chain(by_domain).chain(hinted);
    for row in alike.filter(|row| seen.insert(row.id)) {
        for hint in hints(&row) {
            by_hint.entry(hint).or_default().push(row.clone());
        }
    }
    let parents = drafts
        .iter()
        .filter_map(|draft| draft.facts.parent.as_deref());
    Ok(Stored {
        parents: find_all(tx, known, parents).await?,
        by_proof,
        by_hint,
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
    if let Some((proof, holder)) = holder(ground, stored, writes, before, &after) {
        if draft.may_wait(&holder) {
            return Fate::Waiting(holder);
        }
        return Fate::refused(
            proof.field,
            format!("belongs to the customer {holder:?}, which is already recorded"),
        );
    }
    if let Err(fault) = writes.lineage.hang(after.id, after.parent_id) {
        return Fate::refused("parent", fault.to_string());
    }
    writes.remark(ground, draft, before, &after);
    writes.compare(ground, stored, draft, before, &after);
    if ground.dry_run {
        learned.parents.extend(
            after
                .parent_id
                .map(|parent| (after.id.uuid(), parent.uuid())),
        );
    }
    let name = &draft.external_id;
    learned.customers.insert(name.clone(), after.id);
    let kept: HashSet<_> = proofs(&after).into_iter().map(|proof| proof.key).collect();
    for given in before.into_iter().flat_map(proofs) {
        if !kept.contains(&given.key) {
            let givers = learned.given_up.entry(given.key).or_default();
            givers.push(name.clone());
        }
    }
    for key in kept {
        let claimants = writes.proofs.entry(key).or_default();
        claimants.push(Claimant {
            customer: name.clone(),
            country: after.country.clone(),
        });
    }
    writes.decided.insert(after.id);
    for hint in hints(&after) {
        let namesakes = writes.namesakes.entry(hint).or_default();
        namesakes.push(Namesake {
            customer: name.clone(),
            has_domain: after.domain.is_some(),
        });
    }
    writes.keep(tx, before, after)
}

impl Writes {
    /// Adds the notes that the counts do not show: a row took over a record, a domain or a number.
    fn remark(
        &mut self,
        ground: &Ground,
        draft: &Draft<Facts>,
        before: Option<&customer::Model>,
        after: &customer::Model,
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
        let had: HashSet<_> = before
            .into_iter()
            .flat_map(proofs)
            .map(|proof| proof.key)
            .collect();
        for proof in proofs(after) {
            let mut givers = ground.known.given_up.get(&proof.key).into_iter().flatten();
            let giver = givers.rfind(|giver| *giver != name);
            if let Some(giver) = giver.filter(|_| !had.contains(&proof.key)) {
                let text = format!(
                    "{name:?} takes {} over from {giver:?}, which no longer has it.",
                    proof.shown()
                );
                self.remarks.push(Remark::note(draft.line, text));
            }
        }
    }

    /// Warns about a row that adds a name or a host that other customers have: a person has to decide whether they are
    /// the same. Customers that each have their own domain are different.
    fn compare(
        &mut self,
        ground: &Ground,
        stored: &Stored,
        draft: &Draft<Facts>,
        before: Option<&customer::Model>,
        after: &customer::Model,
    ) {
        let had = before.map(hints).unwrap_or_default();
        for hint in hints(after).difference(&had) {
            let alike = self.alike(ground, stored, after, hint);
            if alike.is_empty() {
                continue;
            }
            let mut names: Vec<_> = alike.iter().take(NAMED).cloned().collect();
            if alike.len() > NAMED {
                names.push(format!("{} more", alike.len() - NAMED));
            }
            let what = match hint.strip_prefix('@') {
                Some(host) => format!("an address at {host}, as has"),
                None => "the name of".to_owned(),
            };
            let text = format!(
                "{:?} has {what} {} and is a customer of its own. If it is the same company, set the external id on \
                 the existing record.",
                draft.external_id,
                names.join(", ")
            );
            let doubt = Remark::doubt(draft.line, &draft.external_id, text);
            self.remarks.push(doubt);
        }
    }

    /// The other customers with a name or a host, as a report names them.
    fn alike(
        &self,
        ground: &Ground,
        stored: &Stored,
        after: &customer::Model,
        hint: &str,
    ) -> BTreeSet<String> {
        let known = &ground.known;
        let stale = |row: &customer::Model| {
            let by_id = row.external_id.as_ref();
            let decided = known.adopted.contains(&row.id.uuid())
                || by_id.is_some_and(|id| known.customers.contains_key(id));
            // A dry run leaves the stored rows unchanged.
            self.decided.contains(&row.id) || (ground.dry_run && decided)
        };
        let stored = stored.by_hint.get(hint).into_iter().flatten();
        let stored = stored
            .filter(|row| row.id != after.id && !stale(row))
            .map(|row| (shown(row), row.domain.is_some()));
        let earlier = [&known.namesakes, &self.namesakes]
            .into_iter()
            .filter_map(|namesakes| namesakes.get(hint))
            .flatten()
            .filter(|other| after.external_id.as_ref() != Some(&other.customer))
            .map(|other| (other.customer.clone(), other.has_domain));
        let others = stored.chain(earlier);
        others
            .filter(|(_, has_domain)| !(*has_domain && after.domain.is_some()))
            .map(|(name, _)| format!("{name:?}"))
            .collect()
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

/// The other customer that has a value the row newly claims, by external id or name.
fn holder(
    ground: &Ground,
    stored: &Stored,
    writes: &Writes,
    before: Option<&customer::Model>,
    after: &customer::Model,
) -> Option<(Proof, String)> {
    if before.is_some_and(|before| before.external_id.is_some() && known_by_the_same(before, after))
    {
        return None;
    }
    let (own, country) = (after.external_id.as_ref(), after.country.as_deref());
    proofs(after).into_iter().find_map(|proof| {
        let promised = [&writes.proofs, &ground.known.customer_proofs]
            .into_iter()
            .filter_map(|proofs| proofs.get(&proof.key))
            .flatten()
            .find(|other| {
                own != Some(&other.customer) && !proof.is_apart(country, other.country.as_deref())
            });
        if let Some(other) = promised {
            return Some((proof, other.customer.clone()));
        }
        // A dry run has not changed the stored rows.
        let givers = ground.known.given_up.get(&proof.key);
        let gave_up = |row: &customer::Model| {
            let by_id = row.external_id.as_ref().zip(givers);
            ground.dry_run && by_id.is_some_and(|(id, givers)| givers.contains(id))
        };
        let others = stored.by_proof.get(&proof.key).into_iter().flatten();
        let other = others
            .filter(|other| other.id != after.id && !gave_up(other))
            .find(|other| !proof.is_apart(country, other.country.as_deref()))?;
        let other = shown(other);
        Some((proof, other))
    })
}

fn fresh(tx: &Tx, draft: &Draft<Facts>) -> customer::Model {
    let (now, facts) = (tx.now(), &draft.facts);
    customer::Model {
        id: tx.id(),
        external_id: None,
        name: facts.name.clone(),
        name_key: name_key(&facts.name),
        domain: facts.domain.clone(),
        domain_hint: facts.domain_hint.clone(),
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
        let told = (facts.domain.clone(), facts.domain_hint.clone());
        (after.domain, after.domain_hint) = claim::beside(before.domain.as_deref(), told);
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
