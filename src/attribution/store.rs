//! Queries of touchpoints and stored credit.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, sea_query::UnionType,
};

use crate::{
    access::{Action, Scope, Versioned, Visible, of_partner},
    entity::{
        attribution_credit, attribution_run,
        deal::{self, SalesStatus},
        deal_participant,
        ids::{AttributionRunId, DealId, PartnerId, ProgramId},
        touchpoint::{self, TouchpointStatus},
    },
    error::Result,
    platform::sql::{self, any_of},
    programs::calendar::Bound,
    tx::{CHUNK, Tx},
};

impl Visible for touchpoint::Entity {
    const ID: Self::Column = touchpoint::Column::Id;
    const ARGUMENT: &'static str = "touchpointId";
    const READ: Action = Action::TouchpointRead;

    /// A partner's people see what is recorded about their own partner, on shared deals too.
    fn visible(scope: Scope) -> Condition {
        of_partner(scope, touchpoint::Column::PartnerId)
    }
}

impl Versioned for touchpoint::Entity {
    const VERSION: Self::Column = touchpoint::Column::Version;
}

/// Deals by id that the caller was shown.
pub async fn deals<C: ConnectionTrait>(db: &C, ids: &[DealId]) -> Result<Vec<deal::Model>> {
    Ok(deal::Entity::find()
        .filter(any_of(db, deal::Column::Id, ids.iter().copied()))
        .all(db)
        .await?)
}

/// The touchpoints of deals, by time, then id.
pub async fn touchpoints<C: ConnectionTrait>(
    db: &C,
    deals: &[DealId],
) -> Result<Vec<touchpoint::Model>> {
    let mut rows = Vec::new();
    for chunk in deals.chunks(CHUNK) {
        let select = touchpoint::Entity::find()
            .filter(any_of(
                db,
                touchpoint::Column::DealId,
                chunk.iter().copied(),
            ))
            .order_by_asc(touchpoint::Column::DealId)
            .order_by_asc(touchpoint::Column::OccurredAt)
            .order_by_asc(touchpoint::Column::Id);
        rows.extend(select.all(db).await?);
    }
    Ok(rows)
}

/// The participants of deals that have accepted at some time, whether or not they are still there.
pub async fn participants<C: ConnectionTrait>(
    db: &C,
    deals: &[DealId],
) -> Result<Vec<deal_participant::Model>> {
    let mut rows = Vec::new();
    for chunk in deals.chunks(CHUNK) {
        let select = deal_participant::Entity::find()
            .filter(any_of(
                db,
                deal_participant::Column::DealId,
                chunk.iter().copied(),
            ))
            .filter(deal_participant::Column::AcceptedAt.is_not_null());
        rows.extend(select.all(db).await?);
    }
    Ok(rows)
}

/// The partners that take part in a deal or have touchpoints on it.
pub async fn partners_on<C: ConnectionTrait>(db: &C, deal: DealId) -> Result<BTreeSet<PartnerId>> {
    let participants: Vec<PartnerId> = deal_participant::Entity::find()
        .select_only()
        .column(deal_participant::Column::PartnerId)
        .filter(deal_participant::Column::DealId.eq(deal))
        .into_tuple()
        .all(db)
        .await?;
    let touching: Vec<PartnerId> = touchpoint::Entity::find()
        .select_only()
        .column(touchpoint::Column::PartnerId)
        .distinct()
        .filter(touchpoint::Column::DealId.eq(deal))
        .into_tuple()
        .all(db)
        .await?;
    Ok(participants.into_iter().chain(touching).collect())
}

/// Takes the confirmation from a deal's touchpoints that happened after an instant; they wait for approval.
pub async fn await_approval(tx: &Tx, deal: DealId, after: DateTime<Utc>) -> Result<()> {
    use touchpoint::Column;
    let open = [TouchpointStatus::Claimed, TouchpointStatus::Verified];
    let late = touchpoint::Entity::find()
        .filter(Column::DealId.eq(deal))
        .filter(Column::OccurredAt.gt(after))
        .filter(Column::Status.is_in(open))
        .order_by_asc(Column::Id);
    for late in tx.lock(late).await? {
        tx.save(&late, |row| {
            row.status = TouchpointStatus::AwaitingApproval;
            row.verified_by = None;
            row.verified_at = None;
        })
        .await?;
    }
    Ok(())
}

/// The official computations of deals with their credit, in the order of the credit.
pub async fn official<C: ConnectionTrait>(
    db: &C,
    deals: &[DealId],
) -> Result<HashMap<DealId, (attribution_run::Model, Vec<attribution_credit::Model>)>> {
    let mut found = HashMap::new();
    for chunk in deals.chunks(CHUNK) {
        let runs = attribution_run::Entity::find()
            .filter(any_of(
                db,
                attribution_run::Column::DealId,
                chunk.iter().copied(),
            ))
            .filter(attribution_run::Column::Official.eq(true))
            .filter(attribution_run::Column::SupersededAt.is_null())
            .all(db)
            .await?;
        let ids: Vec<AttributionRunId> = runs.iter().map(|run| run.id).collect();
        let mut credits: HashMap<AttributionRunId, Vec<attribution_credit::Model>> = HashMap::new();
        for credit in credits_of(db, &ids).await? {
            credits.entry(credit.run_id).or_default().push(credit);
        }
        found.extend(runs.into_iter().map(|run| {
            let credits = credits.remove(&run.id).unwrap_or_default();
            (run.deal_id, (run, credits))
        }));
    }
    Ok(found)
}

async fn credits_of<C: ConnectionTrait>(
    db: &C,
    runs: &[AttributionRunId],
) -> Result<Vec<attribution_credit::Model>> {
    let select = attribution_credit::Entity::find()
        .filter(any_of(
            db,
            attribution_credit::Column::RunId,
            runs.iter().copied(),
        ))
        .order_by_asc(attribution_credit::Column::RunId)
        .order_by_asc(attribution_credit::Column::Position);
    Ok(select.all(db).await?)
}

/// The deals among these that have an official computation.
pub async fn attributed<C: ConnectionTrait>(db: &C, deals: &[DealId]) -> Result<HashSet<DealId>> {
    let mut found = HashSet::new();
    for chunk in deals.chunks(CHUNK) {
        let ids: Vec<DealId> = attribution_run::Entity::find()
            .select_only()
            .column(attribution_run::Column::DealId)
            .filter(any_of(
                db,
                attribution_run::Column::DealId,
                chunk.iter().copied(),
            ))
            .filter(attribution_run::Column::Official.eq(true))
            .filter(attribution_run::Column::SupersededAt.is_null())
            .into_tuple()
            .all(db)
            .await?;
        found.extend(ids);
    }
    Ok(found)
}

/// Writes official computations; one whose deal got another meanwhile is not written. Returns those that were.
pub async fn insert_runs(
    tx: &Tx,
    runs: &[attribution_run::Model],
) -> Result<HashSet<AttributionRunId>> {
    let rows = runs.iter().cloned().map(IntoActiveModel::into_active_model);
    let count = tx.insert_all_new(rows).await?;
    if count == sql::count(runs.len()) {
        return Ok(runs.iter().map(|run| run.id).collect());
    }
    let mut written = HashSet::new();
    for chunk in runs.chunks(CHUNK) {
        let stored: Vec<AttributionRunId> = attribution_run::Entity::find()
            .select_only()
            .column(attribution_run::Column::Id)
            .filter(attribution_run::Column::Id.is_in(chunk.iter().map(|run| run.id)))
            .into_tuple()
            .all(tx)
            .await?;
        written.extend(stored);
    }
    Ok(written)
}

/// Deals won in a span, by time, then id, after the one given; of these programmes only where some are
/// named; with `partner` only those on which it has accepted a role at some time or did something.
pub async fn won_between<C: ConnectionTrait>(
    db: &C,
    (bound, programs): (&Bound, Option<&[ProgramId]>),
    partner: Option<PartnerId>,
    after: Option<(DateTime<Utc>, DealId)>,
    limit: u64,
) -> Result<Vec<deal::Model>> {
    use deal::Column as D;
    let involving = |partner: PartnerId| {
        let mut deals = deal_participant::Entity::find()
            .select_only()
            .column(deal_participant::Column::DealId)
            .filter(deal_participant::Column::PartnerId.eq(partner))
            .filter(deal_participant::Column::AcceptedAt.is_not_null())
            .into_query();
        let touched = touchpoint::Entity::find()
            .select_only()
            .column(touchpoint::Column::DealId)
            .filter(touchpoint::Column::PartnerId.eq(partner));
        deals.union(UnionType::Distinct, touched.into_query());
        D::Id.in_subquery(deals)
    };
    Ok(deal::Entity::find()
        .filter(D::Status.eq(SalesStatus::Won))
        .apply_if(programs, |select, programs| {
            select.filter(any_of(db, D::ProgramId, programs.iter().copied()))
        })
        .filter(D::ClosedAt.gte(bound.start))
        .filter(D::ClosedAt.lt(bound.end))
        .apply_if(partner, |select, partner| select.filter(involving(partner)))
        .apply_if(after, |select, (closed_at, id)| {
            select.filter(sql::after(
                [D::ClosedAt, D::Id],
                [closed_at.into(), id.into()],
            ))
        })
        .order_by_asc(D::ClosedAt)
        .order_by_asc(D::Id)
        .limit(limit)
        .all(db)
        .await?)
}
