//! Giving a payout run up before anybody approved it.

use super::{
    refusal,
    status::{PayoutAction, RunAction},
    store,
};
use crate::{
    entity::ids::PayoutRunId, error::Result, events::Event, identity::Action,
    platform::transition::StateMachine, tx::Tx,
};

/// Frees the commission lines of a run for the next one. The run and its payments stay, as cancelled.
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
    store::move_payments(tx, run_id, PayoutAction::Cancel).await?;
    store::free_lines(tx, run_id).await?;
    tx.record(Event::PayoutRunCancelled { run_id });
    Ok(run_id)
}
