//! What happens by itself: a run that is calculated or given up, one that is executed, and a payment that is tried
//! again, are brought to their end.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    advance::{self, Step},
    execute, provider, store,
};
use crate::{
    app::App,
    entity::ids::{PayoutId, PayoutRunId},
    error::{Code, Refusal, Result},
    platform::jobs::{self, Job, NewJob},
    tx::Call,
};

/// The topic of jobs that bring runs to where a person decides.
pub const ADVANCE: &str = "payout.advance";

/// The topic of jobs that bring payments to their end.
pub const RESUME: &str = "payout.resume";

#[derive(Debug, Serialize, Deserialize)]
struct Advance {
    run: PayoutRunId,
}

#[derive(Debug, Serialize, Deserialize)]
struct Resume {
    run: PayoutRunId,
    only: Option<PayoutId>,
}

/// A job for the next step of a run; `cause` tells it from the other steps.
pub(super) fn advance(run: PayoutRunId, cause: &str) -> NewJob {
    NewJob {
        topic: ADVANCE,
        payload: json!({ "run": run }),
        dedupe_key: Some(format!("{ADVANCE}:{run}:{cause}")),
    }
}

/// A job for a run that is executed, or for one payment of it in the attempt that starts with a version of it.
pub(super) fn resume(run: PayoutRunId, retried: Option<(PayoutId, i64)>) -> NewJob {
    let attempt = retried.map_or_else(String::new, |(payout, version)| {
        format!(":{payout}:{version}")
    });
    let only = retried.map(|(payout, _)| payout);
    NewJob {
        topic: RESUME,
        payload: json!({ "run": run, "only": only }),
        dedupe_key: Some(format!("{RESUME}:{run}{attempt}")),
    }
}

/// Takes a step of calculating, freeing or approving a run, and leaves the next one to a job of its own: other work has its turn
/// between them, and a step that succeeds takes nothing from the attempts of the next.
///
/// # Errors
/// The database failed, somebody else takes steps, or commission is booked just now: the job is tried again later.
pub async fn advance_run(app: &App, job: &Job) -> Result<()> {
    let Advance { run } = serde_json::from_value(job.payload.clone())?;
    let job = job.clone();
    app.write(advance::call(), move |tx| {
        let job = job.clone();
        Box::pin(async move {
            match advance::step(tx, run).await? {
                Step::Busy => {
                    let busy = "Somebody else is calculating.";
                    return Err(Refusal::new(Code::RetryLater, busy).into());
                }
                Step::Taken => tx.enqueue(advance(run, &job.id.to_string())),
                Step::Last => {}
            }
            jobs::finish(tx, &job).await.map(|_| ())
        })
    })
    .await
}

/// Why a job is tried again whose payments have no outcome yet.
pub const STILL_OPEN: &str = "Payments of this run are still open: their file could not be written, or the provider has not answered.";

/// Asks the provider about what is open and settles its answers; the job is done when nothing is open. Says whether it is
/// done.
///
/// # Errors
/// The database failed: the job is tried again later.
pub async fn work(app: &App, job: &Job) -> Result<bool> {
    let payload: Resume = serde_json::from_value(job.payload.clone())?;
    let provider = provider::configured(app);
    execute::go_on(
        app,
        &Call::system("payoutResume"),
        &provider,
        payload.run,
        payload.only,
    )
    .await?;
    let db = app.db().reading();
    if store::has_open_payments(&db, payload.run, payload.only).await?
        || payload.only.is_none() && store::has_payments_to_start(&db, payload.run).await?
    {
        return Ok(false);
    }
    let settled = job.clone();
    app.write(Call::system("jobFinish"), move |tx| {
        let job = settled.clone();
        Box::pin(async move { jobs::finish(tx, &job).await.map(|_| true) })
    })
    .await
}
