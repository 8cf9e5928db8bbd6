//! Bringing a run to where a person or the provider decides: a run of tens of thousands of partners is calculated, freed
//! when it is given up, and its payments approved in units of work that leave room for others. Whoever asked waits a little; a
//! job goes on without him.
//!
//! Of one programme, runs that are calculated or freed wait for each other in the order of their creation, so that each
//! finds what the ones before it left: whoever brings his own on brings theirs on first. The payments of an approved run
//! are its own, so nobody waits for them. It is the server that takes the steps, for whomever.

use std::time::Duration;

use super::{approve, calculate, cancel, store};
use crate::{
    app::App,
    entity::{ids::PayoutRunId, payout_run::RunStatus},
    error::{Code, Error, Result},
    tx::{Call, Tx},
};

/// Payments of one unit of work that frees, approves or starts them.
pub(super) const PAYMENTS: u64 = 200;

/// How long somebody who is not alone waits before he looks again.
const PAUSE: Duration = Duration::from_millis(200);

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The run is where a person or the provider decides.
    Last,
    /// It needs another step.
    Taken,
    /// Somebody else is taking one.
    Busy,
}

/// The name of a step as a unit of work.
pub(super) const STEP: &str = "payoutRunAdvance";

/// Takes the next step of a run: approves the next payments of an approved one, or else goes on with the oldest run of its
/// programme that is being calculated or freed.
///
/// # Errors
/// `NOT_FOUND`; `RETRY_LATER` when commission was booked for one of the partners meanwhile.
pub async fn step(tx: &Tx, run_id: PayoutRunId) -> Result<Step> {
    let run = store::run(tx, run_id).await?;
    let run = run.ok_or_else(|| Error::not_found("payoutRunId"))?;
    if !run.status.is_under_way() {
        return approve_next(tx, run_id).await;
    }
    if !store::lock_program_unless_held(tx, run.program_id).await? {
        return Ok(Step::Busy);
    }
    let under_way = store::lock_under_way(tx, run.program_id).await?;
    if under_way.iter().all(|run| run.id != run_id) {
        return Ok(Step::Last);
    }
    let Some(oldest) = under_way.first() else {
        return Ok(Step::Last);
    };
    let is_last = match oldest.status {
        RunStatus::Cancelling => cancel::free_next(tx, oldest).await?,
        _ => calculate::next(tx, oldest).await?,
    };
    Ok(if is_last && oldest.id == run_id {
        Step::Last
    } else {
        Step::Taken
    })
}

async fn approve_next(tx: &Tx, run_id: PayoutRunId) -> Result<Step> {
    let run = store::lock_run(tx, run_id).await?;
    let is_last = match run.status {
        RunStatus::Approved | RunStatus::Executing => approve::next(tx, run_id).await?,
        _ => true,
    };
    Ok(if is_last { Step::Last } else { Step::Taken })
}

/// Takes steps until a run is where a person or the provider decides, or the server stops; does nothing where nothing is left to do. May
/// be repeated and run beside itself.
///
/// # Errors
/// The database failed; the steps before the one that failed stay done.
pub async fn go_on(app: &App, run_id: PayoutRunId) -> Result<()> {
    while !app.tasks().is_closed() {
        let stepped = app.write(Call::system(STEP), move |tx| Box::pin(step(tx, run_id)));
        match stepped.await {
            Ok(Step::Last) => return Ok(()),
            Ok(Step::Taken) => {}
            Ok(Step::Busy) => tokio::time::sleep(PAUSE).await,
            Err(error) if error.code() == Code::RetryLater => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
