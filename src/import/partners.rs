//! Partners from a file: in the directory at once, in full standing unless the file says otherwise, enrolled in
//! the programme where a tier is given.
//!
//! An import never moves a known partner in its life; that takes a decision with a reason.
//!
//! A partner that was recorded manually without an external id matches a row with the same registration number.
//! Otherwise it matches by the registrable domain of its website, or by its legal name unless the number, domain or
//! country differs. It gets the external id, and the report has a note. If only the legal name is the same, the report
//! has a warning. If several partners match, the row is refused, because a person has to decide. A row with the
//! registration number of another partner of its country is also refused.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use sea_orm::{ActiveEnum, ColumnTrait, Condition, EntityTrait, QueryFilter};

use super::{
    by_hand::{ByHand, Marks},
    cells::{Cells, NAME},
    known::{Holder, Known},
    lineage::Lineage,
    table,
    unit::{Draft, Fate, Ground, Importable, Outcome, Remark},
};
use crate::{
    entity::{
        enrollment,
        ids::{PartnerId, ProgramId},
        partner::{self, PartnerSize, PartnerStatus},
        partner_attribute::{self, AttributeKind},
        partner_lifecycle_event::{self, PartnerAction},
    },
    error::Result,
    partners::{PartnerType, name_key, number::may_be_same, store::TREE},
    platform::{company_number::registration_number_key, ids::TypedId},
    programs::tiers,
    tx::{CHUNK, Tx, Work},
};

/// What a row says about a partner.
#[derive(Clone, Debug)]
pub struct Facts {
    legal_name: String,
    display_name: Option<String>,
    size: Option<PartnerSize>,
    country: Option<String>,
    region: Option<String>,
    website: Option<String>,
    registration_number: Option<String>,
    parent: Option<String>,
    status: PartnerStatus,
    tier: Option<String>,
    attributes: BTreeSet<(AttributeKind, String)>,
}

impl Importable for Facts {
    fn read(cells: &mut Cells<'_>) -> Self {
        Self {
            legal_name: cells.required("legal_name", NAME),
            display_name: cells.text("display_name", NAME),
            size: cells.word("size"),
            country: cells.country("country"),
            region: cells.text("region", NAME),
            website: cells.text("website", NAME),
            registration_number: cells
                .text("registration_number", NAME)
                .and_then(|text| registration_number_key(&text)),
            parent: cells.key("parent"),
            status: cells.word("status").unwrap_or(PartnerStatus::Active),
            tier: cells.text("tier", NAME),
            attributes: attributes(cells),
        }
    }

    fn import<'t>(tx: &'t Tx, ground: &'t Ground, drafts: &'t [Draft<Self>]) -> Work<'t, Outcome> {
        Box::pin(import(tx, ground, drafts))
    }
}

impl Facts {
    /// What the partner is recognised by.
    fn marks(&self) -> Marks<'_> {
        Marks {
            website: self.website.as_deref(),
            legal_name: &self.legal_name,
            registration_number: self.registration_number.as_deref(),
            country: self.country.as_deref(),
        }
    }
}

fn attributes(cells: &mut Cells<'_>) -> BTreeSet<(AttributeKind, String)> {
    let mut all = BTreeSet::new();
    for text in cells.list("types") {
        all.extend(
            cells
                .known::<PartnerType>("types", &text)
                .map(|kind| (AttributeKind::Type, kind.to_value())),
        );
    }
    for text in cells.list("countries") {
        all.extend(
            cells
                .country_code("countries", &text)
                .map(|code| (AttributeKind::Country, code)),
        );
    }
    all.extend(
        cells
            .list("industries")
            .into_iter()
            .map(|text| (AttributeKind::Industry, text)),
    );
    all.extend(
        cells
            .list("competencies")
            .into_iter()
            .map(|text| (AttributeKind::Competency, text)),
    );
    all
}

const LISTS: [(&str, AttributeKind); 4] = [
    ("types", AttributeKind::Type),
    ("countries", AttributeKind::Country),
    ("industries", AttributeKind::Industry),
    ("competencies", AttributeKind::Competency),
];

/// What is stored about the partners of a unit of work.
struct Stored {
    partners: HashMap<String, partner::Model>,
    attributes: HashMap<PartnerId, BTreeSet<(AttributeKind, String)>>,
    enrollments: HashMap<PartnerId, enrollment::Model>,
    parents: HashMap<String, PartnerId>,
    /// Partners recorded by hand that rows may mean, by id.
    by_hand: HashMap<PartnerId, partner::Model>,
    /// Who has the registration numbers of the rows.
    numbers: HashMap<PartnerId, Holder>,
}

impl Stored {
    /// The partner that a row means, and by what it was recognised where it had no external id; or why none can be
    /// chosen.
    fn record(
        &self,
        ground: &Ground,
        writes: &Writes,
        draft: &Draft<Facts>,
    ) -> Result<Option<(&partner::Model, Option<&'static str>)>, Fate> {
        if let Some(known) = self.partners.get(&draft.external_id) {
            return Ok(Some((known, None)));
        }
        let Some(by_hand) = &ground.known.by_hand else {
            return Ok(None);
        };
        let fits = by_hand.of(draft.facts.marks()).into_iter();
        let fits = fits.filter_map(|(id, by)| Some((self.by_hand.get(&id)?, by)));
        let fits: Vec<_> = fits
            .filter(|(row, _)| {
                row.external_id.is_none()
                    && !writes.adopted.contains(&row.id)
                    && !ground.known.adopted.contains(&row.id.uuid())
            })
            .collect();
        match fits.as_slice() {
            [] => Ok(None),
            [(row, by)] => Ok(Some((row, Some(by)))),
            several => {
                let names: Vec<_> = several
                    .iter()
                    .map(|(row, by)| format!("{:?} (same {by})", row.legal_name))
                    .collect();
                Err(Fate::refused(
                    "legal_name",
                    format!(
                        "matches {} partners that were recorded without an external id: {}. Give the right one this external id.",
                        names.len(),
                        names.join(", ")
                    ),
                ))
            }
        }
    }

    /// The name of another partner that has the registration number of one.
    fn other_holder(
        &self,
        ground: &Ground,
        writes: &Writes,
        own: PartnerId,
        now: &Holder,
    ) -> Option<String> {
        let number = now.number.as_ref()?;
        let later = |id: &PartnerId| {
            let known = ground.known.partner_numbers.get(id);
            writes.numbers.get(id).or(known)
        };
        let stored = self.numbers.iter();
        let stored = stored.map(|(id, holder)| (id, later(id).unwrap_or(holder)));
        let all = stored
            .chain(&ground.known.partner_numbers)
            .chain(&writes.numbers);
        let others = all.filter(|(id, other)| {
            **id != own
                && other.number.as_ref() == Some(number)
                && later(id).is_none_or(|latest| latest.number.as_ref() == Some(number))
                && may_be_same(other.country.as_deref(), now.country.as_deref())
        });
        others.map(|(_, other)| other.name.clone()).min()
    }

    /// The partner that a row names as the parent, where there is one.
    fn parent(&self, ground: &Ground, draft: &Draft<Facts>) -> Option<PartnerId> {
        let name = draft.facts.parent.as_ref()?;
        ground
            .known
            .partners
            .get(name)
            .or_else(|| self.parents.get(name))
            .copied()
    }
}

#[derive(Default)]
struct Writes {
    lineage: Lineage,
    partners: Vec<partner::Model>,
    changed: Vec<partner::Model>,
    moves: Vec<partner_lifecycle_event::Model>,
    attributes: Vec<partner_attribute::Model>,
    /// Partners whose attributes of these kinds are replaced.
    cleared: Vec<PartnerId>,
    enrollments: Vec<enrollment::Model>,
    moved: Vec<enrollment::Model>,
    /// Partners recorded by hand that got an external id.
    adopted: Vec<PartnerId>,
    /// The registration numbers of the partners that were created or changed.
    numbers: HashMap<PartnerId, Holder>,
    remarks: Vec<Remark>,
}

async fn import(tx: &Tx, ground: &Ground, drafts: &[Draft<Facts>]) -> Result<Outcome> {
    let (mut ground, mut outcome) = (ground.clone(), Outcome::default());
    if ground.known.by_hand.is_none() {
        ground.known.by_hand = Some(Arc::new(ByHand::load(tx).await?));
        outcome.learned.by_hand = ground.known.by_hand.clone();
    }
    let ground = &ground;
    let stored = load(tx, ground, drafts).await?;
    let mut writes = Writes::default();
    let parents = drafts
        .iter()
        .filter_map(|draft| stored.parent(ground, draft));
    let moving = drafts.iter().filter_map(|draft| {
        let (row, _) = stored.record(ground, &Writes::default(), draft).ok()??;
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
    outcome.learned.adopted = writes.adopted.iter().map(|id| id.uuid()).collect();
    if !ground.dry_run {
        write(tx, &kinds(ground), writes).await?;
    }
    Ok(outcome)
}

async fn load(tx: &Tx, ground: &Ground, drafts: &[Draft<Facts>]) -> Result<Stored> {
    let names = drafts.iter().map(|draft| draft.external_id.as_str());
    let partners =
        table::find::<partner::Entity, _>(tx, partner::Column::ExternalId, names).await?;
    let by_hand = ground.known.by_hand.iter().flat_map(|by_hand| {
        let fits = drafts
            .iter()
            .flat_map(|draft| by_hand.of(draft.facts.marks()));
        fits.map(|(id, _)| id).collect::<BTreeSet<_>>()
    });
    let by_hand = table::find::<partner::Entity, _>(tx, partner::Column::Id, by_hand).await?;
    let numbers = drafts
        .iter()
        .filter_map(|draft| draft.facts.registration_number.as_deref());
    let column = partner::Column::RegistrationNumber;
    let holders = table::find::<partner::Entity, _>(tx, column, numbers).await?;
    let ids = || partners.iter().chain(&by_hand).map(|partner| partner.id);
    let rows = table::find::<partner_attribute::Entity, _>(
        tx,
        partner_attribute::Column::PartnerId,
        ids(),
    )
    .await?;
    let mut attributes: HashMap<_, BTreeSet<_>> = HashMap::new();
    for row in rows {
        attributes
            .entry(row.partner_id)
            .or_default()
            .insert((row.kind, row.value));
    }
    let enrolled =
        table::find::<enrollment::Entity, _>(tx, enrollment::Column::PartnerId, ids()).await?;
    let enrolled = enrolled
        .into_iter()
        .filter(|row| row.program_id == ground.programme.id);
    let parents = drafts
        .iter()
        .filter_map(|draft| draft.facts.parent.as_deref());
    let parents = find_all(tx, &ground.known, parents).await?;
    Ok(Stored {
        attributes,
        enrollments: enrolled.map(|row| (row.partner_id, row)).collect(),
        parents,
        numbers: holders.iter().map(|row| (row.id, holder(row))).collect(),
        by_hand: by_hand.into_iter().map(|row| (row.id, row)).collect(),
        partners: partners
            .into_iter()
            .filter_map(|row| Some((row.external_id.clone()?, row)))
            .collect(),
    })
}

/// The registration number of a partner.
fn holder(row: &partner::Model) -> Holder {
    Holder {
        number: row.registration_number.clone(),
        country: row.country.clone(),
        name: row.legal_name.clone(),
    }
}

/// The partners of these external ids that the import does not know yet, as far as they exist.
pub async fn find_all<'n>(
    tx: &Tx,
    known: &Known,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<HashMap<String, PartnerId>> {
    let unknown: HashSet<&str> = names
        .into_iter()
        .filter(|name| !known.partners.contains_key(*name))
        .collect();
    let rows = table::find::<partner::Entity, _>(tx, partner::Column::ExternalId, unknown).await?;
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
    let facts = &draft.facts;
    if let Some(tier) = facts
        .tier
        .as_deref()
        .filter(|tier| !ground.programme.has_tier(tier))
    {
        return Fate::refused("tier", format!("the programme has no tier {tier:?}"));
    }
    let parent_id = stored.parent(ground, draft);
    match &facts.parent {
        Some(parent) if *parent == draft.external_id => {
            return Fate::refused("parent", "is the row itself");
        }
        Some(parent) if parent_id.is_none() => return Fate::Waiting(parent.clone()),
        _ => {}
    }
    let (before, by) = match stored.record(ground, writes, draft) {
        Ok(Some((row, by))) => (Some(row), by),
        Ok(None) => (None, None),
        Err(refused) => return refused,
    };
    let id = before.map_or_else(|| tx.id(), |row| row.id);
    let now = match before {
        Some(before) => holder(&updated(ground, before, facts, parent_id)),
        None => Holder {
            number: facts.registration_number.clone(),
            country: facts.country.clone(),
            name: facts.legal_name.clone(),
        },
    };
    if let Some(other) = stored.other_holder(ground, writes, id, &now) {
        return Fate::refused(
            "registration_number",
            format!("belongs to the partner {other:?}"),
        );
    }
    if let Err(fault) = writes
        .lineage
        .hang(id, parent_id.or_else(|| kept_parent(ground, before)))
    {
        return Fate::refused("parent", fault.to_string());
    }
    if ground.dry_run {
        learned.partner_numbers.insert(id, now.clone());
    }
    writes.numbers.insert(id, now);
    if ground.dry_run {
        learned
            .parents
            .extend(parent_id.map(|parent| (id.uuid(), parent.uuid())));
    }
    if let (Some(row), Some(by)) = (before, by) {
        writes.adopted.push(row.id);
        let text = format!(
            "{:?} takes over the partner {:?}, which was recorded without an external id (same {by}); it stays {}.",
            draft.external_id,
            row.legal_name,
            row.status.to_value()
        );
        writes.remarks.push(Remark::note(draft.line, text));
    }
    if before.is_none()
        && let Some(by_hand) = &ground.known.by_hand
        && !by_hand.told_apart(facts.marks()).is_empty()
    {
        let text = format!(
            "{:?} has the legal name of a partner that was recorded without an external id, but another registration number, \
             website or country, and is a partner of its own. If it is the same company, give that partner the external id.",
            draft.external_id
        );
        let doubt = Remark::doubt(draft.line, &draft.external_id, text);
        writes.remarks.push(doubt);
    }
    let fate = match before {
        Some(before) => change(tx, ground, stored, before, draft, parent_id, writes),
        None => create(tx, ground.programme.id, id, draft, parent_id, writes),
    };
    learned.partners.insert(draft.external_id.clone(), id);
    fate
}

/// The parent of a known partner, where the file tells none.
fn kept_parent(ground: &Ground, before: Option<&partner::Model>) -> Option<PartnerId> {
    before.filter(|_| !ground.source.gives("parent"))?.parent_id
}

fn create(
    tx: &Tx,
    program_id: ProgramId,
    id: PartnerId,
    draft: &Draft<Facts>,
    parent_id: Option<PartnerId>,
    writes: &mut Writes,
) -> Fate {
    let (now, facts) = (tx.now(), &draft.facts);
    let display_name = facts
        .display_name
        .clone()
        .unwrap_or_else(|| facts.legal_name.clone());
    writes.partners.push(partner::Model {
        id,
        external_id: Some(draft.external_id.clone()),
        legal_name: facts.legal_name.clone(),
        name_key: name_key(&display_name),
        display_name,
        size: facts.size,
        country: facts.country.clone(),
        region: facts.region.clone(),
        website: facts.website.clone(),
        registration_number: facts.registration_number.clone(),
        parent_id,
        status: facts.status,
        dpa_valid_until: None,
        version: 1,
        created_at: now,
        updated_at: now,
    });
    writes.moves.extend(
        leading_to(facts.status).map(|action| partner_lifecycle_event::Model {
            id: tx.id(),
            partner_id: id,
            action,
            from_status: None,
            to_status: facts.status,
            actor_id: None,
            reason: Some("imported".to_owned()),
            at: now,
        }),
    );
    writes.attributes.extend(rows(id, &facts.attributes));
    writes.enrollments.extend(
        facts
            .tier
            .clone()
            .map(|tier| enrolled(tx, program_id, id, tier)),
    );
    Fate::Created
}

/// The action by which a partner comes to this standing; none for those who are only known.
const fn leading_to(status: PartnerStatus) -> Option<PartnerAction> {
    Some(match status {
        PartnerStatus::Prospect => return None,
        PartnerStatus::Applied => PartnerAction::Apply,
        PartnerStatus::UnderReview => PartnerAction::StartReview,
        PartnerStatus::Approved => PartnerAction::Approve,
        PartnerStatus::Onboarding => PartnerAction::StartOnboarding,
        PartnerStatus::Active => PartnerAction::Activate,
        PartnerStatus::OnWatch => PartnerAction::Watch,
        PartnerStatus::Suspended => PartnerAction::Suspend,
        PartnerStatus::Offboarding => PartnerAction::StartOffboarding,
        PartnerStatus::Retired => PartnerAction::Retire,
        PartnerStatus::Rejected => PartnerAction::Reject,
    })
}

fn enrolled(
    tx: &Tx,
    program_id: ProgramId,
    partner_id: PartnerId,
    tier: String,
) -> enrollment::Model {
    let now = tx.now();
    enrollment::Model {
        id: tx.id(),
        program_id,
        partner_id,
        tier,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

fn rows(
    id: PartnerId,
    attributes: &BTreeSet<(AttributeKind, String)>,
) -> impl Iterator<Item = partner_attribute::Model> {
    let row = move |(kind, value): &(_, String)| partner_attribute::Model {
        partner_id: id,
        kind: *kind,
        value: value.clone(),
    };
    attributes.iter().map(row)
}

fn change(
    tx: &Tx,
    ground: &Ground,
    stored: &Stored,
    before: &partner::Model,
    draft: &Draft<Facts>,
    parent_id: Option<PartnerId>,
    writes: &mut Writes,
) -> Fate {
    let facts = &draft.facts;
    let mut after = updated(ground, before, facts, parent_id);
    after.external_id = Some(draft.external_id.clone());
    let (kinds, none) = (kinds(ground), BTreeSet::new());
    let had = stored.attributes.get(&before.id).unwrap_or(&none).iter();
    let had: BTreeSet<_> = had
        .filter(|(kind, _)| kinds.contains(kind))
        .cloned()
        .collect();
    let other_attributes = had != facts.attributes;
    let enrollment = stored.enrollments.get(&before.id);
    let other_tier = facts
        .tier
        .as_deref()
        .filter(|tier| enrollment.is_none_or(|row| row.tier != *tier));
    if after == *before && !other_attributes && other_tier.is_none() {
        return Fate::Unchanged;
    }
    after.version += 1;
    after.updated_at = tx.now();
    writes.changed.push(after);
    if other_attributes {
        writes.cleared.push(before.id);
        writes.attributes.extend(rows(before.id, &facts.attributes));
    }
    match (other_tier, enrollment) {
        (Some(tier), Some(row)) => writes.moved.push(enrollment::Model {
            tier: tier.to_owned(),
            version: row.version + 1,
            updated_at: tx.now(),
            ..row.clone()
        }),
        (Some(tier), None) => writes.enrollments.push(enrolled(
            tx,
            ground.programme.id,
            before.id,
            tier.to_owned(),
        )),
        (None, _) => {}
    }
    Fate::Changed
}

/// The partner as the file tells it; what the file does not tell stays.
fn updated(
    ground: &Ground,
    before: &partner::Model,
    facts: &Facts,
    parent_id: Option<PartnerId>,
) -> partner::Model {
    let gives = |field| ground.source.gives(field);
    let mut after = before.clone();
    after.legal_name.clone_from(&facts.legal_name);
    if let Some(name) = &facts.display_name {
        after.display_name.clone_from(name);
    } else if before.display_name == before.legal_name {
        after.display_name.clone_from(&facts.legal_name);
    }
    after.name_key = name_key(&after.display_name);
    if gives("size") {
        after.size = facts.size;
    }
    if gives("country") {
        after.country.clone_from(&facts.country);
    }
    if gives("region") {
        after.region.clone_from(&facts.region);
    }
    if gives("website") {
        after.website.clone_from(&facts.website);
    }
    if gives("registration_number") {
        after
            .registration_number
            .clone_from(&facts.registration_number);
    }
    if gives("parent") {
        after.parent_id = parent_id;
    }
    after
}

/// The kinds of attributes that the file tells.
fn kinds(ground: &Ground) -> Vec<AttributeKind> {
    LISTS
        .iter()
        .filter(|(field, _)| ground.source.gives(field))
        .map(|(_, kind)| *kind)
        .collect()
}

async fn write(tx: &Tx, kinds: &[AttributeKind], writes: Writes) -> Result<()> {
    tx.insert_models(writes.partners).await?;
    tx.replace_all(writes.changed).await?;
    tx.insert_models(writes.moves).await?;
    for chunk in writes.cleared.chunks(CHUNK) {
        let theirs = Condition::all()
            .add(partner_attribute::Column::PartnerId.is_in(chunk.iter().copied()))
            .add(partner_attribute::Column::Kind.is_in(kinds.iter().copied()));
        partner_attribute::Entity::delete_many()
            .filter(theirs)
            .exec(tx)
            .await?;
    }
    tx.insert_models(writes.attributes).await?;
    let given = writes.enrollments.iter().chain(&writes.moved);
    let given: Vec<_> = given.map(|row| tiers::given(tx, row)).collect();
    tx.insert_models(writes.enrollments).await?;
    tx.replace_all(writes.moved).await?;
    tx.insert_models(given).await
}
