//! The API of `notifications`: the operator's view of background work.

use async_graphql::{Context, ID, InputObject, Object};

use super::{replay, store};
use crate::{
    access::Action,
    connection,
    entity::{
        ids::JobId,
        job::{self, JobLane, JobStatus},
    },
    error::{Error, Result},
    graphql::{
        context::{self, ContextExt},
        errors::top_level,
        paging::{self, Direction, PageArgs, Sort},
        scalars::DateTime,
    },
    payload,
};

/// A background job.
#[derive(Clone, Debug)]
pub struct Job(pub job::Model);

/// A background job: finding the recipients of an event, sending one email, or the next step of a payout run. Visible to
/// administrators. Finished jobs are kept for a week; dead letters are kept until they succeed.
#[Object]
impl Job {
    /// The job's id, such as `job_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The kind of job: `event` (finding the recipients of a business event), `mail` (one email to one person),
    /// `payout.advance` (the next step of a payout run) or `payout.resume` (payments whose outcome is not yet
    /// known).
    fn topic(&self) -> &str {
        &self.0.topic
    }

    /// The lane the job waits in.
    fn lane(&self) -> JobLane {
        self.0.lane
    }

    /// Where it stands.
    fn status(&self) -> JobStatus {
        self.0.status
    }

    /// How often it was tried; 0 right after it was put back by `jobReplay`.
    fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// Why the last attempt failed: a fixed English sentence for each kind of failure. The cause is in the log
    /// under the job's ID. Null if no attempt has failed.
    fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    /// The id of the request that caused it; null for work that the server caused itself.
    fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// When the work came up.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it is or was to be tried next, unless a worker has it in hand.
    fn due_at(&self) -> DateTime {
        DateTime(self.0.run_at)
    }

    /// When it was done; null until then.
    fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }
}

impl Job {
    /// The job as it is after a commit.
    ///
    /// # Errors
    /// `NOT_FOUND` when it is gone; the database failed.
    async fn fresh(ctx: &Context<'_>, id: JobId) -> Result<Self> {
        store::job(ctx.db(), id)
            .await?
            .map(Self)
            .ok_or_else(|| Error::not_found("jobId"))
    }
}

connection!(JobConnection, JobEdge, Job);

/// Which background work. Conditions that are left out do not restrict; those given hold together.
#[derive(Clone, Debug, Default, InputObject)]
pub struct JobFilter {
    /// In one of these statuses; `[DEAD]` lists what was given up.
    status: Option<Vec<JobStatus>>,
    /// Of this topic, such as `mail`.
    topic: Option<String>,
}

/// Which job to try again.
#[derive(Clone, Debug, InputObject)]
pub struct JobReplayInput {
    /// The id of a dead letter.
    pub job_id: ID,
}

payload! {
    /// The result of `jobReplay`.
    JobReplayPayload {
        /// The job, which waits for its next attempt; null exactly when there are errors.
        job: Job
    }
}

/// Queries about background work.
#[derive(Default)]
pub struct NotificationQuery;

#[Object]
impl NotificationQuery {
    /// Background work, the newest first. For administrators.
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which; all when left out.")] filter: Option<JobFilter>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many; 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "The last so many; at most 100. Either this or `first`.")] last: Option<
            i32,
        >,
    ) -> async_graphql::Result<JobConnection> {
        ctx.may(Action::JobManage)?;
        let filter = filter.unwrap_or_default();
        let sort = Sort {
            column: None,
            id: job::Column::Id,
            direction: Direction::Desc,
        };
        let page = paging::page(
            ctx,
            ctx.db(),
            store::jobs(filter.status.as_deref(), filter.topic.as_deref()),
            sort,
            PageArgs {
                after,
                before,
                first,
                last,
            },
        )
        .await;
        Ok(JobConnection::of(page.map_err(top_level)?, Job))
    }
}

/// Changes to background work.
#[derive(Default)]
pub struct NotificationMutation;

#[Object]
impl NotificationMutation {
    /// Lets a dead letter be tried again, with all its attempts. For administrators. Refuses with `NOT_FOUND` for an
    /// unknown job and `ILLEGAL_TRANSITION` for one that was not given up.
    async fn job_replay(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which job.")] input: JobReplayInput,
    ) -> async_graphql::Result<JobReplayPayload> {
        let result = async {
            let id = context::id(&input.job_id);
            let id = ctx
                .write("jobReplay", move |tx| Box::pin(replay::replay(tx, id)))
                .await?;
            Job::fresh(ctx, id).await
        }
        .await;
        JobReplayPayload::of(result)
    }
}
