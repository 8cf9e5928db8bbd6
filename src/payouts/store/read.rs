//! Reads under a scope: the vendor sees everything, a partner its approved payments and never a run.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Select,
    Statement, Value,
};

use crate::{
    access::Scope,
    entity::{
        ids::{PartnerId, PaymentDetailsId, PayoutId, PayoutRunId, ProgramId},
        payout::{self, PayoutStatus},
        payout_run::{self, RunStatus},
    },
    error::Result,
    platform::{
        ids::TypedId,
        money::Currency,
        sql::{self, any_of},
    },
};

/// Which runs a caller asks for; absent parts do not restrict.
#[derive(Clone, Copy, Debug, Default)]
pub struct WantedRuns {
    /// Of this programme.
    pub program: Option<ProgramId>,
    /// In this state.
    pub status: Option<RunStatus>,
}

/// Which payments a caller asks for; absent parts do not restrict.
#[derive(Clone, Copy, Debug, Default)]
pub struct WantedPayments {
    /// Of this run.
    pub run: Option<PayoutRunId>,
    /// To this partner.
    pub partner: Option<PartnerId>,
    /// In this state.
    pub status: Option<PayoutStatus>,
}

/// The runs that the caller may see.
pub fn runs(scope: Scope, wanted: WantedRuns) -> Select<payout_run::Entity> {
    use payout_run::Column;
    let mut select = payout_run::Entity::find();
    if scope != Scope::All {
        select = select.filter(Column::Id.is_in(std::iter::empty::<PayoutRunId>()));
    }
    if let Some(program) = wanted.program {
        select = select.filter(Column::ProgramId.eq(program));
    }
    if let Some(status) = wanted.status {
        select = select.filter(Column::Status.eq(status));
    }
    select
}

/// Runs by id.
pub async fn runs_by_id<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    ids: &[PayoutRunId],
) -> Result<Vec<payout_run::Model>> {
    Ok(runs(scope, WantedRuns::default())
        .filter(any_of(db, payout_run::Column::Id, ids.iter().copied()))
        .all(db)
        .await?)
}

/// The payments that the caller may see. Runs do not exist for a partner, so nothing of its own is found by one.
pub fn visible_payments(scope: Scope, wanted: WantedPayments) -> Select<payout::Entity> {
    use payout::Column;
    let mut select = match scope {
        Scope::All => payout::Entity::find(),
        Scope::Partner(own) if wanted.run.is_none() => {
            let hidden = [PayoutStatus::Review, PayoutStatus::Cancelled];
            payout::Entity::find()
                .filter(Column::PartnerId.eq(own))
                .filter(Column::Status.is_not_in(hidden))
        }
        Scope::Partner(_) | Scope::Nothing => {
            payout::Entity::find().filter(Column::Id.is_in(std::iter::empty::<PayoutId>()))
        }
    };
    if let Some(run) = wanted.run {
        select = select.filter(Column::RunId.eq(run));
    }
    if let Some(partner) = wanted.partner {
        select = select.filter(Column::PartnerId.eq(partner));
    }
    if let Some(status) = wanted.status {
        select = select.filter(Column::Status.eq(status));
    }
    select
}

/// Payments by id.
pub async fn payments_by_id<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    ids: &[PayoutId],
) -> Result<Vec<payout::Model>> {
    Ok(visible_payments(scope, WantedPayments::default())
        .filter(any_of(db, payout::Column::Id, ids.iter().copied()))
        .all(db)
        .await?)
}

/// The accounts to which runs that the caller was shown pay, by run.
pub async fn accounts<C: ConnectionTrait>(
    db: &C,
    runs: &[PayoutRunId],
) -> Result<Vec<(PayoutRunId, PaymentDetailsId)>> {
    use payout::Column;
    let accounts = payout::Entity::find()
        .select_only()
        .columns([Column::RunId, Column::PaymentDetailsId])
        .distinct()
        .filter(any_of(db, Column::RunId, runs.iter().copied()))
        .filter(Column::PaymentDetailsId.is_not_null())
        .filter(Column::Status.ne(PayoutStatus::Cancelled));
    Ok(accounts.into_tuple().all(db).await?)
}

/// What the payments of a run come to in one currency.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Total {
    /// The run.
    pub run_id: PayoutRunId,
    /// The currency.
    pub currency: Currency,
    /// The sum in minor units.
    pub amount_minor: i64,
    /// How many payments.
    pub payments: i64,
}

/// The totals of runs that the caller was shown, by run and currency.
pub async fn totals<C: ConnectionTrait>(db: &C, runs: &[PayoutRunId]) -> Result<Vec<Total>> {
    let ids: Vec<Value> = runs.iter().map(|id| id.uuid().into()).collect();
    let sql = format!(
        "SELECT run_id, currency, CAST(SUM(amount_minor) AS BIGINT) AS amount_minor, COUNT(*) AS payments FROM payout \
         WHERE run_id IN {} GROUP BY run_id, currency ORDER BY run_id, currency",
        sql::rows(1, ids.len())
    );
    Ok(Total::find_by_statement(Statement::from_sql_and_values(
        db.get_database_backend(),
        sql,
        ids,
    ))
    .all(db)
    .await?)
}
