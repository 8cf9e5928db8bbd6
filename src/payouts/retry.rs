//! Trying a failed payment again.

use std::sync::Arc;

use super::{execute, jobs::Resume, provider, refusal, status::PayoutAction, store};
use crate::{
    access::Action,
    app::App,
    entity::{
        ids::{PaymentDetailsId, PayoutId, PayoutRunId},
        payout,
    },
    error::{Code, Error, Refusal, Result},
    events::Event,
    partners::payment,
    platform::transition::StateMachine,
    tx::{Call, Tx},
};

/// A failed payment to be tried again.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Which payment.
    pub payout: PayoutId,
    /// Whether it goes to the account that its partner has now; else to the one that was approved.
    pub to_current_account: bool,
}

/// Hands a failed payment over again, as another attempt: the same payment, with the same lines and amount, to the same
/// account unless whoever retries it says otherwise. Its run is completed when no failed payment is left.
///
/// Records [`Event::PayoutRetried`].
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; `ILLEGAL_TRANSITION` unless the payment failed; for the account of now, `NOT_ELIGIBLE` when the
/// partner has none and `SAME_PERSON` for whoever set it.
pub async fn start(tx: &Tx, command: Retry, provider: &'static str) -> Result<PayoutRunId> {
    tx.actor().may(Action::PayoutRunExecute)?;
    let payout_id = command.payout;
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
    let account = if command.to_current_account {
        Some(current_account(tx, payment).await?)
    } else {
        payment.payment_details_id
    };
    let before = payment.payment_details_id;
    let payment = store::retry_payment(tx, payment, provider, status, account).await?;
    execute::post_start(tx, std::slice::from_ref(&payment)).await?;
    tx.enqueue(&Resume::one(run_id, payout_id, payment.version))?;
    tx.record(Event::PayoutRetried {
        payout_id,
        partner_id: payment.partner_id,
        from_details_id: before,
        to_details_id: payment.payment_details_id,
    });
    Ok(run_id)
}

async fn current_account(tx: &Tx, failed: &payout::Model) -> Result<PaymentDetailsId> {
    let Some(details) = payment::current(tx, failed.partner_id).await? else {
        let none = "The partner has no payment details.";
        return Err(Refusal::new(Code::NotEligible, none).at("payoutId").into());
    };
    if Some(details.set_by) == tx.actor().user_id() {
        let own = "Somebody else must send money to an account that you set.";
        return Err(Refusal::new(Code::SamePerson, own).into());
    }
    Ok(details.id)
}

/// Starts the new attempt and settles what the provider answers at once. What stays open is settled by the job.
///
/// # Errors
/// As [`start`]; the database failed.
pub async fn retry(app: &App, call: Call, command: Retry) -> Result<PayoutId> {
    let provider: Arc<dyn provider::PayoutProvider> = provider::configured(app);
    let name = provider.name();
    let run_id = app
        .write(call.clone(), move |tx| Box::pin(start(tx, command, name)))
        .await?;
    execute::go_on(app, &call, &provider, run_id, Some(command.payout)).await?;
    Ok(command.payout)
}
