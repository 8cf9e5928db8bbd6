//! The job queue, which is also the outbox.
//!
//! A job is written in the transaction of its cause, claimed under a lease, worked off, and settled by the
//! epoch of that lease: a worker that slept past its lease settles nothing. What keeps failing becomes a dead
//! letter that an operator can list and replay.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter,
    QueryOrder, Statement, sea_query::Expr,
};
use serde_json::{Value, json};

use crate::{
    entity::{
        ids::JobId,
        job::{self, JobStatus},
    },
    error::Result,
    events::Event,
    tx::Tx,
};

/// The topic of a job that carries a business event.
pub const EVENT: &str = "event";

/// How long a claimed job belongs to its worker: more than twice the 60 seconds that a send may take.
const LEASE: TimeDelta = TimeDelta::minutes(3);

/// Attempts before a job becomes a dead letter: with the pauses of [`pause`], about a day.
const MAX_ATTEMPTS: i32 = 12;

/// Work to be done after the commit.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// What kind of work.
    pub topic: &'static str,
    /// Its facts, by ids.
    pub payload: Value,
    /// Enqueued at most once under this text.
    pub dedupe_key: Option<String>,
}

/// A claimed job.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Job {
    /// The job.
    pub id: JobId,
    /// What kind of work.
    pub topic: String,
    /// Its facts.
    pub payload: Value,
    /// How often it was tried, this time included.
    pub attempts: i32,
    /// The tries it has.
    pub max_attempts: i32,
    /// The lease under which it must be settled.
    pub lease_epoch: i32,
    /// The request that caused it.
    pub request_id: Option<String>,
}

/// Writes the jobs of a unit of work: one per event, and those it asked for.
///
/// # Errors
/// The database failed.
pub async fn append(tx: &Tx, events: &[Event], enqueued: Vec<NewJob>) -> Result<()> {
    let mut jobs = Vec::with_capacity(events.len() + enqueued.len());
    for event in events {
        jobs.push(NewJob {
            topic: EVENT,
            payload: json!({ "event": event.payload()? }),
            dedupe_key: None,
        });
    }
    jobs.extend(enqueued);
    let rows = jobs.into_iter().map(|new| job::ActiveModel {
        id: Set(tx.id()),
        topic: Set(new.topic.to_owned()),
        payload: Set(new.payload),
        dedupe_key: Set(new.dedupe_key),
        status: Set(JobStatus::Pending),
        run_at: Set(tx.now()),
        attempts: Set(0),
        max_attempts: Set(MAX_ATTEMPTS),
        lease_until: Set(None),
        lease_epoch: Set(0),
        last_error: Set(None),
        request_id: Set(tx.request_id().map(str::to_owned)),
        created_at: Set(tx.now()),
        finished_at: Set(None),
    });
    tx.insert_all_new(rows).await?;
    Ok(())
}

/// Takes up to `limit` due jobs under a new lease.
///
/// # Errors
/// The database failed.
pub async fn claim(tx: &Tx, limit: u64) -> Result<Vec<Job>> {
    // SQLite has one writer, so nobody else can look at the same rows meanwhile.
    let skip = if tx.backend() == DbBackend::Postgres {
        "FOR UPDATE SKIP LOCKED"
    } else {
        ""
    };
    let sql = format!(
        "UPDATE job SET attempts = attempts + 1, lease_epoch = lease_epoch + 1, lease_until = $1 WHERE id IN \
         (SELECT id FROM job WHERE status = 'PENDING' AND run_at <= $2 AND (lease_until IS NULL OR lease_until <= $2) \
         ORDER BY run_at, id LIMIT $3 {skip}) \
         RETURNING id, topic, payload, attempts, max_attempts, lease_epoch, request_id"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [(tx.now() + LEASE).into(), tx.now().into(), limit.into()];
    let mut jobs =
        Job::find_by_statement(Statement::from_sql_and_values(tx.backend(), sql, values))
            .all(tx)
            .await?;
    jobs.sort_by_key(|job| job.id);
    // No worker came back from any of their attempts: another one would only take the next worker with it.
    let (spent, jobs): (Vec<_>, Vec<_>) = jobs
        .into_iter()
        .partition(|job| job.attempts > job.max_attempts);
    for job in &spent {
        tracing::error!(job = %job.id, topic = job.topic, "a job was given up: no worker came back from it");
        fail(tx, job, "No worker came back from any attempt.", true).await?;
    }
    Ok(jobs)
}

/// Marks a job as done; `false` when the lease was lost meanwhile.
///
/// # Errors
/// The database failed.
pub async fn finish(tx: &Tx, claimed: &Job) -> Result<bool> {
    let done = job::Entity::update_many()
        .col_expr(job::Column::Status, Expr::value(JobStatus::Done))
        .col_expr(job::Column::FinishedAt, Expr::value(tx.now()))
        .filter(job::Column::Id.eq(claimed.id))
        .filter(job::Column::LeaseEpoch.eq(claimed.lease_epoch))
        .filter(job::Column::Status.eq(JobStatus::Pending))
        .exec(tx)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Puts a failed job back with a pause, or makes it a dead letter after its last attempt or a permanent fault; `None`
/// when the lease was lost meanwhile, and nothing was changed.
///
/// # Errors
/// The database failed.
pub async fn fail(
    tx: &Tx,
    claimed: &Job,
    error: &str,
    permanent: bool,
) -> Result<Option<JobStatus>> {
    let dead = permanent || claimed.attempts >= claimed.max_attempts;
    let status = if dead {
        JobStatus::Dead
    } else {
        JobStatus::Pending
    };
    let error: String = error.chars().take(500).collect();
    let failed = job::Entity::update_many()
        .col_expr(job::Column::Status, Expr::value(status))
        .col_expr(job::Column::LastError, Expr::value(error))
        .col_expr(job::Column::LeaseUntil, Expr::value(None::<DateTime<Utc>>))
        .col_expr(
            job::Column::RunAt,
            Expr::value(tx.now() + pause(claimed.attempts)),
        )
        .filter(job::Column::Id.eq(claimed.id))
        .filter(job::Column::LeaseEpoch.eq(claimed.lease_epoch))
        .filter(job::Column::Status.eq(JobStatus::Pending))
        .exec(tx)
        .await?;
    Ok((failed.rows_affected == 1).then_some(status))
}

/// When the oldest work became due that is still to be done; nothing when all is done.
///
/// # Errors
/// The database failed.
pub async fn oldest_due(tx: &Tx) -> Result<Option<DateTime<Utc>>> {
    let oldest = job::Entity::find()
        .filter(job::Column::Status.eq(JobStatus::Pending))
        .filter(job::Column::RunAt.lte(tx.now()))
        .order_by_asc(job::Column::RunAt)
        .one(tx)
        .await?;
    Ok(oldest.map(|job| job.run_at))
}

/// Gives dead letters their attempts back; returns how many.
///
/// # Errors
/// The database failed.
pub async fn replay(tx: &Tx, only: Option<JobId>) -> Result<u64> {
    let mut update = job::Entity::update_many()
        .col_expr(job::Column::Status, Expr::value(JobStatus::Pending))
        .col_expr(job::Column::Attempts, Expr::value(0))
        .col_expr(job::Column::RunAt, Expr::value(tx.now()))
        .filter(job::Column::Status.eq(JobStatus::Dead));
    if let Some(id) = only {
        update = update.filter(job::Column::Id.eq(id));
    }
    Ok(update.exec(tx).await?.rows_affected)
}

/// Removes what was finished before an instant; dead letters stay.
///
/// # Errors
/// The database failed.
pub async fn sweep(tx: &Tx, before: DateTime<Utc>) -> Result<u64> {
    let swept = job::Entity::delete_many()
        .filter(job::Column::Status.eq(JobStatus::Done))
        .filter(job::Column::FinishedAt.lt(before))
        .exec(tx)
        .await?;
    Ok(swept.rows_affected)
}

/// 5 s, 10 s, 20 s … doubling up to 6 hours.
fn pause(attempts: i32) -> TimeDelta {
    let doublings = u32::try_from(attempts.clamp(1, 13) - 1).unwrap_or_default();
    TimeDelta::seconds(5 << doublings).min(TimeDelta::hours(6))
}
