//! Money goes back to the customer of a won deal, in parts or as a whole.

use chrono::{DateTime, Utc};
use sea_orm::IntoActiveModel;

use super::{
    input::{self, Amount},
    refusal,
};
use crate::{
    access::{Action, Held},
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
pub async fn refund(tx: &Tx, command: Refund) -> Result<(Held<deal::Entity>, deal_refund::Model)> {
    let deal = tx
        .load::<deal::Entity>(command.deal, Action::DealRefund)
        .await?;
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
    let deal = take_back(tx, &deal, amount).await?;

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
    tx.insert(row.clone().into_active_model()).await?;
    tx.record(Event::DealRefunded {
        deal_id: deal.id,
        refund_id: row.id,
    });
    Ok((deal, row))
}

/// Adds to what was refunded, unless that would exceed the value.
async fn take_back(
    tx: &Tx,
    deal: &Held<deal::Entity>,
    amount: Money,
) -> Result<Held<deal::Entity>> {
    let left = deal.value_minor - deal.refunded_minor;
    if amount.minor() > left {
        let left = deal.currency.decimal(left);
        return Err(Refusal::input(
            "amount.amount",
            format!("must be at most {left}, the deal's remaining value"),
        )
        .into());
    }
    tx.save(deal, |row| row.refunded_minor += amount.minor())
        .await
}
