//! The API of `notifications`: the operator's view of background work that was given up.

use async_graphql::{Context, ID, InputObject, Object};

use super::{replay, store};
use crate::{
    connection,
    entity::{ids::JobId, job},
    error::{Error, Result},
    graphql::{
        context::{self, ContextExt},
        errors::top_level,
        paging::{self, Direction, PageArgs, Sort},
        scalars::DateTime,
    },
    identity::Action,
    payload,
};

/// Background work, such as one mail, that was given up after its last attempt or a final refusal. It stays until an
/// operator lets it be tried again. Seen by administrators.
#[derive(Clone, Debug)]
pub struct DeadLetter(pub job::Model);

/// Background work, such as one mail, that was given up after its last attempt or a final refusal. It stays until an
/// operator lets it be tried again. Seen by administrators.
#[Object]
impl DeadLetter {
    /// The job's id, such as `job_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What kind of work: `event` (telling those concerned by a business event) or `mail` (one mail to one person).
    async fn topic(&self) -> &str {
        &self.0.topic
    }

    /// How often it was tried; 0 right after it was put back by `jobReplay`.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// Why the last attempt failed, in English. It names no person and no address. Null when no attempt was reported.
    async fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    /// When the work came up.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

impl DeadLetter {
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

connection!(DeadLetterConnection, DeadLetterEdge, DeadLetter);

/// Which job to try again.
#[derive(Clone, Debug, InputObject)]
pub struct JobReplayInput {
    /// The id of a dead letter.
    pub job_id: ID,
}

payload! {
    /// The result of `jobReplay`.
    JobReplayPayload {
        /// The job, which waits for its next attempt and is no longer listed; null exactly when there are errors.
        dead_letter: DeadLetter
    }
}

/// Queries about background work.
#[derive(Default)]
pub struct NotificationQuery;

#[Object]
impl NotificationQuery {
    /// Background work that was given up, the oldest first. For administrators.
    async fn dead_letters(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many; 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "The last so many; at most 100. Either this or `first`.")] last: Option<
            i32,
        >,
    ) -> async_graphql::Result<DeadLetterConnection> {
        ctx.may(Action::JobManage)?;
        let sort = Sort {
            column: None,
            id: job::Column::Id,
            direction: Direction::Asc,
        };
        let page = paging::page(
            ctx,
            ctx.db(),
            store::dead_letters(),
            sort,
            PageArgs {
                after,
                before,
                first,
                last,
            },
        )
        .await;
        Ok(DeadLetterConnection::of(
            page.map_err(top_level)?,
            DeadLetter,
        ))
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
            let id = context::id(&input.job_id, "jobId")?;
            let id = ctx
                .write("jobReplay", move |tx| Box::pin(replay::replay(tx, id)))
                .await?;
            DeadLetter::fresh(ctx, id).await
        }
        .await;
        JobReplayPayload::of(result)
    }
}
