//! Giving a payout run up before anybody approved it.

use sea_orm::ActiveEnum;

use super::{
    advance::PAYMENTS,
    jobs::Advance,
    refusal,
    status::{PayoutAction, RunAction},
    store,
};
use crate::{
    access::Action,
    entity::{
        ids::PayoutRunId,
        payout_run::{self, RunStatus},
    },
    error::Result,
    events::Event,
    platform::{sql::count, transition::StateMachine},
    tx::Tx,
};

/// Gives a run up: its commission lines are freed next, by a job if by nobody else. The run and its payments stay, as
/// cancelled.
///
/// Records [`Event::PayoutRunCancelled`].
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; `ILLEGAL_TRANSITION` once the run is approved or cancelled.
pub async fn cancel(tx: &Tx, run_id: PayoutRunId) -> Result<PayoutRunId> {
    tx.actor().may(Action::PayoutRunCreate)?;
    let run = store::lock_run(tx, run_id).await?;
    let status = run
        .status
        .apply(RunAction::Cancel)
        .map_err(refusal::illegal_move)?;
    store::move_run(tx, &run, status).await?;
    tx.enqueue(&Advance::new(run_id, RunStatus::Cancelling.to_value()))?;
    tx.record(Event::PayoutRunCancelled { run_id });
    Ok(run_id)
}

/// Frees the commission lines of the next payments of a run for the next one; says whether these were the last.
pub(super) async fn free_next(tx: &Tx, run: &payout_run::Model) -> Result<bool> {
    let payments = store::uncancelled(tx, run.id, PAYMENTS).await?;
    store::free_lines(tx, &payments).await?;
    store::move_payments(tx, &payments, PayoutAction::Cancel).await?;
    if count(payments.len()) == PAYMENTS {
        return Ok(false);
    }
    let status = run
        .status
        .apply(RunAction::Free)
        .map_err(refusal::illegal_move)?;
    store::move_run(tx, run, status).await?;
    Ok(true)
}
