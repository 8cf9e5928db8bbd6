//! What happens by itself: a started run, or a payment that is tried again, is brought to its end.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{execute, provider, store};
use crate::{
    app::App,
    entity::ids::{PayoutId, PayoutRunId},
    error::{Error, Result},
    platform::jobs::{self, Job, NewJob},
    tx::Call,
};

/// The topic of jobs that bring payments to their end.
pub const RESUME: &str = "payout.resume";

#[derive(Debug, Serialize, Deserialize)]
struct Resume {
    run: PayoutRunId,
    only: Option<PayoutId>,
}

/// A job for a run, or for one payment of it in the attempt that starts with a version of it.
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

/// Asks the provider about what is open and settles its answers; the job is done when nothing is open.
///
/// # Errors
/// The database failed, or an outcome is still unknown: the job is tried again later.
pub async fn work(app: &App, job: &Job) -> Result<()> {
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
    if store::has_open_payments(app.db().reader(), payload.run, payload.only).await? {
        return Err(Error::internal("the outcome of a payment is still unknown"));
    }
    let settled = job.clone();
    app.write(Call::system("jobFinish"), move |tx| {
        let job = settled.clone();
        Box::pin(async move { jobs::finish(tx, &job).await.map(|_| ()) })
    })
    .await
}
