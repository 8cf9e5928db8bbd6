//! The worker: runs the schedules and the queued jobs until it is stopped.
//!
//! Each lane has a pool of runners and starts the next job as soon as a runner is free. Each schedule has its own loop.
//! So a slow or hanging job delays only its own lane, and a slow schedule delays no other.
//!
//! Any number of workers may run in parallel. A due time belongs to the one that inserts its row, a job to the one that
//! holds its lease.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_orm::Iterable;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    app::App,
    entity::job::{JobLane, JobStatus},
    error::{Error, Result},
    jobs::{self, SCHEDULES},
    platform::{
        jobs::{Failure, Job, Schedule, Settled, claim, due_since, fail},
        sql,
        telemetry::{self, Outcome},
    },
    tx::Call,
};

/// How long an idle loop sleeps unless woken.
const IDLE: Duration = Duration::from_secs(1);

/// The longest pause after failures in a row.
const LONGEST: Duration = Duration::from_secs(60);

/// How often the age of waiting jobs is measured.
const MEASURED: Duration = Duration::from_secs(10);

/// Runs until `stop`; what was begun is finished.
pub async fn run(app: App, stop: CancellationToken) {
    let mut loops = JoinSet::new();
    for lane in JobLane::iter() {
        loops.spawn(serve(app.clone(), lane, stop.clone()));
    }
    for schedule in wanted(&app) {
        loops.spawn(repeat(app.clone(), schedule, stop.clone()));
    }
    loops.spawn(measure(app, stop));
    while loops.join_next().await.is_some() {}
}

/// Runs due schedules, then every lane until nothing is due; returns how many jobs there were.
///
/// # Errors
/// The database failed. The jobs are run even when a schedule failed.
pub async fn turn(app: &App) -> Result<usize> {
    let schedules = run_schedules(app, &mut Taken::default()).await;
    let mut count = 0;
    for lane in JobLane::iter() {
        count += drain(app, lane).await?;
    }
    schedules.map(|()| count)
}

/// Runs the jobs of a lane until none is due; returns how many there were.
///
/// # Errors
/// The database failed; a failing job is not an error here.
pub async fn drain(app: &App, lane: JobLane) -> Result<usize> {
    let (mut pool, mut count) = (Pool::of(app, lane), 0);
    loop {
        count += pool.refill().await?;
        if pool.is_idle() {
            return Ok(count);
        }
        pool.freed().await;
    }
}

/// The runners of one lane.
struct Pool {
    app: App,
    lane: JobLane,
    runners: usize,
    running: JoinSet<()>,
}

impl Pool {
    fn of(app: &App, lane: JobLane) -> Self {
        Self {
            app: app.clone(),
            lane,
            runners: app.site().worker_concurrency.max(1),
            running: JoinSet::new(),
        }
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    fn is_full(&self) -> bool {
        self.running.len() >= self.runners
    }

    /// Claims as many due jobs as there are free runners, because the lease of a job waiting for a runner could expire.
    /// Returns how many.
    async fn refill(&mut self) -> Result<usize> {
        if self.is_full() {
            return Ok(0);
        }
        let (lane, free) = (self.lane, sql::count(self.runners - self.running.len()));
        let claimed = self
            .app
            .write(Call::system("jobClaim"), move |tx| {
                Box::pin(claim(tx, lane, free))
            })
            .await?;
        let count = claimed.len();
        for job in claimed {
            let app = self.app.clone();
            self.running.spawn(async move { handle(&app, &job).await });
        }
        self.tell();
        Ok(count)
    }

    /// Waits until a runner is free; at once when none runs.
    async fn freed(&mut self) {
        self.running.join_next().await;
        while self.running.try_join_next().is_some() {}
        self.tell();
    }

    fn tell(&self) {
        telemetry::jobs_running(label(self.lane), self.running.len());
    }
}

/// Runs the jobs of a lane as they become due, until `stop`.
async fn serve(app: App, lane: JobLane, stop: CancellationToken) {
    let (mut pool, mut failing) = (Pool::of(&app, lane), false);
    while !stop.is_cancelled() {
        match pool.refill().await {
            Ok(_) => failing = false,
            // Logged once per outage.
            Err(error) if !failing => {
                tracing::error!(lane = label(lane), %error, "cannot claim jobs of this lane");
                failing = true;
            }
            Err(_) => {}
        }
        if pool.is_full() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = pool.freed() => {}
            }
            continue;
        }
        let busy = !pool.is_idle();
        tokio::select! {
            () = stop.cancelled() => {}
            () = app.woken(lane) => {}
            () = pool.freed(), if busy => {}
            () = tokio::time::sleep(IDLE) => {}
        }
    }
    while !pool.is_idle() {
        pool.freed().await;
    }
}

async fn handle(app: &App, job: &Job) {
    let topic = job.topic.as_str();
    let span = tracing::info_span!("job", job = %job.id, topic, request_id = job.request_id);
    let work = jobs::run(app, job).instrument(span);
    if let Err(error) = attempt(app, job, work).await {
        let request_id = job.request_id.as_deref();
        tracing::error!(job = %job.id, topic, request_id, %error, "a job could not be settled");
    }
}

/// Runs a claimed job, which settles itself. A job that fails or panics is retried or becomes a dead letter, and does
/// not affect other jobs.
///
/// # Errors
/// The database failed: the job comes back when its lease ends.
pub async fn attempt(
    app: &App,
    job: &Job,
    work: impl Future<Output = Result<Settled, Failure>>,
) -> Result<()> {
    let started = Instant::now();
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| Err(Error::internal("the job panicked").into()));
    // Bounds the number of labels.
    let label = jobs::kind(&job.topic).map_or("other", |kind| kind.topic);
    let Err(failure) = outcome else {
        telemetry::job(label, Outcome::Done, started.elapsed());
        return Ok(());
    };
    // The only line about this attempt. The API shows a fixed sentence, never the cause, which may quote anything.
    tracing::warn!(
        job = %job.id,
        topic = job.topic,
        request_id = job.request_id.as_deref(),
        attempt = job.attempts,
        attempts = job.max_attempts,
        given_up = job.is_last_after(&failure),
        cause = failure.cause.as_deref().unwrap_or(failure.told),
        "a background job failed"
    );
    let settled = job.clone();
    let status = app
        .write(job.call("jobFail"), move |tx| {
            let (job, failure) = (settled.clone(), failure.clone());
            Box::pin(async move {
                let status = fail(tx, &job, &failure).await?;
                if let (Some(JobStatus::Dead), Some(kind)) = (status, jobs::kind(&job.topic)) {
                    kind.given_up(tx, &job).await?;
                }
                Ok(status)
            })
        })
        .await?;
    if status == Some(JobStatus::Dead) {
        telemetry::job(label, Outcome::Failed, started.elapsed());
        telemetry::dead_letter(label);
    } else {
        telemetry::job(label, Outcome::Retried, started.elapsed());
    }
    Ok(())
}

/// The schedules of this installation.
fn wanted(app: &App) -> impl Iterator<Item = &'static Schedule> {
    let site = app.site();
    SCHEDULES.iter().filter(|schedule| (schedule.wanted)(site))
}

/// The due time of each schedule that was taken last, by this worker or another: an idle worker need not ask the
/// database again and again.
#[derive(Debug, Default)]
pub struct Taken(BTreeMap<&'static str, DateTime<Utc>>);

/// Runs every schedule whose latest due time nobody took yet. Missed due times are made up by one run.
///
/// # Errors
/// The database failed. One failing schedule does not keep the others from running, and is tried again.
pub async fn run_schedules(app: &App, taken: &mut Taken) -> Result<()> {
    let mut first_error = None;
    for schedule in wanted(app) {
        let last = taken.0.get(schedule.name).copied();
        match run_due(app, schedule, last).await {
            Ok(due) => {
                taken.0.insert(schedule.name, due);
            }
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    first_error.map_or(Ok(()), Err)
}

/// Runs a schedule at its due times until `stop`, with increasing pauses while it fails.
async fn repeat(app: App, schedule: &'static Schedule, stop: CancellationToken) {
    let (mut last, mut pause) = (None, IDLE);
    while !stop.is_cancelled() {
        match run_due(&app, schedule, last).await {
            Ok(due) => (last, pause) = (Some(due), IDLE),
            Err(_) => pause = (2 * pause).min(LONGEST),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Runs a schedule for its latest due time, unless that was the last one taken; returns the due time.
async fn run_due(
    app: &App,
    schedule: &Schedule,
    last: Option<DateTime<Utc>>,
) -> Result<DateTime<Utc>> {
    let due = schedule.due(app.clock().now());
    if last == Some(due) {
        return Ok(due);
    }
    let started = Instant::now();
    match schedule.run_for(app, due).await {
        Ok(own) => {
            if own {
                telemetry::job(schedule.name, Outcome::Done, started.elapsed());
            }
            Ok(due)
        }
        Err(error) => {
            telemetry::job(schedule.name, Outcome::Failed, started.elapsed());
            tracing::error!(schedule = schedule.name, %error, "a scheduled job failed");
            Err(error)
        }
    }
}

/// Measures until `stop` how long the oldest due job of each lane has been waiting.
async fn measure(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let now = app.clock().now();
        if let Ok(since) = due_since(&app.db().reading(), now).await {
            for lane in JobLane::iter() {
                let age = since.get(&lane).map(|since| now - *since);
                let age = age.and_then(|age| age.to_std().ok()).unwrap_or_default();
                telemetry::outbox_lag(label(lane), age);
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(MEASURED) => {}
        }
    }
}

/// A lane as a label for metrics and logs.
const fn label(lane: JobLane) -> &'static str {
    match lane {
        JobLane::Money => "money",
        JobLane::Bulk => "bulk",
        JobLane::Mail => "mail",
    }
}
