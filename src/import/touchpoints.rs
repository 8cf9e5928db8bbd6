//! Touchpoints from a file: what partners did for deals, confirmed because the other system tells it.
//!
//! A touchpoint is a fact: it is never rewritten, and none is added to a deal whose credit was computed.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};

use super::{
    cells::{Cells, TEXT},
    deals, partners, table,
    unit::{Draft, Fate, Ground, Importable, Outcome},
};
use crate::{
    entity::{
        attribution_run, deal,
        ids::{DealId, PartnerId},
        touchpoint::{self, DealMilestone, JourneyPhase, TouchpointKind, TouchpointStatus},
    },
    error::Result,
    platform::calendar,
    tx::{CHUNK, Tx, Work},
};

/// What a row says about a touchpoint.
#[derive(Clone, Debug)]
pub struct Facts {
    deal: String,
    partner: String,
    kind: Option<TouchpointKind>,
    phase: Option<JourneyPhase>,
    milestone: Option<DealMilestone>,
    occurred_at: Option<DateTime<Utc>>,
    evidence: Option<String>,
}

impl Importable for Facts {
    fn read(cells: &mut Cells<'_>) -> Self {
        let facts = Self {
            deal: cells.required_key("deal"),
            partner: cells.required_key("partner"),
            kind: cells.word("kind"),
            phase: cells.word("phase"),
            milestone: cells.word("milestone"),
            occurred_at: cells.instant("occurred_on"),
            evidence: cells.text("evidence", TEXT),
        };
        for field in ["kind", "phase", "occurred_on"] {
            if cells.raw(field).is_none() {
                cells.fault(field, "must not be empty");
            }
        }
        facts
    }

    fn import<'t>(tx: &'t Tx, ground: &'t Ground, drafts: &'t [Draft<Self>]) -> Work<'t, Outcome> {
        Box::pin(import(tx, ground, drafts))
    }
}

/// What is stored about the touchpoints of a unit of work and what they name.
struct Stored {
    touchpoints: HashMap<String, touchpoint::Model>,
    deals: HashMap<String, DealId>,
    partners: HashMap<String, PartnerId>,
    /// Deals whose credit was computed.
    credited: HashSet<DealId>,
    /// The last instants of closed deals.
    closes: HashMap<DealId, DateTime<Utc>>,
}

async fn import(tx: &Tx, ground: &Ground, drafts: &[Draft<Facts>]) -> Result<Outcome> {
    let stored = load(tx, ground, drafts).await?;
    let (mut created, mut outcome) = (Vec::new(), Outcome::default());
    for draft in drafts {
        outcome
            .fates
            .push(decide(tx, ground, &stored, draft, &mut created));
    }
    if !ground.dry_run {
        tx.insert_models(created).await?;
    }
    outcome.learned.partners = stored.partners;
    Ok(outcome)
}

async fn load(tx: &Tx, ground: &Ground, drafts: &[Draft<Facts>]) -> Result<Stored> {
    let names = drafts.iter().map(|draft| draft.external_id.as_str());
    let rows =
        table::find::<touchpoint::Entity, _>(tx, touchpoint::Column::ExternalId, names).await?;
    let facts = || drafts.iter().map(|draft| &draft.facts);
    let deals =
        deals::find_all(tx, &ground.known, facts().map(|facts| facts.deal.as_str())).await?;
    Ok(Stored {
        touchpoints: rows
            .into_iter()
            .filter_map(|row| Some((row.external_id.clone()?, row)))
            .collect(),
        partners: partners::find_all(
            tx,
            &ground.known,
            facts().map(|facts| facts.partner.as_str()),
        )
        .await?,
        credited: credited(tx, &deals.values().copied().collect::<Vec<_>>()).await?,
        closes: closes(tx, ground, &deals.values().copied().collect::<Vec<_>>()).await?,
        deals,
    })
}

/// When deals that are closed were over; a close that is a day includes all of it.
async fn closes(
    tx: &Tx,
    ground: &Ground,
    deals: &[DealId],
) -> Result<HashMap<DealId, DateTime<Utc>>> {
    let mut closes = HashMap::new();
    for chunk in deals.chunks(CHUNK) {
        let closed: Vec<(DealId, DateTime<Utc>)> = deal::Entity::find()
            .select_only()
            .columns([deal::Column::Id, deal::Column::ClosedAt])
            .filter(deal::Column::Id.is_in(chunk.iter().copied()))
            .filter(deal::Column::ClosedAt.is_not_null())
            .into_tuple()
            .all(tx)
            .await?;
        let last = |(id, at)| (id, calendar::last_instant(ground.programme.zone(), at));
        closes.extend(closed.into_iter().map(last));
    }
    Ok(closes)
}

async fn credited(tx: &Tx, deals: &[DealId]) -> Result<HashSet<DealId>> {
    use attribution_run::Column;
    let mut credited = HashSet::new();
    for chunk in deals.chunks(CHUNK) {
        let official = Condition::all()
            .add(Column::DealId.is_in(chunk.iter().copied()))
            .add(Column::Official.eq(true))
            .add(Column::SupersededAt.is_null());
        let found = attribution_run::Entity::find()
            .select_only()
            .column(Column::DealId)
            .filter(official);
        credited.extend(found.into_tuple::<DealId>().all(tx).await?);
    }
    Ok(credited)
}

fn decide(
    tx: &Tx,
    ground: &Ground,
    stored: &Stored,
    draft: &Draft<Facts>,
    created: &mut Vec<touchpoint::Model>,
) -> Fate {
    let facts = &draft.facts;
    let unknown = |field: &str, name: &str| {
        Fate::refused(
            field,
            format!("there is no {field} with the external id {name:?}"),
        )
    };
    let Some(deal_id) = stored.deals.get(&facts.deal) else {
        return unknown("deal", &facts.deal);
    };
    let partner = ground
        .known
        .partners
        .get(&facts.partner)
        .or_else(|| stored.partners.get(&facts.partner));
    let Some(partner_id) = partner else {
        return unknown("partner", &facts.partner);
    };
    let (Some(kind), Some(phase), Some(occurred_at)) = (facts.kind, facts.phase, facts.occurred_at)
    else {
        return Fate::refused("kind", "kind, phase and occurred_on are needed");
    };
    if occurred_at > tx.now() {
        return Fate::refused("occurred_on", "is in the future");
    }
    // What happened after the close counts only if a person of the vendor says so.
    let is_late = stored
        .closes
        .get(deal_id)
        .is_some_and(|close| *close < occurred_at);
    let told = touchpoint::Model {
        id: tx.id(),
        external_id: Some(draft.external_id.clone()),
        deal_id: *deal_id,
        partner_id: *partner_id,
        kind,
        phase,
        milestone: facts.milestone,
        occurred_at,
        evidence: facts.evidence.clone(),
        status: if is_late {
            TouchpointStatus::AwaitingApproval
        } else {
            TouchpointStatus::Verified
        },
        corrects_id: None,
        recorded_by: None,
        recorded_by_partner: None,
        recorded_at: tx.now(),
        verified_by: None,
        verified_at: (!is_late).then(|| tx.now()),
        rejection_reason: None,
        version: 1,
        fingerprint: None,
    };
    match stored.touchpoints.get(&draft.external_id) {
        Some(known) if same(known, &told) => Fate::Unchanged,
        Some(_) => Fate::refused(
            "external_id",
            "this touchpoint is already recorded with other values; record a correction as a new touchpoint",
        ),
        None if stored.credited.contains(deal_id) => {
            Fate::refused("deal", "the credit for this deal was already calculated")
        }
        None => {
            created.push(told);
            Fate::Created
        }
    }
}

/// Whether two rows tell the same; what happened to the stored one since then does not count.
fn same(known: &touchpoint::Model, told: &touchpoint::Model) -> bool {
    let facts = |row: &touchpoint::Model| {
        (
            row.deal_id,
            row.partner_id,
            row.kind,
            row.phase,
            row.milestone,
            row.occurred_at,
        )
    };
    facts(known) == facts(told) && known.evidence == told.evidence
}
