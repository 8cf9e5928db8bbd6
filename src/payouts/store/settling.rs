//! Handing payments over and settling them.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Statement, Value, sea_query::Expr,
};

use crate::{
    entity::{
        ids::{PartnerId, PaymentDetailsId, PayoutId, PayoutRunId},
        partner,
        payout::{self, PayoutStatus},
        payout_run,
    },
    error::{Error, Result},
    partners::payment,
    payouts::{
        provider::Payment,
        settle::{self, Settled},
        status::PayoutAction,
    },
    platform::{
        auth::seal::Seals,
        ids::TypedId,
        money::Money,
        sql::{self, any_of},
    },
    tx::{CHUNK, Tx},
};

/// The states in which the provider owes an answer.
const OPEN: [PayoutStatus; 2] = [PayoutStatus::Executing, PayoutStatus::Unknown];

/// The states of payments that an executed run has not handed over yet.
const TO_START: [PayoutStatus; 2] = [PayoutStatus::Review, PayoutStatus::Approved];

/// A run.
pub async fn run<C: ConnectionTrait>(db: &C, id: PayoutRunId) -> Result<Option<payout_run::Model>> {
    Ok(payout_run::Entity::find_by_id(id).one(db).await?)
}

/// Whether payments of a run were not handed over yet.
pub async fn has_payments_to_start<C: ConnectionTrait>(
    db: &C,
    run_id: PayoutRunId,
) -> Result<bool> {
    let left = payout::Entity::find()
        .filter(payout::Column::RunId.eq(run_id))
        .filter(payout::Column::Status.is_in(TO_START));
    Ok(left.count(db).await? > 0)
}

/// The payments of a run that the provider owes an answer for, in the order of their ids.
pub async fn open_payments_of<C: ConnectionTrait>(
    db: &C,
    run_id: PayoutRunId,
) -> Result<Vec<payout::Model>> {
    let open = payout::Entity::find()
        .filter(payout::Column::RunId.eq(run_id))
        .filter(payout::Column::Status.is_in(OPEN));
    Ok(open.order_by_asc(payout::Column::Id).all(db).await?)
}

/// Payments by id.
pub async fn payments<C: ConnectionTrait>(db: &C, ids: &[PayoutId]) -> Result<Vec<payout::Model>> {
    Ok(payout::Entity::find()
        .filter(payout::Column::Id.is_in(ids.iter().copied()))
        .all(db)
        .await?)
}

/// Marks approved payments as handed over to a provider; returns them as they are then.
pub async fn start_payments(
    tx: &Tx,
    payments: &[PayoutId],
    provider: &str,
) -> Result<Vec<payout::Model>> {
    let of_these = || any_of(tx, payout::Column::Id, payments.iter().copied());
    payout::Entity::update_many()
        .col_expr(payout::Column::Provider, Expr::value(provider))
        .filter(of_these())
        .filter(payout::Column::Status.eq(PayoutStatus::Approved))
        .exec(tx)
        .await?;
    super::move_payments(tx, payments, PayoutAction::Start).await?;
    Ok(payout::Entity::find()
        .filter(of_these())
        .order_by_asc(payout::Column::Id)
        .all(tx)
        .await?)
}

/// Payments as the provider is told them.
///
/// # Errors
/// The database failed; an account cannot be opened with the secrets of this installation.
pub async fn to_provider<C: ConnectionTrait>(
    db: &C,
    seals: &Seals,
    payments: &[payout::Model],
) -> Result<Vec<Payment>> {
    let mut names: HashMap<PartnerId, String> = HashMap::with_capacity(payments.len());
    for chunk in payments.chunks(CHUNK) {
        let rows: Vec<(PartnerId, String)> = partner::Entity::find()
            .select_only()
            .columns([partner::Column::Id, partner::Column::LegalName])
            .filter(partner::Column::Id.is_in(chunk.iter().map(|payment| payment.partner_id)))
            .into_tuple()
            .all(db)
            .await?;
        names.extend(rows);
    }
    let details = payments
        .iter()
        .filter_map(|payment| payment.payment_details_id);
    let accounts = payment::accounts(db, seals, &details.collect::<Vec<_>>()).await?;
    let account = |id: &PaymentDetailsId| {
        let found = accounts.get(id).cloned();
        found.ok_or_else(|| Error::internal("a payout has no account"))
    };
    let told = |payment: &payout::Model| {
        Ok(Payment {
            key: settle::key(payment),
            partner: names
                .get(&payment.partner_id)
                .cloned()
                .ok_or_else(|| Error::internal("a payout has no partner"))?,
            amount: Money::of_sum(payment.amount_minor, payment.currency)
                .map_err(|error| Error::Internal(Box::new(error)))?,
            account: payment
                .payment_details_id
                .as_ref()
                .map(account)
                .transpose()?,
            reference: payment.number.clone(),
        })
    };
    payments.iter().map(told).collect()
}

/// Writes what became of payments that were open.
pub async fn settle_payments(tx: &Tx, settled: &[Settled]) -> Result<()> {
    for chunk in settled.chunks(CHUNK) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 4 + 1);
        for payment in chunk {
            let status = sea_orm::ActiveEnum::to_value(&payment.status);
            values.extend([
                payment.id.uuid().into(),
                status.into(),
                payment.reference.clone().into(),
                payment.failure.clone().into(),
            ]);
        }
        values.push(tx.now().into());
        let sql = format!(
            "UPDATE payout SET status = s.column2, provider_reference = COALESCE(s.column3, payout.provider_reference), \
             failure = s.column4, paid_at = CASE WHEN s.column2 = 'PAID' THEN ${now} ELSE NULL END, \
             version = payout.version + 1, updated_at = ${now} \
             FROM (VALUES {rows}) AS s WHERE payout.id = s.column1 AND payout.status IN ('EXECUTING', 'UNKNOWN')",
            rows = sql::rows(chunk.len(), 4),
            now = values.len(),
        );
        let done = tx
            .execute_raw(Statement::from_sql_and_values(tx.backend(), sql, values))
            .await?;
        if done.rows_affected() != sql::count(chunk.len()) {
            return Err(Error::stale());
        }
    }
    Ok(())
}

/// Marks a failed payment as handed over again, in its next attempt; returns it as it is then.
pub async fn retry_payment(
    tx: &Tx,
    payment: &payout::Model,
    provider: &str,
    status: PayoutStatus,
    payment_details_id: Option<PaymentDetailsId>,
) -> Result<payout::Model> {
    use payout::Column;
    let changed = payout::Model {
        status,
        provider: Some(provider.to_owned()),
        failure: None,
        payment_details_id,
        attempt: payment.attempt.saturating_add(1),
        version: payment.version + 1,
        updated_at: tx.now(),
        ..payment.clone()
    };
    let done = payout::Entity::update_many()
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::Provider, Expr::value(provider))
        .col_expr(Column::Failure, Expr::value(None::<String>))
        .col_expr(Column::PaymentDetailsId, Expr::value(payment_details_id))
        .col_expr(Column::Attempt, Expr::value(changed.attempt))
        .col_expr(Column::Version, Expr::value(changed.version))
        .col_expr(Column::UpdatedAt, Expr::value(tx.now()))
        .filter(Column::Id.eq(payment.id))
        .filter(Column::Version.eq(payment.version))
        .exec(tx)
        .await?;
    if done.rows_affected == 1 {
        Ok(changed)
    } else {
        Err(Error::stale())
    }
}

/// The states in which payments of a run are.
pub async fn states(tx: &Tx, run_id: PayoutRunId) -> Result<Vec<PayoutStatus>> {
    let of_run = payout::Entity::find()
        .select_only()
        .column(payout::Column::Status)
        .filter(payout::Column::RunId.eq(run_id));
    Ok(of_run.distinct().into_tuple().all(tx).await?)
}

/// Whether the provider still owes an answer for a payment of a run, or for the one named.
pub async fn has_open_payments<C: ConnectionTrait>(
    db: &C,
    run_id: PayoutRunId,
    only: Option<PayoutId>,
) -> Result<bool> {
    use payout::Column;
    let mut open = payout::Entity::find()
        .filter(Column::RunId.eq(run_id))
        .filter(Column::Status.is_in(OPEN));
    if let Some(only) = only {
        open = open.filter(Column::Id.eq(only));
    }
    Ok(open.count(db).await? > 0)
}
