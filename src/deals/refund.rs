//! Money goes back to the customer of a won deal, in parts or as a whole.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr,
};

use super::{
    input::{self, Amount},
    refusal, store,
};
use crate::{
    access::Action,
    entity::{
        deal::{self, SalesStatus},
        deal_refund,
        ids::DealId,
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    platform::money::Money,
    tx::Tx,
};

/// Money returned to a customer.
#[derive(Clone, Debug)]
pub struct Refund {
    /// Which deal.
    pub deal: DealId,
    /// How much.
    pub amount: Amount,
    /// Why.
    pub reason: String,
    /// When; now when left out.
    pub refunded_at: Option<DateTime<Utc>>,
}

/// Notes a refund; all refunds of a deal together are at most its value. Returns the deal as it then is, and the refund;
/// the commission that is taken back follows in [`crate::outcomes::refund`].
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND`; `ILLEGAL_TRANSITION` unless the deal is won; `REASON_REQUIRED`; `BAD_USER_INPUT` with every
/// fault at its field, an amount above what is left among them. Records `deal.refunded`.
pub async fn refund(tx: &Tx, command: Refund) -> Result<(deal::Model, deal_refund::Model)> {
    tx.actor().may(Action::DealRefund)?;
    let deal = store::lock_deal(tx, command.deal, "dealId").await?;
    let Some(closed_at) = deal.closed_at.filter(|_| deal.status == SalesStatus::Won) else {
        return Err(refusal::illegal_move("Only a won deal can be refunded."));
    };
    if command.reason.trim().is_empty() {
        return Err(
            Refusal::new(Code::ReasonRequired, "A refund needs a reason.")
                .at("reason")
                .into(),
        );
    }
    let refunded_at = command.refunded_at.unwrap_or_else(|| tx.now());
    let mut faults = Faults::default();
    let reason = faults.text("reason", &command.reason, 1_000);
    input::happened(&mut faults, "refundedAt", refunded_at, closed_at, tx.now());
    let amount = command.amount.read(&mut faults, "amount");
    if amount.is_some_and(|amount| amount.currency() != deal.currency) {
        faults.add(
            "amount.currency",
            format!("must be {}, the currency of the deal", deal.currency),
        );
    }
    faults.check()?;
    let amount = amount.ok_or_else(|| Error::internal("a missing amount was not noted"))?;
    take_back(tx, &deal, amount).await?;

    let row = deal_refund::Model {
        id: tx.id(),
        deal_id: deal.id,
        amount_minor: amount.minor(),
        currency: amount.currency(),
        reason,
        refunded_at,
        actor_id: tx.actor().user_id(),
        created_at: tx.now(),
    };
    tx.insert(insertable(&row)).await?;
    tx.record(Event::DealRefunded {
        deal_id: deal.id,
        refund_id: row.id,
    });
    Ok((store::lock_deal(tx, deal.id, "dealId").await?, row))
}

/// Adds to what was refunded, unless that would exceed the value.
async fn take_back(tx: &Tx, deal: &deal::Model, amount: Money) -> Result<()> {
    let total = Expr::col(deal::Column::RefundedMinor).add(amount.minor());
    let updated = deal::Entity::update_many()
        .col_expr(deal::Column::RefundedMinor, total.clone())
        .col_expr(
            deal::Column::Version,
            Expr::col(deal::Column::Version).add(1),
        )
        .col_expr(deal::Column::UpdatedAt, Expr::value(tx.now()))
        .filter(deal::Column::Id.eq(deal.id))
        .filter(deal::Column::Status.eq(SalesStatus::Won))
        .filter(total.lte(Expr::col(deal::Column::ValueMinor)))
        .exec(tx)
        .await?;
    if updated.rows_affected == 1 {
        return Ok(());
    }
    let left = deal
        .currency
        .decimal(deal.value_minor - deal.refunded_minor);
    Err(Refusal::input(
        "amount.amount",
        format!("must be at most {left}, which is what is left of the deal"),
    )
    .into())
}

fn insertable(row: &deal_refund::Model) -> deal_refund::ActiveModel {
    deal_refund::ActiveModel {
        id: Set(row.id),
        deal_id: Set(row.deal_id),
        amount_minor: Set(row.amount_minor),
        currency: Set(row.currency),
        reason: Set(row.reason.clone()),
        refunded_at: Set(row.refunded_at),
        actor_id: Set(row.actor_id),
        created_at: Set(row.created_at),
    }
}
