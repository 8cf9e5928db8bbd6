//! What a kind of background job declares.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};

use super::queue::{self, Job};
use crate::{
    access::Actor,
    app::App,
    entity::job::JobLane,
    error::{Code, Error, Result},
    tx::{Call, Tx, Work},
};

/// Which of the due jobs of a lane runs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A person is waiting for it.
    High,
    /// The default.
    Normal,
    /// High volume, and nobody is waiting for it.
    Low,
}

impl Priority {
    /// The stored value: lower runs first.
    #[must_use]
    pub const fn rank(self) -> i32 {
        match self {
            Self::High => 0,
            Self::Normal => 1,
            Self::Low => 2,
        }
    }
}

/// A kind of background job. Its value is the payload, which holds ids only; fields that are added later need a default,
/// because older jobs may still be waiting.
pub trait BackgroundJob: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the kind, shown in metrics and in the API.
    const TOPIC: &'static str;
    /// The lane that it waits in.
    const LANE: JobLane;

    /// Which of the due jobs of its lane runs first.
    fn priority(&self) -> Priority {
        Priority::Normal
    }

    /// A job with the same key is enqueued once.
    fn key(&self) -> Option<String> {
        None
    }

    /// Does the work. It may run more than once: after a crash, and after a failure.
    fn run(self, app: &App, job: &Job) -> impl Future<Output = Result<Settled, Failure>> + Send;

    /// Runs in the unit of work that makes the job a dead letter, which it becomes in any case.
    fn given_up(self, tx: &Tx) -> impl Future<Output = Result<()>> + Send {
        let _ = tx;
        async { Ok(()) }
    }
}

/// The proof that a run settled its job, or found that it no longer holds it.
#[derive(Debug, PartialEq, Eq)]
pub struct Settled(());

/// Why a job did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What administrators see: a fixed sentence for each kind of failure.
    pub told: &'static str,
    /// Further details, for the log only.
    pub cause: Option<String>,
    /// Whether another attempt is pointless.
    pub permanent: bool,
}

impl Failure {
    /// An unexpected error.
    pub const INTERNAL: &'static str = "Internal error. The log has the cause under this job's ID.";
    /// The database was busy or unavailable.
    pub const UNAVAILABLE: &'static str = "The database was busy or unavailable.";
    /// The payload does not match this kind.
    pub const UNREADABLE: &'static str = "The payload of this job cannot be read.";
    /// The registry does not have this topic.
    pub const UNKNOWN: &'static str = "This version of the server does not support this topic.";
    /// The process stopped during every attempt.
    pub const ABANDONED: &'static str = "The worker stopped during every attempt.";

    /// A permanent failure: another attempt would fail too.
    #[must_use]
    pub const fn permanent(told: &'static str) -> Self {
        Self {
            told,
            cause: None,
            permanent: true,
        }
    }

    /// A temporary failure.
    #[must_use]
    pub const fn transient(told: &'static str) -> Self {
        Self {
            told,
            cause: None,
            permanent: false,
        }
    }

    /// Adds details for the log.
    #[must_use]
    pub fn because(self, cause: impl ToString) -> Self {
        Self {
            cause: Some(cause.to_string()),
            ..self
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let told = match error.code() {
            Code::RetryLater | Code::Timeout => Self::UNAVAILABLE,
            _ => Self::INTERNAL,
        };
        Self::transient(told).because(error)
    }
}

impl Job {
    /// A unit of work of this job, under the request that caused it.
    #[must_use]
    pub fn call(&self, name: &'static str) -> Call {
        Call {
            name,
            actor: Actor::System,
            request_id: self.request_id.clone(),
        }
    }

    /// Finishes the job and runs its last unit of work atomically. Does neither if the lease was lost.
    ///
    /// # Errors
    /// Those of the body; the database failed.
    pub async fn finish_with<F>(
        &self,
        app: &App,
        name: &'static str,
        body: F,
    ) -> Result<Settled, Failure>
    where
        F: for<'t> Fn(&'t Tx) -> Work<'t, ()> + Send + Sync + 'static,
    {
        let (claimed, body) = (self.clone(), Arc::new(body));
        let held = app
            .write(self.call(name), move |tx| {
                let (claimed, body) = (claimed.clone(), Arc::clone(&body));
                Box::pin(async move {
                    let held = queue::finish(tx, &claimed).await?;
                    if held {
                        body(tx).await?;
                    }
                    Ok(held)
                })
            })
            .await?;
        Ok(if held { Settled(()) } else { self.lost() })
    }

    /// Finishes the job, whose work is done.
    ///
    /// # Errors
    /// The database failed.
    pub async fn finish(&self, app: &App, name: &'static str) -> Result<Settled, Failure> {
        self.finish_with(app, name, |_| Box::pin(async { Ok(()) }))
            .await
    }

    /// The lease was lost: the worker that now holds the job settles it.
    #[must_use]
    pub fn lost(&self) -> Settled {
        tracing::warn!(job = %self.id, topic = self.topic, "the lease of a job was lost");
        Settled(())
    }

    fn read<J: BackgroundJob>(&self) -> Result<J, Failure> {
        serde_json::from_value(self.payload.clone())
            .map_err(|fault| Failure::permanent(Failure::UNREADABLE).because(fault))
    }
}

/// A kind of background job, as the registry lists it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name.
    pub topic: &'static str,
    /// The lane that its jobs wait in.
    pub lane: JobLane,
    run: for<'j> fn(&'j App, &'j Job) -> BoxFuture<'j, Result<Settled, Failure>>,
    given_up: for<'j> fn(&'j Tx, &'j Job) -> Work<'j, ()>,
}

impl Kind {
    /// The kind whose payload is `J`.
    #[must_use]
    pub const fn of<J: BackgroundJob>() -> Self {
        Self {
            topic: J::TOPIC,
            lane: J::LANE,
            run: |app, job| Box::pin(async move { job.read::<J>()?.run(app, job).await }),
            given_up: |tx, job| {
                Box::pin(async move {
                    match job.read::<J>() {
                        Ok(payload) => payload.given_up(tx).await,
                        Err(_) => Ok(()),
                    }
                })
            },
        }
    }

    /// Does the work of a claimed job.
    ///
    /// # Errors
    /// The job failed, temporarily or permanently.
    pub async fn run(&self, app: &App, job: &Job) -> Result<Settled, Failure> {
        (self.run)(app, job).await
    }

    /// Runs the follow-up of a job becoming a dead letter.
    ///
    /// # Errors
    /// The database failed.
    pub async fn given_up(&self, tx: &Tx, job: &Job) -> Result<()> {
        (self.given_up)(tx, job).await
    }
}
