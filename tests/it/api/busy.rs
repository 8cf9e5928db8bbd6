//! A database that has no connection left, or is locked by others: who asks is told so in time, nothing was changed, and
//! the same call succeeds when it is over.

use std::{
    any::Any,
    time::{Duration, Instant},
};

use ensemble::{entity::user::Role, platform::db::Limits};
use metrics_exporter_prometheus::PrometheusBuilder;
use sea_orm::{DatabaseConnection, DbBackend};
use serde_json::json;

use super::{Door, Reply, faults::Busy, partners, token};
use crate::{
    cases,
    identity::{PASSWORD, member},
    money::operator,
    support::{TestApp, export, until},
};

cases!(
    a_mutation_without_a_connection_answers_retry_later_and_succeeds_on_retry,
    a_mutation_that_meets_a_lock_every_time_answers_retry_later,
    a_query_without_a_connection_answers_retry_later_and_the_server_lives_on,
    a_sign_in_that_waits_for_its_verification_holds_no_connection,
);

const CREATE: &str = r#"mutation { partnerCreate(input: {legalName: "Late", types: [SI]}) @idempotent(key: "k") { partner { legalName } userErrors { code } } }"#;
const LOOK: &str = "{ partners { nodes { legalName } } }";

/// Takes every connection of a pool until it is dropped.
async fn all_of(pool: &DatabaseConnection) -> Vec<Box<dyn Any + Send>> {
    let mut taken: Vec<Box<dyn Any + Send>> = Vec::new();
    match pool.get_database_backend() {
        DbBackend::Postgres => {
            let pool = pool.get_postgres_connection_pool();
            for _ in 0..pool.options().get_max_connections() {
                taken.push(Box::new(pool.acquire().await.unwrap()));
            }
        }
        _ => {
            let pool = pool.get_sqlite_connection_pool();
            for _ in 0..pool.options().get_max_connections() {
                taken.push(Box::new(pool.acquire().await.unwrap()));
            }
        }
    }
    taken
}

#[track_caller]
fn retry_later(answer: &Reply) {
    assert_eq!(answer.codes(), ["RETRY_LATER"], "{}", answer.text);
    let told = &answer.json["errors"][0];
    assert_eq!(told["extensions"]["retryable"], true, "{}", answer.text);
    assert!(
        answer.json["data"]["partnerCreate"].is_null(),
        "{}",
        answer.text
    );
}

#[track_caller]
fn created(answer: &Reply) {
    let expected = json!({ "partner": { "legalName": "Late" }, "userErrors": [] });
    assert_eq!(answer.data()["partnerCreate"], expected);
}

async fn a_mutation_without_a_connection_answers_retry_later_and_succeeds_on_retry(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    let before = export::normalised(t.app.db().reader()).await;
    let taken = all_of(t.app.db().maintenance()).await;
    retry_later(&door.ask(&ada, CREATE, json!({})).await);
    // Whoever reads is not concerned.
    let read = door.ask(&ada, LOOK, json!({})).await;
    assert_eq!(read.data(), &json!({ "partners": { "nodes": [] } }));
    drop(taken);
    assert_eq!(export::normalised(t.app.db().reader()).await, before);
    created(&door.ask(&ada, CREATE, json!({})).await);
    assert_eq!(partners(&t).await, 1);
}

async fn a_mutation_that_meets_a_lock_every_time_answers_retry_later(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    // A process that waits for no lock, so that the test need not wait either.
    let other = match t.app.db().backend() {
        DbBackend::Postgres => {
            let impatient = Limits {
                lock: Duration::from_millis(10),
                ..Limits::default()
            };
            t.reached_within(t.url(), impatient).await
        }
        _ => {
            let other = t.beside().await;
            operator(&other, "PRAGMA busy_timeout = 0").await.unwrap();
            other
        }
    };
    let door = Door::open(&other, |_| ());
    let before = export::normalised(t.app.db().reader()).await;
    let busy = Busy::start(&t).await;
    let (refused, tries, took) = counted(door.clone(), ada.clone()).await;
    retry_later(&refused);
    assert_eq!(tries, "6", "a try and five more");
    // The five pauses are 1.3 seconds together at most.
    assert!(took < Duration::from_secs(3 + 2), "{took:?}");
    busy.end(&t).await;
    assert_eq!(export::normalised(t.app.db().reader()).await, before);
    created(&door.ask(&ada, CREATE, json!({})).await);
    assert_eq!(partners(&t).await, 1);
}

/// Asks for a partner; also tells how often that met a lock, and how long it took.
async fn counted(door: Door, bearer: String) -> (Reply, String, Duration) {
    // A recorder is one thread's, so everything counted has to happen on that thread.
    let asked = move || {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let started = Instant::now();
        let answer = runtime.block_on(door.ask(&bearer, CREATE, json!({})));
        let took = started.elapsed();
        let numbers = recorder.handle().render();
        let met = "ensemble_write_retries_total{operation=\"partnerCreate\"";
        let line = numbers.lines().find(|line| line.starts_with(met));
        let times = line.and_then(|line| line.rsplit(' ').next()).unwrap_or("0");
        (answer, times.to_owned(), took)
    };
    tokio::task::spawn_blocking(asked).await.unwrap()
}

async fn a_query_without_a_connection_answers_retry_later_and_the_server_lives_on(t: TestApp) {
    let auditor = t.vendor(Role::Auditor).await;
    let bearer = token(&t, &auditor);
    let door = Door::open(&t, |_| ());
    let taken = all_of(t.app.db().reader()).await;
    // One who was let in before the pool was full, and one whose session cannot be looked up any more.
    let (asked, refused) = tokio::join!(
        t.ask(&auditor, LOOK, json!({})),
        door.ask(&bearer, LOOK, json!({}))
    );
    assert_eq!(asked.error(), "RETRY_LATER");
    assert_eq!(asked.json["errors"][0]["extensions"]["retryable"], true);
    assert_eq!(
        (refused.status.as_u16(), refused.refused()),
        (503, "RETRY_LATER")
    );
    let connections = taken.len();
    drop(taken);
    for _ in 0..=connections {
        let answer = door.ask(&bearer, LOOK, json!({})).await;
        assert_eq!(answer.data(), &json!({ "partners": { "nodes": [] } }));
    }
}

async fn a_sign_in_that_waits_for_its_verification_holds_no_connection(t: TestApp) {
    member(&t, "ada@vendor.example", Role::Administrator, None).await;
    let door = Door::open(&t, |_| ());
    let others = t.app.passwords().occupy().await.unwrap();
    t.statements();
    let sign_in = "mutation($password: String!) { login(input: {email: \"ada@vendor.example\", password: $password}) \
                   { accessToken userErrors { code } } }";
    let asked = tokio::spawn({
        let door = door.clone();
        async move { door.ask("", sign_in, json!({ "password": PASSWORD })).await }
    });
    until("the look at the account", || async {
        let sent = t.statements();
        sent.iter().any(|one| one.sql.contains("\"password_hash\""))
    })
    .await;
    // Each of these fails after five seconds without a connection.
    let readers = all_of(t.app.db().reader()).await;
    let writers = all_of(t.app.db().maintenance()).await;
    assert!(!asked.is_finished());
    drop((readers, writers, others));
    let answer = asked.await.unwrap();
    assert!(
        answer.data()["login"]["accessToken"].is_string(),
        "{}",
        answer.text
    );
}
