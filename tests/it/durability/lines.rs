//! Lines to the database that fall silent, and tables that others lock: every request is answered in time, what is not
//! concerned goes on, and all of it works again soon after.

use std::time::{Duration, Instant};

use ensemble::{platform::db::Limits, worker};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::{
    account::{number, observer},
    proxy::{Fault, Proxy},
};
use crate::{
    cases,
    support::{Answer, Person, TestApp, until},
};

cases!(
    // A file has no line to it, and its one writer is waited for as a whole.
    postgres: [
        a_silent_line_is_left_in_time,
        a_locked_table_leaves_other_changes_alone,
        a_server_limits_what_the_database_may_take,
    ],
);

const PARTNER: &str = "mutation($name: String!) {
    partnerCreate(input: {legalName: $name, types: [SI]}) @idempotent(key: $name) { partner { id } userErrors { code } } }";
const FAMILY: &str = "mutation($name: String!) {
    productFamilyCreate(input: {code: $name, name: $name}) { productFamily { id } userErrors { code } } }";

async fn create(t: &TestApp, person: &Person, document: &str, name: &str) -> Answer {
    t.ask(person, document, json!({ "name": name })).await
}

fn is_done(answer: &Answer) -> bool {
    answer.json.get("errors").is_none()
}

async fn a_silent_line_is_left_in_time(t: TestApp) {
    let admin = t.admin().await;
    let proxy = Proxy::before(t.url()).await;
    // As a server has them, in a hurry.
    let limits = Limits {
        statement: Some(Duration::from_secs(1)),
        ..Limits::default()
    };
    let far = t.reached_within(&proxy.leading_to(t.url()), limits).await;
    for (round, packets) in [0, 1, 4, 9].into_iter().enumerate() {
        // Both pools are full of sessions.
        let crowd = (0..6).map(|number| {
            let (far, admin) = (far.clone(), admin.clone());
            let name = format!("Before {round} {number}");
            tokio::spawn(async move {
                create(&far, &admin, PARTNER, &name)
                    .await
                    .done("partnerCreate");
            })
        });
        for one in crowd.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        proxy.fault_after(Fault::Swallowed, packets);
        let since = Instant::now();
        let asked = (0..4).map(|number| {
            let (far, admin) = (far.clone(), admin.clone());
            let name = format!("During {round} {number}");
            tokio::spawn(async move {
                let answer = create(&far, &admin, PARTNER, &name).await;
                (name, answer, since.elapsed())
            })
        });
        for one in asked.collect::<Vec<_>>() {
            let (name, mut answer, took) = one.await.unwrap();
            assert!(took < Duration::from_secs(10), "{name}: {took:?}");
            // Repeated under its key whatever became of it, it has happened once. The database knows nothing of the
            // silence and keeps the key locked until it ends the idle transaction, so a repetition may be too early.
            while !is_done(&answer) {
                assert_eq!(answer.json["errors"][0]["extensions"]["retryable"], true);
                assert!(since.elapsed() < Duration::from_secs(30), "{name}");
                let again = Instant::now();
                answer = create(&far, &admin, PARTNER, &name).await;
                assert!(again.elapsed() < Duration::from_secs(10), "{name}");
            }
            create(&far, &admin, PARTNER, &name)
                .await
                .done("partnerCreate");
        }
        assert!(proxy.mend(), "no packet was swallowed");
        until("ready", || async { far.app.db().ready().await.is_ok() }).await;
        assert!(since.elapsed() < Duration::from_secs(30));
        worker::turn(&far.app).await.unwrap();
    }
    let found = t
        .ask(&admin, "{ partners(first: 1) { totalCount } }", json!({}))
        .await;
    assert_eq!(found.at("partners/totalCount"), &json!(4 * (6 + 4)));
}

async fn a_locked_table_leaves_other_changes_alone(t: TestApp) {
    let admin = t.admin().await;
    let limits = Limits {
        lock: Duration::from_millis(500),
        ..Limits::default()
    };
    let t = t.reached_within(t.url(), limits).await;
    let other = observer(t.url()).await;
    let lock = "BEGIN; LOCK TABLE partner IN SHARE ROW EXCLUSIVE MODE";
    other.execute_unprepared(lock).await.unwrap();
    // Many more than there are connections.
    let waiting: Vec<_> = (0..25)
        .map(|number| {
            let (t, admin) = (t.clone(), admin.clone());
            tokio::spawn(async move {
                let since = Instant::now();
                let answer = create(&t, &admin, PARTNER, &format!("Waiting {number}")).await;
                (answer, since.elapsed())
            })
        })
        .collect();
    let (mut slowest, mut round) = (Duration::ZERO, 0);
    while round == 0 || !waiting.iter().all(tokio::task::JoinHandle::is_finished) {
        let since = Instant::now();
        let answer = create(&t, &admin, FAMILY, &format!("FREE{round}")).await;
        answer.done("productFamilyCreate");
        slowest = slowest.max(since.elapsed());
        round += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Until the first of them has found out, they hold every connection.
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    for one in waiting {
        let (answer, took) = one.await.unwrap();
        assert_eq!(answer.error(), "RETRY_LATER");
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    other.execute_unprepared("ROLLBACK").await.unwrap();
    for number in 0..25 {
        let name = format!("Waiting {number}");
        create(&t, &admin, PARTNER, &name)
            .await
            .done("partnerCreate");
    }
    let found = t
        .ask(&admin, "{ partners(first: 1) { totalCount } }", json!({}))
        .await;
    assert_eq!(found.at("partners/totalCount"), &json!(25));
}

async fn a_server_limits_what_the_database_may_take(t: TestApp) {
    let serving = t.reached_within(t.url(), Limits::default().serving()).await;
    assert_eq!(shown(&serving).await, [3_000, 12_000, 20_000]);
    // A command of an operator may read everything.
    assert_eq!(shown(&t).await, [3_000, 0, 20_000]);
}

/// The limits in milliseconds: for one of them versions of PostgreSQL print different units.
async fn shown(t: &TestApp) -> [i64; 3] {
    let db = t.app.db().maintenance();
    let mut shown = [0; 3];
    let settings = ["lock_timeout", "statement_timeout", "tcp_user_timeout"];
    for (value, setting) in shown.iter_mut().zip(settings) {
        let sql = format!(
            "SELECT setting::bigint FROM pg_settings WHERE name = '{setting}' AND unit = 'ms'"
        );
        *value = number(db, &sql).await;
    }
    shown
}
