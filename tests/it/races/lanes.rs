//! Slow or high-volume jobs delay only their own lane. The worker runs here as in production.

use std::time::Duration;

use ensemble::{
    entity::{
        audit_event, audit_seal,
        ids::PayoutRunId,
        job::{self, JobLane, JobStatus},
        payout_run::{self, RunStatus},
        user::Role,
    },
    events::Event,
    payouts,
    platform::{ids::TypedId, jobs, mail::MailTransport},
    tx::Call,
    worker,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Realm;
use crate::{
    cases,
    deals::market::*,
    durability::post::{Misfortune, PostOffice},
    support::{Person, TestApp, until},
};

cases!(
    a_mail_server_that_hangs_delays_nothing_but_mail,
    thousands_of_bulk_jobs_delay_no_payment,
    a_slow_job_leaves_the_other_runners_of_its_lane_to_the_next,
    a_person_who_waits_comes_before_the_statements_of_a_month,
    a_worker_that_is_told_to_stop_finishes_what_it_began,
);

/// The application with a worker that stops when this is dropped, like a killed process.
struct Working {
    t: TestApp,
    worker: JoinHandle<()>,
    stop: CancellationToken,
}

impl Working {
    fn on(t: &TestApp) -> Self {
        Self::posting(t, MailTransport::Memory(t.outbox.clone()))
    }

    /// A mail without an answer occupies its runner for ten minutes.
    fn posting(t: &TestApp, by: MailTransport) -> Self {
        let t = t.posting_by(by, Duration::from_secs(600));
        let stop = CancellationToken::new();
        let worker = tokio::spawn(worker::run(t.app.clone(), stop.clone()));
        Self { t, worker, stop }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

/// How many jobs of a lane have a status; none of them has failed.
async fn count(t: &TestApp, lane: JobLane, status: JobStatus) -> u64 {
    let failed = job::Entity::find().filter(job::Column::LastError.is_not_null());
    let failed = failed.one(t.app.db().reader()).await.unwrap();
    assert_eq!(failed, None);
    let jobs = job::Entity::find()
        .filter(job::Column::Lane.eq(lane))
        .filter(job::Column::Status.eq(status));
    jobs.count(t.app.db().reader()).await.unwrap()
}

/// Mails being sent or already tried.
async fn attempted(t: &TestApp) -> u64 {
    let mails = job::Entity::find()
        .filter(job::Column::Lane.eq(JobLane::Mail))
        .filter(job::Column::Attempts.gt(0));
    mails.count(t.app.db().reader()).await.unwrap()
}

/// Queues this many mails about a changed password.
async fn tell(t: &TestApp, person: &Person, times: usize) {
    let user_id = person.id;
    t.write(move |tx| {
        for _ in 0..times {
            tx.record(Event::PasswordChanged { user_id });
        }
        Box::pin(async { Ok(()) })
    })
    .await
    .unwrap();
}

async fn reaches(t: &TestApp, run: PayoutRunId, status: RunStatus) {
    until(&format!("{status:?}"), || async {
        let run = payout_run::Entity::find_by_id(run);
        let run = run.one(t.app.db().reader()).await.unwrap().unwrap();
        run.status == status
    })
    .await;
}

/// A run whose callers leave every possible step to the worker.
async fn pays(realm: &Realm, t: &TestApp) {
    let command = payouts::create::Create {
        program_id: Some(realm.market.program),
        period_start: "2026-01-01".parse().unwrap(),
        period_end: "2999-12-31".parse().unwrap(),
    };
    let call = Call::of("test", realm.maker.actor.clone());
    let run = t.app.write(call, move |tx| {
        Box::pin(payouts::create::create(tx, command))
    });
    let run = run.await.unwrap();
    reaches(t, run, RunStatus::Review).await;
    realm.approve(t, &run.text()).await.done("payoutRunApprove");
    let call = Call::of("test", realm.checker.actor.clone());
    t.app
        .write(call, move |tx| {
            Box::pin(payouts::execute::start(tx, run, "FILE_EXPORT"))
        })
        .await
        .unwrap();
    reaches(t, run, RunStatus::Completed).await;
}

async fn a_mail_server_that_hangs_delays_nothing_but_mail(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Alpha").await;
    realm.win(&seller, 100_000).await;
    let mut input = claim(realm.market.router, "Acme", Some("acme.com"));
    input["programId"] = json!(realm.market.program.text());
    let id = registered(&t, &seller.manager, input).await;
    approved(&t, &t.vendor(Role::AllianceManager).await, &id).await;
    let admin = t.admin().await;
    tell(&t, &admin, 8).await;
    t.outbox.hang(true);

    let working = Working::on(&t);
    until("a mail in the hands of every runner", || async {
        attempted(&t).await == 4
    })
    .await;
    pays(&realm, &working.t).await;
    assert_eq!(realm.balance(seller.partner).await.paid, 7_500);
    // The day after the protection ended.
    t.clock.set(at("2026-06-01T09:00:00Z"));
    until("the end of the protection", || async {
        events(&t, "deal_registration.expired").await.len() == 1
    })
    .await;
    until("a sealed trail", || async {
        t.advance(chrono::TimeDelta::seconds(1));
        let db = t.app.db().reader();
        let events = audit_event::Entity::find().count(db).await.unwrap();
        audit_seal::Entity::find().count(db).await.unwrap() == events
    })
    .await;
    until("told events", || async {
        count(&t, JobLane::Bulk, JobStatus::Pending).await == 0
    })
    .await;
    let waiting = count(&t, JobLane::Mail, JobStatus::Pending).await;
    assert!(waiting > 8, "{waiting}");
    assert_eq!((t.outbox.sent().len(), attempted(&t).await), (0, 4));
    assert_eq!(count(&t, JobLane::Money, JobStatus::Pending).await, 0);

    // Another process sends them all as soon as the mail server answers.
    drop(working);
    t.outbox.hang(false);
    t.advance(chrono::TimeDelta::minutes(4));
    t.settle().await;
    assert_eq!(count(&t, JobLane::Mail, JobStatus::Pending).await, 0);
    let sent = u64::try_from(t.outbox.sent().len()).unwrap();
    assert!(sent >= waiting, "{sent}");
}

async fn thousands_of_bulk_jobs_delay_no_payment(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Alpha").await;
    realm.win(&seller, 100_000).await;
    t.settle().await;
    let user_id = t.admin().await.id;
    t.write(move |tx| {
        for _ in 0..4_000 {
            tx.record(Event::UserActivated { user_id });
        }
        Box::pin(async { Ok(()) })
    })
    .await
    .unwrap();
    let working = Working::on(&t);
    until("bulk work under way", || async {
        count(&t, JobLane::Bulk, JobStatus::Pending).await < 4_000
    })
    .await;
    pays(&realm, &working.t).await;
    assert_eq!(realm.balance(seller.partner).await.paid, 7_500);
    let left = count(&t, JobLane::Bulk, JobStatus::Pending).await;
    assert!(left > 100, "the payment came after {left}");
}

async fn a_slow_job_leaves_the_other_runners_of_its_lane_to_the_next(t: TestApp) {
    let admin = t.admin().await;
    let office = PostOffice::open(&[Misfortune::SilentAfterData]).await;
    let smtp = MailTransport::smtp(&office.url().into()).unwrap();
    let working = Working::posting(&t, smtp);
    tell(&working.t, &admin, 1).await;
    until("a mail that hangs", || async { office.kept().len() == 1 }).await;
    // More jobs than runners, so that each runner takes several.
    tell(&working.t, &admin, 12).await;
    until("the other mails", || async {
        count(&t, JobLane::Mail, JobStatus::Done).await == 12
    })
    .await;
    assert_eq!(office.kept().len(), 13);
    assert_eq!(count(&t, JobLane::Mail, JobStatus::Pending).await, 1);
}

async fn a_person_who_waits_comes_before_the_statements_of_a_month(t: TestApp) {
    // The statement of this event does not exist.
    t.leaves_books_altered();
    let user_id = t.admin().await.id;
    t.write(move |tx| {
        tx.record(Event::StatementPublished {
            statement_id: tx.id(),
            partner_id: tx.id(),
        });
        Box::pin(async { Ok(()) })
    })
    .await
    .unwrap();
    t.advance(chrono::TimeDelta::minutes(1));
    t.write(move |tx| {
        tx.record(Event::UserActivated { user_id });
        tx.record(Event::PasswordResetRequested {
            user_id,
            token_id: tx.id(),
        });
        Box::pin(async { Ok(()) })
    })
    .await
    .unwrap();
    let mut order = Vec::new();
    for _ in 0..3 {
        let claimed = t.write(|tx| Box::pin(jobs::claim(tx, JobLane::Bulk, 1)));
        let claimed = claimed.await.unwrap().remove(0);
        order.push(claimed.payload["event"]["type"].clone());
    }
    assert_eq!(
        json!(order),
        json!([
            "user.password_reset_requested",
            "user.activated",
            "statement.published"
        ])
    );
    for lane in [JobLane::Money, JobLane::Mail] {
        let claimed = t.write(move |tx| Box::pin(jobs::claim(tx, lane, 1)));
        assert_eq!(claimed.await.unwrap().len(), 0);
    }
}

async fn a_worker_that_is_told_to_stop_finishes_what_it_began(t: TestApp) {
    let admin = t.admin().await;
    let mut working = Working::on(&t);
    tell(&working.t, &admin, 30).await;
    until("a mail", || async { !t.outbox.sent().is_empty() }).await;
    working.stop.cancel();
    (&mut working.worker).await.unwrap();
    // No job is left under a lease.
    let leased = job::Entity::find()
        .filter(job::Column::Status.eq(JobStatus::Pending))
        .filter(job::Column::LeaseUntil.is_not_null());
    assert_eq!(leased.count(t.app.db().reader()).await.unwrap(), 0);
    t.settle().await;
    assert_eq!(t.outbox.sent().len(), 30);
}
