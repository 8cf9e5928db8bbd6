//! Bringing a run to where a person decides: a run of tens of thousands of partners is calculated, and freed when it is
//! given up, in units of work that leave room for others. Whoever asked waits a little; a job goes on without him.
//!
//! The runs of one programme wait for each other in the order of their creation, so that each finds what the ones
//! before it left: whoever brings his own on brings theirs on first.

use super::{RunStatus, calculate, cancel, store};
use crate::{
    app::App,
    entity::ids::PayoutRunId,
    error::{Error, Result},
    identity::Action,
    tx::{Call, Tx},
};

/// Takes the next step of the oldest run of a programme that is being calculated or freed; says whether the run that was
/// asked for needs another one.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; `RETRY_LATER` when commission was booked for one of its partners meanwhile.
pub async fn step(tx: &Tx, run_id: PayoutRunId) -> Result<bool> {
    tx.actor().may(Action::PayoutRunCreate)?;
    let run = store::run(tx, run_id).await?;
    let program_id = run
        .map(|run| run.program_id)
        .ok_or_else(|| Error::not_found("payoutRunId"))?;
    store::lock_program(tx, program_id).await?;
    let unfinished = store::lock_unfinished(tx, program_id).await?;
    let Some(next) = unfinished
        .first()
        .filter(|_| unfinished.iter().any(|run| run.id == run_id))
    else {
        return Ok(false);
    };
    if next.status == RunStatus::Cancelling {
        cancel::free_next(tx, next).await?;
    } else {
        calculate::next(tx, next).await?;
    }
    Ok(true)
}

/// Takes steps until a run is calculated, or free. Does nothing where nothing is left to do; may be repeated and run
/// beside itself.
///
/// # Errors
/// The database failed, or `RETRY_LATER` as commission was booked meanwhile; the steps before the one that failed stay
/// done.
pub async fn go_on(app: &App, call: &Call, run_id: PayoutRunId) -> Result<()> {
    while app
        .write(call.clone(), move |tx| Box::pin(step(tx, run_id)))
        .await?
    {}
    Ok(())
}
