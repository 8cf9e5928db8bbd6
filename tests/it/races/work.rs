//! Schedules and jobs on two processes whose clocks jump, and work that nobody survives.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use ensemble::{
    entity::{
        audit_event, audit_seal,
        ids::JobId,
        job::{self, JobStatus},
        ledger_entry,
        ledger_transaction::{self, LedgerTransactionKind},
        payout_run::{self, RunStatus},
        schedule_run,
        user::Role,
    },
    payouts::{self},
    platform::{
        audit,
        clock::ManualClock,
        ids::TypedId,
        jobs::{self, Failure, Job},
    },
    tx::Call,
    worker,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::json;

use super::{Realm, at_once, fresh_key};
use crate::{
    cases,
    deals::market::*,
    money::operator,
    support::{Answer, TestApp},
};

cases!(
    a_due_time_is_taken_once_while_the_clocks_jump,
    two_processes_that_seal_at_once_make_one_chain,
    a_schedule_that_keeps_failing_does_not_stop_the_queue,
    a_worker_past_its_lease_changes_nothing_about_a_payment,
    a_job_that_no_worker_survives_is_given_up_listed_and_replayed,
    poison_does_not_keep_other_jobs_waiting,
    two_processes_tell_every_event_once,
);

/// The topic of payments to complete.
const RESUME: &str = "payout.resume";

async fn due_times(t: &TestApp, schedule: &str) -> BTreeSet<DateTime<Utc>> {
    let rows = schedule_run::Entity::find()
        .filter(schedule_run::Column::Schedule.eq(schedule))
        .all(t.app.db().reader())
        .await
        .unwrap();
    rows.into_iter().map(|row| row.scheduled_for).collect()
}

/// The latest full ten seconds or hour at an instant.
fn due(now: DateTime<Utc>, seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(now.timestamp().div_euclid(seconds) * seconds, 0).unwrap()
}

async fn a_due_time_is_taken_once_while_the_clocks_jump(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Alpha").await;
    realm.win(&seller, 100_000).await;
    let mut input = claim(realm.market.router, "Acme", Some("acme.com"));
    input["programId"] = json!(realm.market.program.text());
    let id = registered(&t, &seller.manager, input).await;
    let reviewer = t.vendor(Role::AllianceManager).await;
    approved(&t, &reviewer, &id).await;

    // The other process lags 90 seconds behind, and so it stays.
    let clock = ManualClock::new(t.app.clock().now() - TimeDelta::seconds(90));
    let other = t.beside_at(&clock).await;
    let (mut tens, mut hours) = (BTreeSet::new(), BTreeSet::new());
    // From 1 March over the release on 31 March, the reminders on 16 and 27 May and the end of 30 May.
    for minutes in [
        0,
        180,
        -7,
        1,
        -3,
        60,
        24 * 60,
        -5,
        29 * 24 * 60,
        -2,
        5,
        45 * 24 * 60,
        -10,
        30,
        11 * 24 * 60,
        -1,
        2 * 24 * 60,
        -30,
        60,
        4 * 24 * 60,
        -20,
        180,
    ] {
        t.clock.advance(TimeDelta::minutes(minutes));
        clock.advance(TimeDelta::minutes(minutes));
        for now in [t.app.clock().now(), other.app.clock().now()] {
            tens.insert(due(now, 10));
            hours.insert(due(now, 3_600));
        }
        let outcomes = at_once((0..6).map(|n| {
            let app = if n % 2 == 0 { &t.app } else { &other.app }.clone();
            async move { worker::run_schedules(&app, &mut worker::Taken::default()).await }
        }))
        .await;
        for outcome in outcomes {
            outcome.unwrap();
        }
    }
    // Rows older than a week are swept.
    let kept = |times: BTreeSet<DateTime<Utc>>| -> Vec<_> {
        let after = t.app.clock().now() - TimeDelta::days(6);
        times.into_iter().filter(|time| *time > after).collect()
    };
    let (sealed, reminded) = (
        due_times(&t, "auditSeal").await,
        due_times(&t, "protectionReminder").await,
    );
    assert_eq!(kept(sealed), kept(tens));
    assert_eq!(kept(reminded), kept(hours));

    let reminders = events(&t, "deal_registration.protection_reminder").await;
    let days: BTreeSet<_> = reminders
        .iter()
        .map(|details| details["daysLeft"].as_i64().unwrap())
        .collect();
    assert_eq!((reminders.len(), days), (2, BTreeSet::from([3, 14])));
    assert_eq!(events(&t, "deal_registration.expired").await.len(), 1);
    let releases = ledger_transaction::Entity::find()
        .filter(ledger_transaction::Column::Kind.eq(LedgerTransactionKind::HoldbackRelease))
        .count(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(releases, 1);
    let balance = realm.balance(seller.partner).await;
    assert_eq!((balance.accrued, balance.held), (10_000, 0));
}

async fn two_processes_that_seal_at_once_make_one_chain(t: TestApp) {
    let other = t.beside().await;
    let user = t.admin().await.id;
    for _ in 0..5 {
        t.write(move |tx| {
            for _ in 0..40 {
                tx.record(ensemble::events::Event::UserActivated { user_id: user });
            }
            Box::pin(async { Ok(()) })
        })
        .await
        .unwrap();
        let sealed = at_once((0..8).map(|n| {
            let app = if n % 2 == 0 { &t.app } else { &other.app }.clone();
            async move {
                app.write(Call::system("test"), |tx| Box::pin(audit::seal(tx, 25)))
                    .await
                    .unwrap()
            }
        }))
        .await;
        assert_eq!(sealed.iter().sum::<u64>(), 40);
    }
    let db = t.app.db().reader();
    let chain = audit::verify(db).await.unwrap();
    assert_eq!((chain.head.position, chain.broken_at), (200, None));
    assert_eq!(audit_seal::Entity::find().count(db).await.unwrap(), 200);
    assert_eq!(audit_event::Entity::find().count(db).await.unwrap(), 200);
}

async fn jobs_of(t: &TestApp, topic: &str) -> Vec<job::Model> {
    let jobs = job::Entity::find().filter(job::Column::Topic.eq(topic));
    jobs.all(t.app.db().reader()).await.unwrap()
}

async fn a_schedule_that_keeps_failing_does_not_stop_the_queue(t: TestApp) {
    let market = market(&t).await;
    let seller = gold(&t, market, "Alpha").await;
    registered(
        &t,
        &seller.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    // The sweep meets a table that is not there.
    operator(&t, "ALTER TABLE login_failure RENAME TO moved_away")
        .await
        .unwrap();
    let mut turns = 0;
    while !jobs_of(&t, "event")
        .await
        .iter()
        .all(|job| job.status == JobStatus::Done)
    {
        assert!(
            worker::turn(&t.app).await.is_err(),
            "the sweep fails every time"
        );
        turns += 1;
        assert!(turns < 20, "the queue stands still");
    }
    // The other schedules ran, and the sweep runs as soon as it can.
    assert_eq!(due_times(&t, "auditSeal").await.len(), 1);
    assert_eq!(due_times(&t, "sweep").await.len(), 0);
    operator(&t, "ALTER TABLE moved_away RENAME TO login_failure")
        .await
        .unwrap();
    t.settle().await;
    assert_eq!(due_times(&t, "sweep").await.len(), 1);
}

async fn claimed(t: &TestApp, topic: &str) -> Option<Job> {
    t.claim().await.into_iter().find(|job| job.topic == topic)
}

async fn a_worker_past_its_lease_changes_nothing_about_a_payment(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Alpha").await;
    realm.win(&seller, 100_000).await;
    let run = realm.created().await;
    realm.approve(&t, &run).await.done("payoutRunApprove");
    // The process dies after the start, before the provider is asked.
    let (id, checker) = (
        ensemble::entity::ids::PayoutRunId::parse(&run).unwrap(),
        realm.checker.actor.clone(),
    );
    t.app
        .write(Call::of("test", checker), move |tx| {
            Box::pin(payouts::execute::start(tx, id, "FILE_EXPORT"))
        })
        .await
        .unwrap();
    let frozen = claimed(&t, RESUME).await.unwrap();
    t.advance(TimeDelta::minutes(4));
    let other = t.beside().await;
    let taken_over = claimed(&other, RESUME).await.unwrap();
    assert_eq!(
        (taken_over.id, taken_over.lease_epoch),
        (frozen.id, frozen.lease_epoch + 1)
    );
    // It wakes in between: the outcome is the same as if it had slept.
    let (early, work) = tokio::join!(
        ensemble::jobs::run(&t.app, &frozen),
        ensemble::jobs::run(&other.app, &taken_over)
    );
    early.unwrap();
    work.unwrap();
    let state = || async {
        let db = t.app.db().reader();
        let row = payout_run::Entity::find_by_id(id).one(db).await.unwrap();
        let job = job::Entity::find_by_id(frozen.id)
            .one(db)
            .await
            .unwrap()
            .unwrap();
        let entries = ledger_entry::Entity::find().count(db).await.unwrap();
        let paid = events(&t, "payout.paid").await.len();
        (row.unwrap(), job, entries, paid)
    };
    let (row, job, entries, paid) = state().await;
    assert_eq!(
        (row.status, job.status, paid),
        (RunStatus::Completed, JobStatus::Done, 1)
    );
    assert_eq!(realm.balance(seller.partner).await.paid, 7_500);

    ensemble::jobs::run(&t.app, &frozen).await.unwrap();
    let (late, failing) = (frozen.clone(), frozen.clone());
    let finished = t
        .write(move |tx| {
            let late = late.clone();
            Box::pin(async move { jobs::finish(tx, &late).await })
        })
        .await
        .unwrap();
    let failed = t
        .write(move |tx| {
            let late = failing.clone();
            Box::pin(async move { jobs::fail(tx, &late, &Failure::permanent("too late")).await })
        })
        .await
        .unwrap();
    assert_eq!((finished, failed), (false, None));
    assert_eq!(state().await, (row, job, entries, paid));
}

const DEAD: &str =
    "{ jobs(filter: {status: [DEAD]}) { totalCount nodes { id topic attempts lastError } } }";
const REPLAY: &str = "mutation($id: ID!) { jobReplay(input: {jobId: $id}) { job { id attempts } userErrors { code } } }";

async fn dead(t: &TestApp) -> Answer {
    t.ask(&t.admin().await, DEAD, json!({})).await
}

async fn a_job_that_no_worker_survives_is_given_up_listed_and_replayed(t: TestApp) {
    let user = t.admin().await.id;
    t.write(move |tx| {
        tx.record(ensemble::events::Event::UserActivated { user_id: user });
        Box::pin(async { Ok(()) })
    })
    .await
    .unwrap();
    for attempt in 1..=12 {
        let job = claimed(&t, "event").await.unwrap();
        assert_eq!(job.attempts, attempt);
        assert!(claimed(&t, "event").await.is_none(), "its lease holds");
        t.advance(TimeDelta::minutes(4));
    }
    // The thirteenth makes it a dead letter without trying.
    t.settle().await;
    let listed = dead(&t).await;
    assert_eq!(listed.at("jobs/totalCount"), 1);
    assert_eq!(
        listed.at("jobs/nodes/0/lastError"),
        "The worker stopped during every attempt."
    );
    let id = listed.text("jobs/nodes/0/id");
    for role in [Role::AllianceManager, Role::Finance, Role::Auditor] {
        let person = t.vendor(role).await;
        assert_eq!(t.ask(&person, DEAD, json!({})).await.error(), "FORBIDDEN");
        let refused = t.ask(&person, REPLAY, json!({ "id": id })).await;
        assert_eq!(refused.refusal("jobReplay"), "FORBIDDEN");
    }
    let admin = t.admin().await;
    let other = t.beside().await;
    let replays = at_once((0..6).map(|n| {
        let on = if n % 2 == 0 { t.clone() } else { other.clone() };
        let (admin, id) = (admin.clone(), id.clone());
        async move { on.ask(&admin, REPLAY, json!({ "id": id })).await }
    }))
    .await;
    let (done, codes) = super::tally(&replays, "jobReplay");
    assert_eq!((done, codes), (1, vec!["ILLEGAL_TRANSITION".to_owned(); 5]));
    let row = job::Entity::find_by_id(JobId::parse(&id).unwrap());
    let row = row.one(t.app.db().reader()).await.unwrap().unwrap();
    assert_eq!((row.status, row.attempts), (JobStatus::Pending, 0));
    t.settle().await;
    assert_eq!(dead(&t).await.at("jobs/totalCount"), 0);
    let row = job::Entity::find_by_id(row.id);
    let row = row.one(t.app.db().reader()).await.unwrap().unwrap();
    assert_eq!((row.status, row.attempts), (JobStatus::Done, 1));
}

async fn poison_does_not_keep_other_jobs_waiting(t: TestApp) {
    // More poison than jobs run at once, and all of it first in the queue.
    for n in 0..6 {
        t.queue("no such topic", json!({ "n": n }), None).await;
        t.queue("event", json!({ "event": { "type": "no.such" } }), None)
            .await;
        t.queue(RESUME, json!({ "run": 7 }), None).await;
    }
    let user = t.admin().await.id;
    t.write(move |tx| {
        for _ in 0..30 {
            tx.record(ensemble::events::Event::UserActivated { user_id: user });
        }
        Box::pin(async { Ok(()) })
    })
    .await
    .unwrap();
    t.settle().await;
    let good = |job: &&job::Model| job.payload["event"]["type"] == "user.activated";
    let events = jobs_of(&t, "event").await;
    let done: Vec<_> = events.iter().filter(good).map(|job| job.status).collect();
    assert_eq!(done, [JobStatus::Done; 30]);
    // A job that can never succeed becomes a dead letter at once.
    let listed = dead(&t).await;
    assert_eq!(listed.at("jobs/totalCount"), 18);
    let told: BTreeSet<_> = (0..18)
        .map(|n| {
            let at = |field| listed.text(&format!("jobs/nodes/{n}/{field}"));
            (at("topic"), at("lastError"))
        })
        .collect();
    let unreadable = "The payload of this job cannot be read.";
    let unknown = "This version of the server does not support this topic.";
    let expected = [
        ("event", unreadable),
        ("no such topic", unknown),
        (RESUME, unreadable),
    ];
    assert_eq!(
        told,
        expected
            .map(|(topic, error)| (topic.to_owned(), error.to_owned()))
            .into()
    );
}

async fn two_processes_tell_every_event_once(t: TestApp) {
    let market = market(&t).await;
    let seller = gold(&t, market, "Alpha").await;
    t.vendor(Role::AllianceManager).await;
    for n in 0..10 {
        let domain = format!("customer{n}.com");
        let input = claim(market.router, &domain, Some(&domain));
        let key = fresh_key(&t);
        submit_keyed(&t, &seller.manager, input, &key)
            .await
            .done("dealRegistrationSubmit");
    }
    let other = t.beside().await;
    at_once(
        [t.app.clone(), other.app.clone()]
            .map(|app| async move { while worker::turn(&app).await.unwrap() > 0 {} }),
    )
    .await;
    t.settle().await;
    let jobs = job::Entity::find().all(t.app.db().reader()).await.unwrap();
    assert!(
        jobs.iter()
            .all(|job| (job.status, job.attempts) == (JobStatus::Done, 1)),
        "{jobs:?}"
    );
    let mails = jobs.iter().filter(|job| job.topic == "mail").count();
    // The partner has its receipt, the reviewer a claim to review.
    assert_eq!(mails, 20);
    let sent = [t.outbox.sent(), other.outbox.sent()].concat();
    let ids: BTreeSet<_> = sent.iter().map(|mail| &mail.message.message_id).collect();
    assert_eq!((sent.len(), ids.len()), (20, 20));
}
