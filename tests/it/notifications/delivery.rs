//! What becomes of a mail that cannot be sent, and of a worker that does not come back in time.

use chrono::TimeDelta;
use ensemble::{
    entity::{
        audit_event,
        ids::JobId,
        job::{JobLane, JobStatus},
        user::{Role, UserStatus},
    },
    events::Event,
    platform::{
        ids::TypedId,
        jobs::{self, Job},
        mail::MailFault,
    },
    worker,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use super::{
    approved, jobs_of, mail_to, record,
    rows::{World, change},
    told,
};
use crate::{cases, support::TestApp};

cases!(
    a_server_that_is_down_three_times_gets_the_mail_once,
    a_silent_server_is_tried_again,
    what_is_refused_for_good_waits_for_an_operator_who_replays_it,
    dead_letters_are_the_administrators_business,
    the_history_of_jobs_is_listed_by_status_and_topic,
    somebody_deactivated_meanwhile_gets_no_mail,
    a_worker_past_its_lease_settles_and_sends_nothing,
    an_event_expanded_twice_makes_each_mail_once,
    two_workers_send_each_mail_once,
    an_unreadable_job_becomes_a_dead_letter,
);

/// Does the work of a claimed job.
async fn run(t: &TestApp, job: &Job) {
    ensemble::jobs::run(&t.app, job).await.unwrap();
}

async fn a_server_that_is_down_three_times_gets_the_mail_once(t: TestApp) {
    let world = World::new(&t).await;
    t.outbox
        .fail(3, MailFault::Transient("connection refused".to_owned()));
    record(&t, approved(&world)).await;
    for attempt in 0..3 {
        t.settle().await;
        assert_eq!(t.outbox.sent().len(), 0);
        let mail = jobs_of(&t, "mail").await.remove(0);
        assert_eq!(
            (mail.status, mail.attempts),
            (JobStatus::Pending, attempt + 1)
        );
        assert_eq!(
            mail.last_error.as_deref(),
            Some("The mail server did not accept the email. Another attempt follows.")
        );
        t.advance(TimeDelta::hours(1));
    }
    t.settle().await;
    let job = jobs_of(&t, "mail").await.remove(0);
    assert_eq!((job.status, job.attempts), (JobStatus::Done, 4));
    let mail = mail_to(&t, &world.ann);
    assert_eq!(
        mail.message.message_id,
        format!("<{}@localhost>", job.id.uuid().simple())
    );
    assert_eq!(mail.message.date, job.created_at);
    t.advance(TimeDelta::days(1));
    t.settle().await;
    assert_eq!(t.outbox.sent().len(), 1);
}

async fn a_silent_server_is_tried_again(t: TestApp) {
    let world = World::new(&t).await;
    t.outbox.hang(true);
    record(&t, approved(&world)).await;
    t.settle().await;
    let job = jobs_of(&t, "mail").await.remove(0);
    assert_eq!((job.status, job.attempts), (JobStatus::Pending, 1));
    t.outbox.hang(false);
    t.advance(TimeDelta::hours(1));
    t.settle().await;
    assert_eq!(told(&t).len(), 1);
}

const DEAD: &str = "{ jobs(filter: {status: [DEAD]}) { totalCount nodes { id topic attempts lastError createdAt } } }";

const REPLAY: &str = "mutation($id: ID!) { jobReplay(input: {jobId: $id}) { job { id attempts } userErrors { code field } } }";

async fn what_is_refused_for_good_waits_for_an_operator_who_replays_it(t: TestApp) {
    let world = World::new(&t).await;
    let admin = t.admin().await;
    let refusal = format!(
        "permanent error (550): 5.1.1 <{}> user unknown",
        world.ann.email
    );
    t.outbox.fail(1, MailFault::Permanent(refusal));
    record(&t, approved(&world)).await;
    t.settle().await;
    t.advance(TimeDelta::days(2));
    t.settle().await;
    assert_eq!(told(&t), []);
    let job = jobs_of(&t, "mail").await.remove(0);
    let listed = t.ask(&admin, DEAD, json!({})).await;
    assert_eq!(
        listed.at("jobs"),
        &json!({ "totalCount": 1, "nodes": [{
            "id": job.id.text(), "topic": "mail", "attempts": 1, "createdAt": "2026-03-01T09:00:00Z",
            "lastError": "The mail server rejected the email, or its address or content cannot be sent.",
        }] })
    );
    let replayed = t.ask(&admin, REPLAY, json!({"id": job.id.text()})).await;
    assert_eq!(
        replayed.done("jobReplay").at("jobReplay/job"),
        &json!({"id": job.id.text(), "attempts": 0})
    );
    t.settle().await;
    assert_eq!(told(&t).len(), 1);
    assert_eq!(
        t.ask(&admin, DEAD, json!({})).await.at("jobs/totalCount"),
        &json!(0)
    );
    let again = t.ask(&admin, REPLAY, json!({"id": job.id.text()})).await;
    assert_eq!(again.refusal("jobReplay"), "ILLEGAL_TRANSITION");
    let actions =
        audit_event::Entity::find().filter(audit_event::Column::Action.eq("job.replayed"));
    assert_eq!(actions.count(t.app.db().reader()).await.unwrap(), 1);
}

async fn the_history_of_jobs_is_listed_by_status_and_topic(t: TestApp) {
    let world = World::new(&t).await;
    let admin = t.admin().await;
    t.settle().await;
    let document = "query($filter: JobFilter) { jobs(filter: $filter) { totalCount nodes {
        topic status attempts lastError requestId createdAt dueAt finishedAt } } }";
    let ask = |filter: Value| t.ask(&admin, document, json!({ "filter": filter }));
    let before = ask(json!({})).await.at("jobs/totalCount").clone();
    assert_eq!(before, json!(0));
    record(&t, approved(&world)).await;
    let waiting = ask(json!({ "status": ["PENDING"] })).await;
    assert_eq!(
        waiting.at("jobs"),
        &json!({ "totalCount": 1, "nodes": [{ "topic": "event", "status": "PENDING", "attempts": 0, "lastError": null,
            "requestId": null, "createdAt": "2026-03-01T09:00:00Z", "dueAt": "2026-03-01T09:00:00Z", "finishedAt": null }] })
    );
    t.outbox.fail(1, MailFault::Permanent("no".to_owned()));
    t.settle().await;
    for (filter, topics) in [
        (
            json!(null),
            json!([{ "topic": "mail" }, { "topic": "event" }]),
        ),
        (json!({ "status": ["DONE"] }), json!([{ "topic": "event" }])),
        (
            json!({ "status": ["DONE", "DEAD"], "topic": "mail" }),
            json!([{ "topic": "mail" }]),
        ),
        (json!({ "status": ["DONE"], "topic": "mail" }), json!([])),
        (json!({ "topic": "nothing" }), json!([])),
    ] {
        let listed = t
            .ask(
                &admin,
                "query($filter: JobFilter) { jobs(filter: $filter) { nodes { topic } } }",
                json!({ "filter": filter }),
            )
            .await;
        assert_eq!(listed.at("jobs/nodes"), &topics, "{filter}");
    }
    let done = ask(json!({ "status": ["DONE"] })).await;
    assert_eq!(
        done.at("jobs/nodes/0/finishedAt"),
        &json!("2026-03-01T09:00:00Z")
    );
}

async fn dead_letters_are_the_administrators_business(t: TestApp) {
    let world = World::new(&t).await;
    t.outbox.fail(1, MailFault::Permanent("no".to_owned()));
    record(&t, approved(&world)).await;
    t.settle().await;
    let id = jobs_of(&t, "mail").await[0].id.text();
    for person in [&world.alma, &world.ann, &t.vendor(Role::Auditor).await] {
        assert_eq!(t.ask(person, DEAD, json!({})).await.error(), "FORBIDDEN");
        assert_eq!(
            t.ask(person, REPLAY, json!({"id": id}))
                .await
                .refusal("jobReplay"),
            "FORBIDDEN"
        );
    }
    let nobody = t
        .ask_as(&ensemble::access::Actor::Anonymous, DEAD, json!({}))
        .await;
    assert_eq!(nobody.error(), "UNAUTHENTICATED");
    let admin = t.admin().await;
    for unknown in ["job_00000000000000000000000000", "nothing"] {
        assert_eq!(
            t.ask(&admin, REPLAY, json!({"id": unknown}))
                .await
                .refusal("jobReplay"),
            "NOT_FOUND"
        );
    }
    assert_eq!(jobs_of(&t, "mail").await[0].status, JobStatus::Dead);
}

async fn somebody_deactivated_meanwhile_gets_no_mail(t: TestApp) {
    let world = World::new(&t).await;
    record(&t, approved(&world)).await;
    worker::drain(&t.app, JobLane::Bulk).await.unwrap();
    assert_eq!(jobs_of(&t, "mail").await.len(), 1);
    change(&t, &world.ann, |user| {
        user.status = Set(UserStatus::Deactivated)
    })
    .await;
    t.settle().await;
    assert_eq!(told(&t), []);
    assert_eq!(jobs_of(&t, "mail").await[0].status, JobStatus::Done);
}

async fn a_worker_past_its_lease_settles_and_sends_nothing(t: TestApp) {
    let world = World::new(&t).await;
    record(&t, approved(&world)).await;
    let frozen_event = t.claim().await.remove(0);
    t.advance(TimeDelta::minutes(4));
    let event = t.claim().await.remove(0);
    assert_eq!((event.id, event.lease_epoch), (frozen_event.id, 2));
    run(&t, &frozen_event).await;
    assert_eq!(jobs_of(&t, "mail").await, []);
    assert_eq!(jobs_of(&t, "event").await[0].status, JobStatus::Pending);
    run(&t, &event).await;

    let frozen = t.claim().await.remove(0);
    t.advance(TimeDelta::minutes(4));
    let mail = t.claim().await.remove(0);
    run(&t, &frozen).await;
    assert_eq!(
        (told(&t), jobs_of(&t, "mail").await[0].status),
        (vec![], JobStatus::Pending)
    );
    let late = frozen.clone();
    assert!(
        !t.write(move |tx| {
            let late = late.clone();
            Box::pin(async move { jobs::finish(tx, &late).await })
        })
        .await
        .unwrap()
    );
    run(&t, &mail).await;
    run(&t, &frozen).await;
    assert_eq!(
        (told(&t).len(), jobs_of(&t, "mail").await[0].status),
        (1, JobStatus::Done)
    );
}

async fn an_event_expanded_twice_makes_each_mail_once(t: TestApp) {
    let world = World::new(&t).await;
    record(&t, approved(&world)).await;
    let event = t.claim().await.remove(0);
    tokio::join!(run(&t, &event), run(&t, &event));
    assert_eq!(jobs_of(&t, "mail").await.len(), 1);
    t.settle().await;
    assert_eq!(told(&t).len(), 1);
}

async fn two_workers_send_each_mail_once(t: TestApp) {
    let world = World::new(&t).await;
    for _ in 0..15 {
        record(&t, approved(&world)).await;
        record(
            &t,
            Event::RegistrationAnswered {
                registration_id: world.registration,
                partner_id: world.acme,
            },
        )
        .await;
    }
    let work = |app: ensemble::app::App| async move {
        tokio::spawn(async move { while worker::turn(&app).await.unwrap() > 0 {} })
            .await
            .unwrap();
    };
    tokio::join!(work(t.app.clone()), work(t.app.clone()));
    t.settle().await;
    let mut ids: Vec<_> = t
        .outbox
        .sent()
        .into_iter()
        .map(|mail| mail.message.message_id)
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), t.outbox.sent().len()), (30, 30));
    assert!(
        jobs_of(&t, "mail")
            .await
            .iter()
            .all(|job| (job.status, job.attempts) == (JobStatus::Done, 1))
    );
}

async fn an_unreadable_job_becomes_a_dead_letter(t: TestApp) {
    let admin = t.admin().await;
    t.queue("event", json!({"event": {"type": "no.such"}}), None)
        .await;
    t.settle().await;
    let listed = t.ask(&admin, DEAD, json!({})).await;
    assert_eq!(listed.at("jobs/nodes/0/topic"), &Value::from("event"));
    assert!(JobId::parse(&listed.text("jobs/nodes/0/id")).is_some());
}
