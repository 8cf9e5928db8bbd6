//! A request that takes too long answers in time, and its write has happened once or not at all, on every way in.

use std::{sync::Arc, time::Duration};

use axum::http::Request;
use ensemble::{entity::user::Role, error::Error};
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::json;
use tokio::sync::{Notify, oneshot};

use super::{Door, Reply, partners, token};
use crate::{cases, support::TestApp};

cases!(
    a_late_mutation_answers_timeout_and_happens_once,
    a_late_mutation_repeated_under_its_key_happens_once,
    what_comes_after_a_late_mutation_does_not_happen,
    a_late_mutation_over_events_answers_timeout_and_happens_once,
);

pub const CREATE: &str = r#"mutation { partnerCreate(input: {legalName: "Late", types: [SI]}) { partner { id } userErrors { code } } }"#;

/// Keeps every other write waiting until it is let go.
pub struct Busy {
    go: Arc<Notify>,
    done: tokio::task::JoinHandle<()>,
}

impl Busy {
    pub async fn start(t: &TestApp) -> Self {
        Self::over(t, "partner").await
    }

    /// Keeps, on PostgreSQL, only writes to this table waiting.
    pub async fn over(t: &TestApp, table: &'static str) -> Self {
        let go = Arc::new(Notify::new());
        let (held, holds) = oneshot::channel();
        let held = Arc::new(std::sync::Mutex::new(Some(held)));
        let (app, wait) = (t.clone(), Arc::clone(&go));
        let done = tokio::spawn(async move {
            let outcome: Result<(), Error> = app
                .write(move |tx| {
                    let (wait, held) = (Arc::clone(&wait), Arc::clone(&held));
                    Box::pin(async move {
                        // SQLite has one writer at a time; on PostgreSQL the table is what is waited for.
                        if tx.backend() == DbBackend::Postgres {
                            let lock = format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE");
                            tx.execute_unprepared(&lock).await?;
                        }
                        if let Some(held) = held.lock().unwrap().take() {
                            held.send(()).unwrap();
                        }
                        wait.notified().await;
                        Ok(())
                    })
                })
                .await;
            outcome.unwrap();
        });
        holds.await.unwrap();
        Self { go, done }
    }

    /// Lets the others go on and waits until they are done.
    pub async fn end(self, t: &TestApp) {
        self.go.notify_one();
        self.done.await.unwrap();
        while !t.app.tasks().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

fn hasty(t: &TestApp) -> Door {
    Door::open(t, |settings| settings.deadline = Duration::from_millis(100))
}

fn timed_out(answer: &Reply) {
    assert_eq!(answer.status, 504, "{}", answer.text);
    assert_eq!(answer.refused(), "TIMEOUT");
    let extensions = &answer.json["errors"][0]["extensions"];
    assert_eq!(extensions["retryable"], true);
    assert!(extensions["requestId"].is_string());
    assert!(answer.json["extensions"]["cost"]["requested"].is_u64());
}

async fn a_late_mutation_answers_timeout_and_happens_once(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let busy = Busy::start(&t).await;
    timed_out(&hasty(&t).ask(&ada, CREATE, json!({})).await);
    assert_eq!(partners(&t).await, 0);
    busy.end(&t).await;
    assert_eq!(partners(&t).await, 1);
}

async fn a_late_mutation_repeated_under_its_key_happens_once(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let keyed = CREATE.replace("types: [SI]})", "types: [SI]}) @idempotent(key: \"k\")");
    let busy = Busy::start(&t).await;
    timed_out(&hasty(&t).ask(&ada, &keyed, json!({})).await);
    busy.end(&t).await;
    let patient = Door::open(&t, |_| ());
    let first = patient.ask(&ada, &keyed, json!({})).await;
    let second = patient.ask(&ada, &keyed, json!({})).await;
    assert_eq!(first.data(), second.data());
    assert_eq!(first.data()["partnerCreate"]["userErrors"], json!([]));
    assert_eq!(partners(&t).await, 1);
}

async fn what_comes_after_a_late_mutation_does_not_happen(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let busy = Busy::start(&t).await;
    let create = |key: &str| {
        format!(
            "{key}: partnerCreate(input: {{legalName: \"{key}\", types: [SI]}}) {{ userErrors {{ code }} }}"
        )
    };
    let document = format!("mutation {{ {} {} }}", create("one"), create("two"));
    let answer = hasty(&t).ask(&ada, &document, json!({})).await;
    assert_eq!(answer.refused(), "TIMEOUT");
    busy.end(&t).await;
    // The first was under way and is finished; the second was not begun.
    let auditor = t.vendor(Role::Auditor).await;
    let found = t
        .ask(&auditor, "{ partners { nodes { legalName } } }", json!({}))
        .await;
    assert_eq!(found.at("partners/nodes"), &json!([{ "legalName": "one" }]));
}

async fn a_late_mutation_over_events_answers_timeout_and_happens_once(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let busy = Busy::start(&t).await;
    let request = Request::post("/graphql/stream")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .header("authorization", format!("Bearer {ada}"))
        .body(json!({ "query": CREATE }).to_string().into())
        .unwrap();
    let answer = hasty(&t).send(request).await;
    assert!(answer.text.starts_with("event: next"), "{}", answer.text);
    assert!(
        answer.text.contains(r#""code":"TIMEOUT""#),
        "{}",
        answer.text
    );
    assert!(answer.text.contains("event: complete"), "{}", answer.text);
    busy.end(&t).await;
    assert_eq!(partners(&t).await, 1);
}
