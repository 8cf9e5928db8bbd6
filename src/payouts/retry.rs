//! Trying a failed payment again.

use std::sync::Arc;

use super::{execute, provider, refusal, status::PayoutAction, store};
use crate::{
    app::App,
    entity::ids::{PayoutId, PayoutRunId},
    error::{Error, Result},
    events::Event,
    identity::Action,
    platform::transition::StateMachine,
    tx::{Call, Tx},
};

/// Hands a failed payment over again: the same payment, with the same lines, amount and key. Its run is completed when
/// no failed payment is left.
///
/// Records [`Event::PayoutRetried`].
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; `ILLEGAL_TRANSITION` unless the payment failed.
pub async fn start(tx: &Tx, payout_id: PayoutId, provider: &'static str) -> Result<PayoutRunId> {
    tx.actor().may(Action::PayoutRunExecute)?;
    let found = store::payments(tx, &[payout_id]).await?;
    let run_id = found
        .first()
        .map(|payment| payment.run_id)
        .ok_or_else(|| Error::not_found("payoutId"))?;
    // The run is locked first, as everywhere, and the payment read again under that lock.
    store::lock_run(tx, run_id).await?;
    let found = store::payments(tx, &[payout_id]).await?;
    let payment = found.first().ok_or_else(|| Error::not_found("payoutId"))?;
    let status = payment
        .status
        .apply(PayoutAction::Retry)
        .map_err(refusal::illegal_move)?;
    let payment = store::retry_payment(tx, payment, provider, status).await?;
    execute::post_start(tx, std::slice::from_ref(&payment)).await?;
    tx.enqueue(super::jobs::resume(
        run_id,
        Some((payout_id, payment.version)),
    ));
    tx.record(Event::PayoutRetried {
        payout_id,
        partner_id: payment.partner_id,
    });
    Ok(run_id)
}

/// Starts the new attempt and settles what the provider answers at once. What stays open is settled by the job.
///
/// # Errors
/// As [`start`]; the database failed.
pub async fn retry(app: &App, call: Call, payout_id: PayoutId) -> Result<PayoutId> {
    let provider: Arc<dyn provider::PayoutProvider> = provider::configured(app);
    let name = provider.name();
    let run_id = app
        .write(call.clone(), move |tx| Box::pin(start(tx, payout_id, name)))
        .await?;
    execute::go_on(app, &call, &provider, run_id, Some(payout_id)).await?;
    Ok(payout_id)
}
