//! Mails about payout runs and payments.

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use serde_json::{Value, json};

use crate::{
    entity::{
        ids::{PayoutId, PayoutRunId},
        payout, payout_run, user,
    },
    error::Result,
    events::Event,
    mails,
    notifications::mail::{Concerned, Mail, Mails, View, money},
    platform::{ids::TypedId, money::Currency},
    tx::Tx,
};

/// The mails.
pub struct PayoutMails;

#[async_trait]
impl Mails for PayoutMails {
    fn mails(&self) -> &'static [Mail] {
        mails! {
            "payout_run_to_approve" on "payout_run.calculated" to [Approvers] in ["en", "de"];
            "payout_paid" on "payout.paid" to [Deciders] in ["en", "de"];
            "payout_failed" on "payout.failed" to [Deciders] in ["en"];
            "payout_to_mend" on "payout.failed" to [Finance] in ["en"];
        }
    }

    async fn concerned(&self, tx: &Tx, event: &Event) -> Result<Option<Concerned>> {
        match event {
            Event::PayoutRunCalculated { run_id } => {
                let row = payout_run::Entity::find_by_id(*run_id).one(tx).await?;
                Ok(row.map(|row| Concerned {
                    maker: Some(row.created_by),
                    ..Concerned::default()
                }))
            }
            Event::PayoutPaid { partner_id, .. } | Event::PayoutFailed { partner_id, .. } => {
                Ok(Some(Concerned::partner(*partner_id)))
            }
            _ => Ok(None),
        }
    }

    async fn facts(&self, view: &View<'_>, event: &Event) -> Result<Option<Value>> {
        match event {
            Event::PayoutRunCalculated { run_id } if view.own.is_none() => run(view, *run_id).await,
            Event::PayoutPaid { payout_id, .. } | Event::PayoutFailed { payout_id, .. } => {
                payout(view, *payout_id).await
            }
            _ => Ok(None),
        }
    }
}

async fn run(view: &View<'_>, id: PayoutRunId) -> Result<Option<Value>> {
    let Some(row) = payout_run::Entity::find_by_id(id).one(view.db).await? else {
        return Ok(None);
    };
    let creator = user::Entity::find_by_id(row.created_by)
        .one(view.db)
        .await?;
    let totals = run_totals(view.db, id).await?;
    Ok(Some(json!({
        "url": view.page("payout-runs", &id.text()),
        "run": {
            "number": row.number,
            "periodStart": row.period_start,
            "periodEnd": row.period_end,
            "creator": creator.map(|user| user.name),
            "payouts": totals.iter().map(|total| total.payouts).sum::<i64>(),
            "totals": totals.iter().map(|total| money(total.minor, total.currency)).collect::<Vec<_>>(),
        },
    })))
}

async fn payout(view: &View<'_>, id: PayoutId) -> Result<Option<Value>> {
    let row = payout::Entity::find_by_id(id).one(view.db).await?;
    let Some(row) = row.filter(|row| view.sees(row.partner_id)) else {
        return Ok(None);
    };
    Ok(Some(json!({
        "url": view.page("payouts", &id.text()),
        "partner": view.partner(row.partner_id).await?,
        "payout": {
            "number": row.number,
            "amount": money(row.amount_minor, row.currency),
            // The provider's words may name accounts; they are for those who mend the payment.
            "failure": row.failure.filter(|_| view.own.is_none()),
        },
    })))
}

/// What a payout run pays in one currency.
#[derive(Clone, Debug, FromQueryResult)]
struct RunTotal {
    /// The currency.
    currency: Currency,
    /// The sum in minor units.
    minor: i64,
    /// How many payments.
    payouts: i64,
}

/// What a payout run pays, by currency.
///
/// # Errors
/// The database failed.
async fn run_totals(db: &impl ConnectionTrait, run: PayoutRunId) -> Result<Vec<RunTotal>> {
    Ok(payout::Entity::find()
        .select_only()
        .column(payout::Column::Currency)
        .column_as(
            Expr::col(payout::Column::AmountMinor)
                .sum()
                .cast_as("BIGINT"),
            "minor",
        )
        .column_as(Expr::col(payout::Column::Id).count(), "payouts")
        .filter(payout::Column::RunId.eq(run))
        .group_by(payout::Column::Currency)
        .order_by_asc(payout::Column::Currency)
        .into_model::<RunTotal>()
        .all(db)
        .await?)
}
