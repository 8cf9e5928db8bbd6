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
    /// A person waits for it.
    High,
    /// The usual.
    Normal,
    /// It comes by the thousand, and no one waits for it.
    Low,
}

impl Priority {
    /// As it is stored: lower runs first.
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
    /// The name of the kind: a label of metrics, and what the API shows.
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

    /// What happens in the unit of work that gives it up. The job becomes a dead letter in any case.
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
    /// What administrators read: one sentence per kind of failure, which cannot quote anything.
    pub told: &'static str,
    /// What the log says beyond that.
    pub cause: Option<String>,
    /// Whether another attempt is of no use.
    pub permanent: bool,
}

impl Failure {
    /// An unexpected error.
    pub const INTERNAL: &'static str = "Internal error. The log has the cause under this job's ID.";
    /// The database could not do the work at that time.
    pub const UNAVAILABLE: &'static str = "The database was busy or unavailable.";
    /// The payload is none of this kind.
    pub const UNREADABLE: &'static str = "The payload of this job cannot be read.";
    /// The topic is none that the registry knows.
    pub const UNKNOWN: &'static str = "This version of the server does not support this topic.";
    /// Every attempt ended with its process.
    pub const ABANDONED: &'static str = "The worker stopped during every attempt.";

    /// A failure that another attempt does not mend.
    #[must_use]
    pub const fn permanent(told: &'static str) -> Self {
        Self {
            told,
            cause: None,
            permanent: true,
        }
    }

    /// A failure that may pass.
    #[must_use]
    pub const fn transient(told: &'static str) -> Self {
        Self {
            told,
            cause: None,
            permanent: false,
        }
    }

    /// The same with what only the log says.
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

    /// Finishes the job and does its last unit of work, both or neither. Neither is done when the lease was lost.
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

    /// The lease was lost: the worker that holds the job now settles it.
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
    /// It failed, for now or for good.
    pub async fn run(&self, app: &App, job: &Job) -> Result<Settled, Failure> {
        (self.run)(app, job).await
    }

    /// Does what follows from giving a job up.
    ///
    /// # Errors
    /// The database failed.
    pub async fn given_up(&self, tx: &Tx, job: &Job) -> Result<()> {
        (self.given_up)(tx, job).await
    }
}
