//! The background work of all domains: the kinds of jobs and the schedules.

use chrono::TimeDelta;

use crate::{
    app::{App, Site},
    deals,
    error::Result,
    identity, incentives,
    notifications::jobs::Letter,
    payouts,
    platform::{
        audit,
        config::Statements,
        idempotency,
        jobs::{self, Failure, Happened, Job, Kind, Schedule, Settled},
    },
    programs,
    tx::{Tx, Work},
};

/// Every kind of job.
pub const KINDS: &[Kind] = &[
    Kind::of::<Happened>(),
    Kind::of::<Letter>(),
    Kind::of::<payouts::jobs::Advance>(),
    Kind::of::<payouts::jobs::Resume>(),
];

/// Every schedule.
pub const SCHEDULES: &[Schedule] = &[
    every("protectionExpiry", TimeDelta::minutes(1), |tx| {
        Box::pin(deals::expiry::expire(tx))
    }),
    every("protectionReminder", TimeDelta::hours(1), |tx| {
        Box::pin(deals::expiry::remind(tx))
    }),
    every("invitationExpiry", TimeDelta::hours(1), |tx| {
        Box::pin(deals::expiry::lapse_invitations(tx))
    }),
    every("rulesTakeEffect", TimeDelta::minutes(1), |tx| {
        Box::pin(programs::effect::due(tx))
    }),
    every("holdbackRelease", TimeDelta::hours(1), |tx| {
        Box::pin(whole(incentives::release::due(tx)))
    }),
    Schedule {
        wanted: |site| site.statements == Statements::Monthly,
        ..every("statementPublication", TimeDelta::minutes(1), |tx| {
            Box::pin(whole(incentives::statement::publish::due(tx)))
        })
    },
    every("auditSeal", TimeDelta::seconds(10), |tx| {
        Box::pin(whole(seal(tx)))
    }),
    every("sweep", TimeDelta::hours(1), |tx| {
        Box::pin(whole(sweep(tx)))
    }),
];

const fn every(
    name: &'static str,
    every: TimeDelta,
    run: for<'t> fn(&'t Tx) -> Work<'t, bool>,
) -> Schedule {
    let wanted: fn(&Site) -> bool = |_| true;
    Schedule {
        name,
        every,
        run,
        wanted,
    }
}

/// The kind of job of this topic.
#[must_use]
pub fn kind(topic: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.topic == topic)
}

/// Does the work of a claimed job.
///
/// # Errors
/// The job failed, temporarily or permanently.
pub async fn run(app: &App, job: &Job) -> Result<Settled, Failure> {
    if job.is_spent() {
        return Err(Failure::permanent(Failure::ABANDONED));
    }
    match kind(&job.topic) {
        Some(kind) => kind.run(app, job).await,
        None => Err(Failure::permanent(Failure::UNKNOWN)),
    }
}

/// A schedule that does all work of a due time in one unit of work.
async fn whole(body: impl Future<Output = Result<()>>) -> Result<bool> {
    body.await.map(|()| false)
}

/// Only the sweep scans the whole trail: the time it takes grows with the trail.
async fn seal(tx: &Tx) -> Result<()> {
    audit::seal_since(tx, tx.now() - TimeDelta::hours(1), 5_000)
        .await
        .map(|_| ())
}

async fn sweep(tx: &Tx) -> Result<()> {
    let week_ago = tx.now() - TimeDelta::days(7);
    jobs::sweep(tx, week_ago).await?;
    idempotency::sweep(tx).await?;
    identity::sweep(tx).await?;
    jobs::sweep_schedules(tx, week_ago).await?;
    // Last, as it locks the chain, and the schedule that seals waits.
    audit::seal(tx, 5_000).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Topics and names are metric labels, and due times are stored under them.
    #[test]
    fn what_runs_in_which_lane_and_how_often() {
        let kinds = KINDS
            .iter()
            .map(|kind| format!("{:<15}{:?}", kind.topic, kind.lane));
        let schedules = SCHEDULES
            .iter()
            .map(|schedule| format!("{:<22}{} s", schedule.name, schedule.every.num_seconds()));
        let lines: Vec<_> = kinds.chain(schedules).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        event          Bulk
        mail           Mail
        payout.advance Money
        payout.resume  Money
        protectionExpiry      60 s
        protectionReminder    3600 s
        invitationExpiry      3600 s
        rulesTakeEffect       60 s
        holdbackRelease       3600 s
        statementPublication  60 s
        auditSeal             10 s
        sweep                 3600 s
        ");
    }
}
