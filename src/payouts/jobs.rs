//! Background jobs that complete a run being calculated, cancelled or executed, and a payment being retried.

use serde::{Deserialize, Serialize};

use super::{
    advance::{self, Step},
    execute, provider, store,
};
use crate::{
    app::App,
    entity::{
        ids::{PayoutId, PayoutRunId},
        job::JobLane,
    },
    error::{Code, Refusal, Result},
    platform::jobs::{BackgroundJob, Failure, Job, Settled},
};

/// The next step towards the point where a person decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advance {
    run: PayoutRunId,
    /// What distinguishes this step from the other steps of the run.
    #[serde(default)]
    cause: String,
}

impl Advance {
    pub(super) const fn new(run: PayoutRunId, cause: String) -> Self {
        Self { run, cause }
    }
}

impl BackgroundJob for Advance {
    const TOPIC: &'static str = "payout.advance";
    const LANE: JobLane = JobLane::Money;

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}:{}", Self::TOPIC, self.run, self.cause))
    }

    /// Runs one step of calculating, releasing or approving a run; the next step is a separate job. Other work can run
    /// in between, and each step has its own attempts.
    async fn run(self, app: &App, job: &Job) -> Result<Settled, Failure> {
        let (run, id) = (self.run, job.id);
        job.finish_with(app, advance::STEP, move |tx| {
            Box::pin(async move {
                match advance::step(tx, run).await? {
                    Step::Busy => {
                        let busy = "Another process is calculating runs of this program.";
                        Err(Refusal::new(Code::RetryLater, busy).into())
                    }
                    Step::Taken => tx.enqueue(&Self::new(run, id.to_string())),
                    Step::Last => Ok(()),
                }
            })
        })
        .await
    }
}

/// Payments to complete: those of an executed run, or a single retried one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resume {
    run: PayoutRunId,
    only: Option<PayoutId>,
    /// The version of the payment that its attempt starts with.
    #[serde(default)]
    version: Option<i64>,
}

impl Resume {
    pub(super) const fn all(run: PayoutRunId) -> Self {
        Self {
            run,
            only: None,
            version: None,
        }
    }

    pub(super) const fn one(run: PayoutRunId, payout: PayoutId, version: i64) -> Self {
        Self {
            run,
            only: Some(payout),
            version: Some(version),
        }
    }
}

/// Why a job is tried again whose payments have no outcome yet.
const STILL_OPEN: &str = "Payments of this run are still open: their file could not be written, or the provider has not answered.";

impl BackgroundJob for Resume {
    const TOPIC: &'static str = "payout.resume";
    const LANE: JobLane = JobLane::Money;

    fn key(&self) -> Option<String> {
        let attempt = self.only.zip(self.version);
        let attempt = attempt.map(|(payout, version)| format!(":{payout}:{version}"));
        Some(format!(
            "{}:{}{}",
            Self::TOPIC,
            self.run,
            attempt.unwrap_or_default()
        ))
    }

    /// Asks the provider about open payments and settles the answers; the job is done when none is open.
    async fn run(self, app: &App, job: &Job) -> Result<Settled, Failure> {
        let provider = provider::configured(app);
        let call = job.call("payoutResume");
        execute::go_on(app, &call, &provider, self.run, self.only).await?;
        let db = app.db().reading();
        let open = store::has_open_payments(&db, self.run, self.only).await?
            || self.only.is_none() && store::has_payments_to_start(&db, self.run).await?;
        if open {
            return Err(Failure::transient(STILL_OPEN));
        }
        job.finish(app, "jobFinish").await
    }
}
