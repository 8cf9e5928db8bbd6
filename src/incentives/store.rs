//! Queries of plans and commission lines.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, FromQueryResult,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Statement, Value,
    sea_query::{Expr, Query},
};

use super::volume_store;
use crate::{
    access::{Action, Scope, Versioned, Visible, of_partner, with_partner},
    entity::{
        accrual::{self, AccrualKind},
        attribution_credit,
        deal::{self, SalesStatus},
        deal_product, deal_refund,
        ids::{AttributionRunId, DealId, IncentivePlanId, PartnerId, ProductId, ProgramId},
        incentive_plan::{self, PlanStatus},
        ledger_transaction::{self, LedgerTransactionKind},
        product, product_family,
    },
    error::{Error, Result},
    platform::{
        ids::TypedId,
        sql::{self, any_of},
    },
    tx::{CHUNK, Tx},
};

impl Visible for incentive_plan::Entity {
    const ID: Self::Column = incentive_plan::Column::Id;
    const ARGUMENT: &'static str = "planId";
    const READ: Action = Action::PlanRead;

    /// A partner sees the plans that are or were in force.
    fn visible(scope: Scope) -> Condition {
        with_partner(scope, |_| {
            Condition::all().add(incentive_plan::Column::Status.ne(PlanStatus::Draft))
        })
    }
}

impl Versioned for incentive_plan::Entity {
    const VERSION: Self::Column = incentive_plan::Column::Version;
    const UPDATED_AT: Option<Self::Column> = Some(incentive_plan::Column::UpdatedAt);
}

impl Visible for accrual::Entity {
    const ID: Self::Column = accrual::Column::Id;
    const ARGUMENT: &'static str = "accrualId";
    const READ: Action = Action::PayoutRead;

    fn visible(scope: Scope) -> Condition {
        of_partner(scope, accrual::Column::PartnerId)
    }
}

/// The plans that the scope shows.
pub fn visible_plans(scope: Scope) -> Condition {
    incentive_plan::Entity::visible(scope)
}

/// Which plans are asked for; absent parts do not restrict.
#[derive(Clone, Debug, Default)]
pub struct WantedPlans {
    /// Of this programme.
    pub program: Option<ProgramId>,
    /// In this status.
    pub status: Option<PlanStatus>,
    /// Of this name.
    pub name: Option<String>,
}

/// The plans under a scope.
pub fn plans(scope: Scope, wanted: WantedPlans) -> Select<incentive_plan::Entity> {
    use incentive_plan::Column;
    incentive_plan::Entity::find()
        .filter(visible_plans(scope))
        .apply_if(wanted.program, |select, program| {
            select.filter(Column::ProgramId.eq(program))
        })
        .apply_if(wanted.status, |select, status| {
            select.filter(Column::Status.eq(status))
        })
        .apply_if(wanted.name, |select, name| {
            select.filter(Column::Name.eq(name))
        })
}

/// Plans by id under a scope.
///
/// # Errors
/// The database failed.
pub async fn plans_by_id<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    ids: &[IncentivePlanId],
) -> Result<Vec<incentive_plan::Model>> {
    let select = incentive_plan::Entity::find().filter(any_of(
        db,
        incentive_plan::Column::Id,
        ids.iter().copied(),
    ));
    Ok(select.filter(visible_plans(scope)).all(db).await?)
}

/// The plan for change; a second caller waits for the first.
///
/// # Errors
/// The database failed.
pub async fn lock_plan(tx: &Tx, id: IncentivePlanId) -> Result<Option<incentive_plan::Model>> {
    let select = incentive_plan::Entity::find_by_id(id).filter(visible_plans(tx.actor().scope()));
    Ok(select.lock_exclusive().one(tx).await?)
}

/// The plans of a name that are in force, for change.
///
/// # Errors
/// The database failed.
pub async fn lock_active(
    tx: &Tx,
    program: ProgramId,
    name: &str,
) -> Result<Vec<incentive_plan::Model>> {
    use incentive_plan::Column;
    let select = incentive_plan::Entity::find()
        .filter(Column::ProgramId.eq(program))
        .filter(Column::Name.eq(name))
        .filter(Column::Status.eq(PlanStatus::Active))
        .order_by_asc(Column::Id);
    Ok(select.lock_exclusive().all(tx).await?)
}

/// A deal that a number of a plan has booked.
#[derive(Clone, Debug, FromQueryResult)]
pub struct BookedDeal {
    /// The number of the plan.
    pub plan_number: i32,
    /// The number of the deal.
    pub deal_number: String,
    /// When it was won.
    pub won_at: DateTime<Utc>,
}

/// Of the deals that a number of a plan would cover, the latest that another number of its name has booked: that earned
/// under it, or counted for its rebate.
///
/// # Errors
/// The database failed.
pub async fn latest_booked_by_another_number(
    tx: &Tx,
    plan: &incentive_plan::Model,
) -> Result<Option<BookedDeal>> {
    use incentive_plan::Column;
    let others = incentive_plan::Entity::find()
        .filter(Column::ProgramId.eq(plan.program_id))
        .filter(Column::Name.eq(plan.name.as_str()))
        .filter(Column::Id.ne(plan.id))
        .filter(Column::Status.ne(PlanStatus::Draft))
        .count(tx)
        .await?;
    if others == 0 {
        return Ok(None);
    }
    let mut values: Vec<Value> = vec![
        plan.program_id.uuid().into(),
        plan.currency.code().into(),
        plan.effective_from.into(),
        plan.name.clone().into(),
        plan.id.uuid().into(),
    ];
    let until = plan.effective_to.map_or("", |until| {
        values.push(until.into());
        " AND d.closed_at < $6"
    });
    let other = "p.program_id = $1 AND p.name = $4 AND p.id <> $5";
    let sql = format!(
        "SELECT p.number AS plan_number, d.number AS deal_number, d.closed_at AS won_at FROM deal d, incentive_plan p \
         WHERE d.program_id = $1 AND d.status = 'WON' AND d.currency = $2 AND d.closed_at >= $3{until} AND {other} \
         AND (EXISTS (SELECT 1 FROM accrual a WHERE a.deal_id = d.id AND a.plan_id = p.id AND a.kind <> 'CLAWBACK') \
         OR EXISTS (SELECT 1 FROM rebate_entry r WHERE r.deal_id = d.id AND r.plan_id = p.id)) \
         ORDER BY d.closed_at DESC, p.number DESC LIMIT 1"
    );
    let statement = Statement::from_sql_and_values(tx.backend(), sql, values);
    Ok(BookedDeal::find_by_statement(statement).one(tx).await?)
}

/// The number that the next plan of this name gets.
///
/// # Errors
/// The database failed.
pub async fn next_number<C: ConnectionTrait>(
    db: &C,
    program: ProgramId,
    name: &str,
) -> Result<i32> {
    let last: Option<i32> = incentive_plan::Entity::find()
        .select_only()
        .column(incentive_plan::Column::Number)
        .filter(incentive_plan::Column::ProgramId.eq(program))
        .filter(incentive_plan::Column::Name.eq(name))
        .order_by_desc(incentive_plan::Column::Number)
        .into_tuple()
        .one(db)
        .await?;
    Ok(last.unwrap_or(0) + 1)
}

/// Writes what changed on a plan.
///
/// # Errors
/// `STALE_OBJECT` when somebody else wrote since it was read.
pub async fn save_plan(
    tx: &Tx,
    read: &incentive_plan::Model,
    mut change: incentive_plan::ActiveModel,
) -> Result<()> {
    change.version = Set(read.version + 1);
    change.updated_at = Set(tx.now());
    let saved = incentive_plan::Entity::update_many()
        .set(change)
        .filter(incentive_plan::Column::Id.eq(read.id))
        .filter(incentive_plan::Column::Version.eq(read.version))
        .exec(tx)
        .await?;
    if saved.rows_affected == 1 {
        Ok(())
    } else {
        Err(Error::stale())
    }
}

/// The product families among these codes that exist.
///
/// # Errors
/// The database failed.
pub async fn families<C: ConnectionTrait>(db: &C, codes: &[&str]) -> Result<HashSet<String>> {
    let codes = product_family::Column::Code.is_in(codes.iter().copied());
    let found = product_family::Entity::find().filter(codes).all(db).await?;
    Ok(found.into_iter().map(|family| family.code).collect())
}

/// The plans of programmes that are in force at some time.
///
/// # Errors
/// The database failed.
pub async fn active_plans<C: ConnectionTrait>(
    db: &C,
    programs: &BTreeSet<ProgramId>,
) -> Result<Vec<incentive_plan::Model>> {
    use incentive_plan::Column;
    let select = incentive_plan::Entity::find()
        .filter(any_of(db, Column::ProgramId, programs.iter().copied()))
        .filter(Column::Status.eq(PlanStatus::Active))
        .order_by_asc(Column::EffectiveFrom)
        .order_by_asc(Column::Id);
    Ok(select.all(db).await?)
}

/// The codes of the product families of deals.
///
/// # Errors
/// The database failed.
pub async fn families_of<C: ConnectionTrait>(
    db: &C,
    deals: &[DealId],
) -> Result<HashMap<DealId, BTreeSet<String>>> {
    let mut lines: Vec<(DealId, ProductId)> = Vec::new();
    for chunk in deals.chunks(CHUNK) {
        let rows = deal_product::Entity::find()
            .filter(any_of(
                db,
                deal_product::Column::DealId,
                chunk.iter().copied(),
            ))
            .all(db)
            .await?;
        lines.extend(rows.into_iter().map(|row| (row.deal_id, row.product_id)));
    }
    let ids: BTreeSet<ProductId> = lines.iter().map(|(_, product)| *product).collect();
    let mut codes: HashMap<ProductId, String> = HashMap::new();
    let names: HashMap<_, _> = product_family::Entity::find()
        .all(db)
        .await?
        .into_iter()
        .map(|family| (family.id, family.code))
        .collect();
    for chunk in Vec::from_iter(ids).chunks(CHUNK) {
        let rows = product::Entity::find()
            .filter(any_of(db, product::Column::Id, chunk.iter().copied()))
            .all(db)
            .await?;
        codes.extend(
            rows.into_iter()
                .filter_map(|row| Some((row.id, names.get(&row.family_id)?.clone()))),
        );
    }
    let mut families: HashMap<DealId, BTreeSet<String>> = HashMap::new();
    for (deal, product) in lines {
        families
            .entry(deal)
            .or_default()
            .extend(codes.get(&product).cloned());
    }
    Ok(families)
}

/// Which deals earned, or counted for a rebate, under which plans already.
///
/// # Errors
/// The database failed.
pub async fn booked<C: ConnectionTrait>(
    db: &C,
    deals: &[DealId],
) -> Result<HashSet<(DealId, IncentivePlanId)>> {
    let mut booked = HashSet::new();
    for chunk in deals.chunks(CHUNK) {
        let rows: Vec<(DealId, IncentivePlanId)> = accrual::Entity::find()
            .select_only()
            .column(accrual::Column::DealId)
            .column(accrual::Column::PlanId)
            .distinct()
            .filter(any_of(db, accrual::Column::DealId, chunk.iter().copied()))
            .filter(accrual::Column::Kind.ne(AccrualKind::Clawback))
            .into_tuple()
            .all(db)
            .await?;
        booked.extend(rows);
    }
    let counted = volume_store::entries(db, deals).await?;
    booked.extend(counted.iter().map(|entry| (entry.deal_id, entry.plan_id)));
    Ok(booked)
}

/// The commission lines that the scope shows.
pub fn visible_accruals(scope: Scope) -> Condition {
    accrual::Entity::visible(scope)
}

/// The commission lines of deals that the scope shows, as they were booked: a partner's people see their own.
///
/// # Errors
/// The database failed.
pub async fn accruals<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    deals: &[DealId],
) -> Result<Vec<accrual::Model>> {
    let visible = visible_accruals(scope);
    let mut rows = Vec::new();
    for chunk in deals.chunks(CHUNK) {
        let select = accrual::Entity::find()
            .filter(any_of(db, accrual::Column::DealId, chunk.iter().copied()))
            .filter(visible.clone())
            .order_by_asc(accrual::Column::CreatedAt)
            .order_by_asc(accrual::Column::Id);
        rows.extend(select.all(db).await?);
    }
    Ok(rows)
}

/// The place of each partner in a stored credit.
///
/// # Errors
/// The database failed.
pub async fn places<C: ConnectionTrait>(
    db: &C,
    runs: &BTreeSet<AttributionRunId>,
) -> Result<HashMap<(AttributionRunId, PartnerId), attribution_credit::Model>> {
    let runs: Vec<AttributionRunId> = runs.iter().copied().collect();
    let mut places = HashMap::new();
    for chunk in runs.chunks(CHUNK) {
        let of_runs = any_of(db, attribution_credit::Column::RunId, chunk.iter().copied());
        for row in attribution_credit::Entity::find()
            .filter(of_runs)
            .all(db)
            .await?
        {
            if let Some(partner) = row.partner_id {
                places.insert((row.run_id, partner), row);
            }
        }
    }
    Ok(places)
}

/// The refunds of a deal, as they were noted.
///
/// # Errors
/// The database failed.
pub async fn refunds<C: ConnectionTrait>(db: &C, deal: DealId) -> Result<Vec<deal_refund::Model>> {
    let of_deal = deal_refund::Column::DealId.eq(deal);
    let order = (deal_refund::Column::CreatedAt, deal_refund::Column::Id);
    Ok(deal_refund::Entity::find()
        .filter(of_deal)
        .order_by_asc(order.0)
        .order_by_asc(order.1)
        .all(db)
        .await?)
}

/// Won deals of a programme in the order in which they were won, after the one given, held until the end of the unit
/// of work so that nobody books them beside us.
///
/// # Errors
/// The database failed.
pub async fn lock_won(
    tx: &Tx,
    program: ProgramId,
    after: Option<(DateTime<Utc>, DealId)>,
    limit: u64,
) -> Result<Vec<deal::Model>> {
    let select = deal::Entity::find()
        .filter(deal::Column::ProgramId.eq(program))
        .filter(deal::Column::Status.eq(SalesStatus::Won))
        .apply_if(after, |select, (closed_at, id)| {
            let columns = [deal::Column::ClosedAt, deal::Column::Id];
            select.filter(sql::after(columns, [closed_at.into(), id.into()]))
        })
        .order_by_asc(deal::Column::ClosedAt)
        .order_by_asc(deal::Column::Id)
        .limit(limit);
    Ok(select.lock_exclusive().all(tx).await?)
}

/// Holdbacks that reached their date, are in no payout and are not released yet: the oldest, one chunk.
///
/// # Errors
/// The database failed.
pub async fn held_past_date(tx: &Tx) -> Result<Vec<accrual::Model>> {
    use ledger_transaction::Column as Posted;
    let released = Query::select()
        .expr(Expr::value(1))
        .from(ledger_transaction::Entity)
        .and_where(
            Expr::col((ledger_transaction::Entity, Posted::SubjectId))
                .equals((accrual::Entity, accrual::Column::Id)),
        )
        .and_where(Posted::Kind.eq(LedgerTransactionKind::HoldbackRelease))
        .to_owned();
    let select = accrual::Entity::find()
        .filter(accrual::Column::Kind.eq(AccrualKind::Holdback))
        .filter(accrual::Column::PayoutId.is_null())
        .filter(accrual::Column::AvailableAt.lte(tx.now()))
        .filter(Expr::exists(released).not())
        .order_by_asc(accrual::Column::AvailableAt)
        .order_by_asc(accrual::Column::Id)
        .limit(u64::try_from(CHUNK).unwrap_or(u64::MAX));
    Ok(select.all(tx).await?)
}
