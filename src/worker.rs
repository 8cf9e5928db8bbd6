//! The worker: runs what is due by schedule, then what waits in the job queue, until it is told to stop.
//!
//! Any number of workers may run beside each other. A scheduled job belongs to whoever inserts the row of its
//! due time; a queued job to whoever holds its lease.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt, StreamExt, stream};
use sea_orm::ActiveValue::Set;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    deals,
    entity::schedule_run,
    error::{Error, Result},
    identity, incentives, mails,
    notifications::{self, jobs::Failure},
    payouts,
    platform::{
        audit,
        config::Statements,
        jobs,
        telemetry::{self, Outcome},
    },
    programs,
    tx::{Call, Tx, Work},
};

/// How long an idle worker sleeps unless woken.
const IDLE: Duration = Duration::from_secs(1);

/// Runs until `stop`; what was begun is finished.
pub async fn run(app: App, stop: CancellationToken) {
    let mut taken = Taken::default();
    while !stop.is_cancelled() {
        // Faults of schedules are logged there. One that keeps failing must not keep the queue waiting.
        let _ = run_schedules(&app, &mut taken).await;
        let worked = match work(&app).await {
            Ok(worked) => worked,
            Err(error) => {
                tracing::error!(%error, "the worker could not take its turn");
                0
            }
        };
        if worked == 0 {
            tokio::select! {
                () = stop.cancelled() => {}
                () = app.woken() => {}
                () = tokio::time::sleep(IDLE) => {}
            }
        }
    }
}

/// Runs due schedules and one batch of jobs; returns how many jobs there were.
///
/// # Errors
/// The database failed. The jobs are worked off even when a schedule failed.
pub async fn turn(app: &App) -> Result<usize> {
    let schedules = run_schedules(app, &mut Taken::default()).await;
    let worked = work(app).await;
    schedules.and(worked)
}

/// Works off one batch of the queue.
///
/// # Errors
/// The database failed; a failing job is not an error here.
pub async fn work(app: &App) -> Result<usize> {
    // As many as run at once: what waited behind others would outlive its lease.
    let concurrency = app.site().worker_concurrency.max(1);
    let limit = crate::platform::sql::count(concurrency);
    let claimed = app
        .write(Call::system("jobClaim"), move |tx| {
            Box::pin(jobs::claim(tx, limit))
        })
        .await?;
    let count = claimed.len();
    stream::iter(claimed)
        .for_each_concurrent(concurrency, |job| async move {
            if let Err(error) = handle(app, &job).await {
                tracing::error!(job = %job.id, topic = job.topic, %error, "a job could not be settled");
            }
        })
        .await;
    Ok(count)
}

async fn handle(app: &App, job: &jobs::Job) -> Result<()> {
    attempt(app, job, async {
        match job.topic.as_str() {
            jobs::EVENT => notifications::jobs::expand(app, &mails::POST, job).await,
            notifications::jobs::MAIL => notifications::jobs::send(app, &mails::POST, job).await,
            payouts::jobs::ADVANCE => Ok(payouts::jobs::advance_run(app, job).await?),
            payouts::jobs::RESUME => {
                let is_done = payouts::jobs::work(app, job).await?;
                let open = || Failure::transient(payouts::jobs::STILL_OPEN.to_owned());
                is_done.then_some(()).ok_or_else(open)
            }
            other => Err(Failure::permanent(format!("no handler for {other}"))),
        }
    })
    .await
}

/// Does the work of a claimed job, which settles it; a job that fails or panics is put back, and takes nothing else
/// with it.
///
/// # Errors
/// The database failed: the job comes back when its lease ends.
pub async fn attempt(
    app: &App,
    job: &jobs::Job,
    work: impl Future<Output = std::result::Result<(), Failure>>,
) -> Result<()> {
    let started = Instant::now();
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| Err(Error::internal("the job panicked").into()));
    let kind = topic(&job.topic);
    let Err(failure) = outcome else {
        telemetry::job(kind, Outcome::Done, started.elapsed());
        return Ok(());
    };
    // The one line about this attempt. The API shows the message, never the cause: it may quote anything.
    tracing::warn!(
        job = %job.id,
        kind,
        attempt = job.attempts,
        attempts = job.max_attempts,
        request = job.request_id.as_deref().unwrap_or_default(),
        cause = failure.cause.as_deref().unwrap_or(&failure.message),
        "a background job failed"
    );
    let settled = job.clone();
    let status = app
        .write(Call::system("jobFail"), move |tx| {
            let (job, failure) = (settled.clone(), failure.clone());
            Box::pin(async move { jobs::fail(tx, &job, &failure.message, failure.permanent).await })
        })
        .await?;
    let dead = status == Some(crate::entity::job::JobStatus::Dead);
    let outcome = if dead {
        Outcome::Failed
    } else {
        Outcome::Retried
    };
    telemetry::job(kind, outcome, started.elapsed());
    if dead {
        telemetry::dead_letter(kind);
    }
    Ok(())
}

/// The topic as a label of bounded number.
fn topic(name: &str) -> &'static str {
    match name {
        jobs::EVENT => jobs::EVENT,
        notifications::jobs::MAIL => notifications::jobs::MAIL,
        payouts::jobs::ADVANCE => payouts::jobs::ADVANCE,
        payouts::jobs::RESUME => payouts::jobs::RESUME,
        _ => "other",
    }
}

/// A scheduled job: what, how often, and the unit of work, which says whether there may be more to do.
struct Schedule {
    name: &'static str,
    every: TimeDelta,
    run: for<'t> fn(&'t Tx) -> Work<'t, bool>,
}

/// A scheduled job that does in one unit of work what there is to do at one due time.
async fn whole(body: impl Future<Output = Result<()>>) -> Result<bool> {
    body.await.map(|()| false)
}

/// The schedule that an installation may do without.
const STATEMENTS: &str = "statementPublication";

/// Everything that happens by itself.
const SCHEDULES: &[Schedule] = &[
    Schedule {
        name: "protectionExpiry",
        every: TimeDelta::minutes(1),
        run: |tx| Box::pin(deals::expiry::expire(tx)),
    },
    Schedule {
        name: "protectionReminder",
        every: TimeDelta::hours(1),
        run: |tx| Box::pin(deals::expiry::remind(tx)),
    },
    Schedule {
        name: "invitationExpiry",
        every: TimeDelta::hours(1),
        run: |tx| Box::pin(deals::expiry::lapse_invitations(tx)),
    },
    Schedule {
        name: "rulesTakeEffect",
        every: TimeDelta::minutes(1),
        run: |tx| Box::pin(programs::effect::due(tx)),
    },
    Schedule {
        name: "holdbackRelease",
        every: TimeDelta::hours(1),
        run: |tx| Box::pin(whole(incentives::release::due(tx))),
    },
    Schedule {
        name: STATEMENTS,
        every: TimeDelta::minutes(1),
        run: |tx| Box::pin(whole(incentives::statement::publish::due(tx))),
    },
    Schedule {
        name: "auditSeal",
        every: TimeDelta::seconds(10),
        run: |tx| Box::pin(whole(seal(tx))),
    },
    Schedule {
        name: "sweep",
        every: TimeDelta::hours(1),
        run: |tx| Box::pin(whole(sweep(tx))),
    },
];

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
    let without = (app.site().statements == Statements::Off).then_some(STATEMENTS);
    for schedule in SCHEDULES.iter().filter(|one| Some(one.name) != without) {
        let (name, every, body) = (schedule.name, schedule.every, schedule.run);
        let latest = due(app.clock().now(), every);
        if taken.0.get(name) == Some(&latest) {
            continue;
        }
        let started = Instant::now();
        let outcome = app
            .write(Call::system(name), move |tx| {
                Box::pin(async move {
                    let row = schedule_run::ActiveModel {
                        schedule: Set(name.to_owned()),
                        scheduled_for: Set(latest),
                        started_at: Set(tx.now()),
                    };
                    let own = tx.insert_new(row).await?;
                    let more = own && body(tx).await?;
                    Ok((own, more))
                })
            })
            .await;
        let outcome = match outcome {
            Ok((own, more)) => rest(app, name, body, Ok(more)).await.map(|()| own),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(own) => {
                taken.0.insert(name, latest);
                if own {
                    telemetry::job(name, Outcome::Done, started.elapsed());
                }
            }
            Err(error) => {
                telemetry::job(name, Outcome::Failed, started.elapsed());
                tracing::error!(schedule = name, %error, "a scheduled job failed");
                first_error.get_or_insert(error);
            }
        }
    }
    first_error.map_or(Ok(()), Err)
}

/// Does what a schedule has left after its first unit of work: each chunk is a unit of work of its own, so that none
/// holds its locks for long. What an interruption leaves is done at the next due time.
async fn rest(
    app: &App,
    name: &'static str,
    body: for<'t> fn(&'t Tx) -> Work<'t, bool>,
    mut more: Result<bool>,
) -> Result<()> {
    while more? {
        more = app.write(Call::system(name), body).await;
    }
    Ok(())
}

/// The latest due time at or before an instant, counted from the epoch.
fn due(now: DateTime<Utc>, every: TimeDelta) -> DateTime<Utc> {
    let elapsed = now.timestamp().rem_euclid(every.num_seconds().max(1));
    DateTime::from_timestamp(now.timestamp() - elapsed, 0).unwrap_or(now)
}

/// Seals the audit trail, and tells how old the oldest work is that nobody has done.
async fn seal(tx: &Tx) -> Result<()> {
    let lag = jobs::oldest_due(tx).await?.map(|due| tx.now() - due);
    telemetry::outbox_lag(lag.and_then(|lag| lag.to_std().ok()).unwrap_or_default());
    // The whole trail is looked through by the sweep only: that takes longer the longer it is.
    audit::seal_since(tx, tx.now() - TimeDelta::hours(1), 5_000)
        .await
        .map(|_| ())
}

async fn sweep(tx: &Tx) -> Result<()> {
    audit::seal(tx, 5_000).await?;
    jobs::sweep(tx, tx.now() - TimeDelta::days(7)).await?;
    crate::platform::idempotency::sweep(tx).await?;
    identity::sweep(tx).await?;
    sweep_schedule_runs(tx).await
}

async fn sweep_schedule_runs(tx: &Tx) -> Result<()> {
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
    schedule_run::Entity::delete_many()
        .filter(schedule_run::Column::ScheduledFor.lt(tx.now() - TimeDelta::days(7)))
        .exec(tx)
        .await
        .map_err(Error::from)?;
    Ok(())
}
