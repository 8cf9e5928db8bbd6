//! The queue: one table, claimed lane by lane.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait,
    FromQueryResult, QueryFilter, QuerySelect, Statement, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::{BackgroundJob, Failure};
use crate::{
    entity::{
        ids::JobId,
        job::{self, JobLane, JobStatus},
    },
    error::Result,
    events::Event,
    tx::Tx,
};

/// How long a claimed job belongs to its worker: more than twice the 60 seconds that a send may take.
const LEASE: TimeDelta = TimeDelta::minutes(3);

/// Attempts before a job becomes a dead letter: with the pauses of [`pause`], about a day.
const MAX_ATTEMPTS: i32 = 12;

/// The job for each event, which notifies its recipients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// What happened.
    pub event: Event,
}

/// A job to be written with the unit of work that causes it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    topic: &'static str,
    lane: JobLane,
    priority: i32,
    payload: Value,
    key: Option<String>,
}

impl NewJob {
    /// A job of the kind that its payload declares.
    ///
    /// # Errors
    /// The payload cannot be written.
    pub fn of<J: BackgroundJob>(job: &J) -> Result<Self> {
        Ok(Self {
            topic: J::TOPIC,
            lane: J::LANE,
            priority: job.priority().rank(),
            payload: serde_json::to_value(job)?,
            key: job.key(),
        })
    }
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

impl Job {
    /// No worker survived an attempt: another attempt would only stop the next worker.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.attempts > self.max_attempts
    }

    /// Whether this failure is final.
    #[must_use]
    pub const fn is_last_after(&self, failure: &Failure) -> bool {
        failure.permanent || self.attempts >= self.max_attempts
    }
}

/// Writes the jobs of a unit of work: one per event, and those it requested. Returns their lanes.
///
/// # Errors
/// The database failed.
pub async fn append(tx: &Tx, events: &[Event], enqueued: Vec<NewJob>) -> Result<BTreeSet<JobLane>> {
    let told = events.iter().map(|event| {
        NewJob::of(&Happened {
            event: event.clone(),
        })
    });
    let jobs: Vec<NewJob> = told
        .chain(enqueued.into_iter().map(Ok))
        .collect::<Result<_>>()?;
    let lanes = jobs.iter().map(|job| job.lane).collect();
    let rows = jobs.into_iter().map(|new| job::ActiveModel {
        id: Set(tx.id()),
        topic: Set(new.topic.to_owned()),
        lane: Set(new.lane),
        priority: Set(new.priority),
        payload: Set(new.payload),
        dedupe_key: Set(new.key),
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
    Ok(lanes)
}

/// Claims up to `limit` due jobs of a lane under a new lease, by priority and then by age.
///
/// # Errors
/// The database failed.
pub async fn claim(tx: &Tx, lane: JobLane, limit: u64) -> Result<Vec<Job>> {
    // SQLite has one writer, so nobody else can look at the same rows meanwhile.
    let skip = if tx.backend() == DbBackend::Postgres {
        "FOR UPDATE SKIP LOCKED"
    } else {
        ""
    };
    let sql = format!(
        "UPDATE job SET attempts = attempts + 1, lease_epoch = lease_epoch + 1, lease_until = $1 WHERE id IN \
         (SELECT id FROM job WHERE status = 'PENDING' AND lane = $4 AND run_at <= $2 \
         AND (lease_until IS NULL OR lease_until <= $2) ORDER BY priority, run_at, id LIMIT $3 {skip}) \
         RETURNING id, topic, payload, attempts, max_attempts, lease_epoch, request_id"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [
        (tx.now() + LEASE).into(),
        tx.now().into(),
        limit.into(),
        lane.to_value().into(),
    ];
    let mut jobs =
        Job::find_by_statement(Statement::from_sql_and_values(tx.backend(), sql, values))
            .all(tx)
            .await?;
    jobs.sort_by_key(|job| job.id);
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
pub async fn fail(tx: &Tx, claimed: &Job, failure: &Failure) -> Result<Option<JobStatus>> {
    let dead = claimed.is_last_after(failure);
    let status = if dead {
        JobStatus::Dead
    } else {
        JobStatus::Pending
    };
    let failed = job::Entity::update_many()
        .col_expr(job::Column::Status, Expr::value(status))
        .col_expr(job::Column::LastError, Expr::value(failure.told))
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

/// The due time of the oldest unfinished job of each lane. Lanes without one are omitted.
///
/// # Errors
/// The database failed.
pub async fn due_since(
    db: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<BTreeMap<JobLane, DateTime<Utc>>> {
    let oldest: Vec<(JobLane, DateTime<Utc>)> = job::Entity::find()
        .select_only()
        .column(job::Column::Lane)
        .column_as(job::Column::RunAt.min(), "since")
        .filter(job::Column::Status.eq(JobStatus::Pending))
        .filter(job::Column::RunAt.lte(now))
        .group_by(job::Column::Lane)
        .into_tuple()
        .all(db)
        .await?;
    Ok(oldest.into_iter().collect())
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
