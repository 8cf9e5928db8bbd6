//! What an operator can see of what the server does: numbers, and lines of the log under the id of their request.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use ensemble::{
    entity::{
        audit_event,
        ids::{JobId, PayoutRunId},
        job::{self, JobLane},
        user::Role,
    },
    error::Error,
    events::Event,
    graphql::transport::Settings,
    platform::{
        ids::{self, TypedId},
        mail::MailFault,
    },
    server,
    tx::Call,
    worker,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    cases,
    identity::{PASSWORD, member},
    support::{TestApp, logs},
};

cases!(
    the_counters_rise_by_exactly_the_number_of_calls,
    one_request_id_stands_in_the_answer_the_log_and_the_audit_trail,
    a_fault_is_found_under_its_request_id,
    slow_statements_are_told_without_their_values,
    a_failing_job_is_logged_once_and_its_cause_stays_in_the_log,
    requests_and_jobs_are_counted_by_kind_and_outcome,
);

const CREATE: &str =
    "mutation($code: String!) { productFamilyCreate(input: {code: $code, name: \"A family\"}) {
    userErrors { code } } }";

async fn the_counters_rise_by_exactly_the_number_of_calls(t: TestApp) {
    // A recorder is one thread's, so everything counted has to happen on that thread.
    let numbers = tokio::task::spawn_blocking(move || {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(calls(t));
        recorder.handle().render()
    });
    let numbers = numbers.await.unwrap();
    let counted: Vec<_> = numbers
        .lines()
        .filter(|line| {
            line.starts_with("ensemble_operations_total") && line.contains("productFamilyCreate")
        })
        .map(|line| line.split("outcome=").nth(1).unwrap())
        .collect();
    let mut counted = counted;
    counted.sort_unstable();
    assert_eq!(counted, ["\"done\"} 3", "\"failed\"} 1", "\"refused\"} 4"]);
    let timed = "ensemble_operation_seconds_count{operation=\"productFamilyCreate\"} 8";
    assert!(numbers.lines().any(|line| line == timed), "{numbers}");
}

async fn calls(t: TestApp) {
    let t = t.another().await;
    let (admin, auditor) = (t.admin().await, t.vendor(Role::Auditor).await);
    for (person, code) in [
        (&admin, "A"),
        (&admin, "B"),
        (&admin, "C"),
        (&admin, "A"),
        (&admin, "B"),
        (&admin, " "),
        (&auditor, "D"),
    ] {
        t.ask(person, CREATE, json!({ "code": code })).await;
    }
    break_families(&t).await;
    let failed = t.ask(&admin, CREATE, json!({ "code": "E" })).await;
    assert_eq!(failed.error(), "INTERNAL");
    t.app.db().clone().close().await.unwrap();
}

/// From now on no family can be stored.
async fn break_families(t: &TestApp) {
    t.app
        .db()
        .maintenance()
        .execute_unprepared("ALTER TABLE product_family RENAME TO product_family_gone")
        .await
        .unwrap();
}

fn routes(t: &TestApp) -> Router {
    let transport = server::transport(&t.app, server::settings()).unwrap();
    server::routes(&t.app, transport, Vec::new(), &CancellationToken::new())
}

/// Sends a document under a request id; returns the id that came back, and the answer.
async fn send(
    routes: &Router,
    id: &str,
    token: Option<&str>,
    document: &str,
    variables: Value,
) -> (String, Value) {
    let mut request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("x-request-id", id);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = json!({ "query": document, "variables": variables }).to_string();
    let request = request.body(Body::from(body)).unwrap();
    let response = routes.clone().oneshot(request).await.unwrap();
    let id = response.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (id, serde_json::from_slice(&body).unwrap())
}

const LOGIN: &str = "mutation($email: String!, $password: String!) {
    login(input: {email: $email, password: $password}) { accessToken refreshToken userErrors { code } } }";

/// The topic of the next step of a payout run.
const ADVANCE: &str = "payout.advance";

/// Lines of the log that belong to a request and say this.
fn told(id: &str, what: &str) -> Vec<String> {
    let kept = logs::kept();
    let lines = kept
        .lines()
        .filter(|line| line.contains(id) && line.contains(what));
    lines.map(str::to_owned).collect()
}

/// An id that no other test uses.
fn request_id(t: &TestApp, name: &str) -> String {
    format!("{name}-{}", ids::mint(t.app.clock().now()).simple())
}

async fn one_request_id_stands_in_the_answer_the_log_and_the_audit_trail(t: TestApp) {
    logs::keep();
    member(&t, "anna@vendor.example", Role::Administrator, None).await;
    let routes = routes(&t);
    let who = json!({ "email": "anna@vendor.example", "password": PASSWORD });
    let (_, signed_in) = send(&routes, "first", None, LOGIN, who).await;
    let token = &signed_in["data"]["login"]["refreshToken"];
    let refresh = "mutation($token: String!) { tokenRefresh(input: {refreshToken: $token}) { userErrors { code } } }";
    let token = json!({ "token": token });
    send(&routes, "second", None, refresh, token.clone()).await;
    t.advance(chrono::TimeDelta::minutes(1));
    // A token that comes back later was copied: the mutation fails, and the session ends.
    let id = request_id(&t, "copied");
    let (sent_back, failed) = send(&routes, &id, None, refresh, token).await;
    assert_eq!(sent_back, id);
    assert_eq!(
        failed["data"]["tokenRefresh"]["userErrors"],
        json!([{ "code": "UNAUTHENTICATED" }])
    );
    assert_eq!(told(&id, "refused code=\"UNAUTHENTICATED\"").len(), 1);
    let ended = audit_event::Entity::find().filter(audit_event::Column::RequestId.eq(id.as_str()));
    let ended = ended.all(t.app.db().reader()).await.unwrap();
    let actions: Vec<_> = ended.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["session.ended"]);
}

async fn a_fault_is_found_under_its_request_id(t: TestApp) {
    logs::keep();
    member(&t, "anna@vendor.example", Role::Administrator, None).await;
    let routes = routes(&t);
    let who = json!({ "email": "anna@vendor.example", "password": PASSWORD });
    let (_, signed_in) = send(&routes, "first", None, LOGIN, who).await;
    let token = signed_in["data"]["login"]["accessToken"].as_str().unwrap();
    break_families(&t).await;
    let id = request_id(&t, "fault");
    let (sent_back, failed) = send(&routes, &id, Some(token), CREATE, json!({ "code": "A" })).await;
    assert_eq!(sent_back, id);
    assert_eq!(
        failed["errors"][0]["extensions"],
        json!({ "code": "INTERNAL", "requestId": id, "retryable": false })
    );
    let lines = told(&id, "a request failed");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("product_family"), "{}", lines[0]);
    // What failed left nothing, so the audit trail knows nothing of it.
    let trail = audit_event::Entity::find().filter(audit_event::Column::RequestId.eq(id.as_str()));
    assert!(trail.one(t.app.db().reader()).await.unwrap().is_none());
}

async fn slow_statements_are_told_without_their_values(t: TestApp) {
    logs::keep();
    let every = t.telling(Duration::ZERO).await;
    let id = request_id(&t, "slow");
    let canary = "canary-of-the-slow-log@nowhere.example";
    let who = json!({ "email": canary, "password": PASSWORD });
    send(&routes(&every), &id, None, LOGIN, who).await;
    let lines = told(&id, "slow statement");
    let statement = |line: &String| line.split("slow statement").nth(1).unwrap().to_owned();
    let statements: Vec<_> = lines.iter().map(statement).collect();
    let asked = statements
        .iter()
        .filter(|text| text.contains("FROM \\\"user\\\"") && text.contains("elapsed="));
    assert!(asked.count() > 0, "{lines:#?}");
    assert!(!statements.concat().contains("canary"), "{statements:#?}");
    every.app.db().clone().close().await.unwrap();
    // The threshold of every other test is not reached by such a statement.
    let id = request_id(&t, "quick");
    let patient = t.telling(Duration::from_secs(600)).await;
    let who = json!({ "email": canary, "password": PASSWORD });
    send(&routes(&patient), &id, None, LOGIN, who).await;
    assert_eq!(told(&id, "slow statement"), Vec::<String>::new());
    patient.app.db().clone().close().await.unwrap();
}

async fn a_failing_job_is_logged_once_and_its_cause_stays_in_the_log(t: TestApp) {
    logs::keep();
    // Any cause may quote a secret.
    let (cause, id) = ("canary-of-a-failing-job", request_id(&t, "failing"));
    let failing = t.queue(ADVANCE, json!({ "run": "unreadable" }), Some(&id));
    let failing = failing.await;
    let claimed = t.claim().await.remove(0);
    assert_eq!(claimed.id, failing);
    worker::attempt(&t.app, &claimed, async {
        Err(Error::internal(cause).into())
    })
    .await
    .unwrap();
    logged_once(
        &id,
        failing,
        &["topic=\"payout.advance\"", "attempt=1", cause],
    );

    // So may a payload.
    let (payload, id) = ("canary-of-a-payload", request_id(&t, "unreadable"));
    let unreadable = t.queue(ADVANCE, json!({ "run": payload }), Some(&id)).await;
    worker::drain(&t.app, JobLane::Money).await.unwrap();
    logged_once(&id, unreadable, &["given_up=true"]);

    // A mail server's answer is arbitrary.
    let (answer, id) = ("554 canary-of-a-mail-server", request_id(&t, "mail"));
    t.outbox.fail(1, MailFault::Permanent(answer.to_owned()));
    let user_id = t.admin().await.id;
    let call = Call {
        request_id: Some(id.clone()),
        ..Call::system("test")
    };
    t.app
        .write(call, move |tx| {
            tx.record(Event::PasswordChanged { user_id });
            Box::pin(async { Ok(()) })
        })
        .await
        .unwrap();
    t.settle().await;
    let mail = job::Entity::find().filter(job::Column::Topic.eq("mail"));
    let mail = mail.one(t.app.db().reader()).await.unwrap().unwrap();
    logged_once(&id, mail.id, &["topic=\"mail\"", answer]);

    let shown = t
        .ask(
            &t.admin().await,
            "{ jobs { nodes { topic lane status lastError requestId } } }",
            json!({}),
        )
        .await;
    let told = ["mail", ADVANCE].map(|topic| {
        let nodes = shown.at("jobs/nodes").as_array().unwrap().iter();
        let errors = nodes.filter(|job| job["topic"] == topic && !job["lastError"].is_null());
        errors
            .map(|job| job["lastError"].clone())
            .collect::<Vec<_>>()
    });
    assert_eq!(
        told,
        [
            vec![json!(
                "The mail server rejected the email, or its address or content cannot be sent."
            )],
            vec![
                json!("The payload of this job cannot be read."),
                json!("Internal error. The log has the cause under this job's ID."),
            ],
        ]
    );
    assert!(!shown.json.to_string().contains("canary"), "{}", shown.json);
}

/// The log has exactly one warning under a request: the failure of this job, with these parts.
fn logged_once(id: &str, job: JobId, parts: &[&str]) {
    let mut lines = told(id, " WARN ");
    lines.extend(told(id, " ERROR "));
    assert_eq!(lines.len(), 1, "{lines:?}");
    let job = job.to_string();
    for part in parts
        .iter()
        .chain([&"a background job failed", &job.as_str()])
    {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
}

async fn requests_and_jobs_are_counted_by_kind_and_outcome(t: TestApp) {
    let numbers = tokio::task::spawn_blocking(move || {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let t = t.another().await;
            member(&t, "anna@vendor.example", Role::Administrator, None).await;
            let routes = routes(&t);
            let who = json!({ "email": "anna@vendor.example", "password": PASSWORD });
            let (_, signed_in) = send(&routes, "one", None, LOGIN, who).await;
            let token = signed_in["data"]["login"]["accessToken"].as_str().unwrap();
            for _ in 0..3 {
                send(&routes, "two", Some(token), "{ viewer { id } }", json!({})).await;
            }
            let wrong = "{ jobs(after: \"x\") { nodes { id } } }";
            send(&routes, "three", Some(token), wrong, json!({})).await;
            // Refused before anything is executed.
            for (token, document) in [
                (Some(token), "{ viewer"),
                (Some(token), "{ jobs(first: true) { nodes { id } } }"),
                (Some("forged"), "{ viewer { id } }"),
            ] {
                send(&routes, "four", token, document, json!({})).await;
            }
            // Not answered in time.
            let hurried = server::transport(
                &t.app,
                Settings {
                    deadline: Duration::ZERO,
                    ..server::settings()
                },
            )
            .unwrap();
            let hurried = server::routes(&t.app, hurried, Vec::new(), &CancellationToken::new());
            let who = json!({ "email": "anna@vendor.example", "password": PASSWORD });
            send(&hurried, "five", None, LOGIN, who).await;
            // For a run that does not exist.
            let run = PayoutRunId::of(ids::mint(t.app.clock().now())).text();
            t.queue(ADVANCE, json!({ "run": run }), None).await;
            t.settle().await;
            t.app.db().clone().close().await.unwrap();
        });
        recorder.handle().render()
    });
    let numbers = numbers.await.unwrap();
    let has = |line: &str| numbers.lines().any(|one| one == line);
    for line in [
        "ensemble_requests_total{kind=\"mutation\",outcome=\"done\"} 1",
        "ensemble_requests_total{kind=\"query\",outcome=\"done\"} 3",
        "ensemble_requests_total{kind=\"query\",outcome=\"refused\"} 1",
        "ensemble_requests_total{kind=\"mutation\",outcome=\"failed\"} 1",
        "ensemble_requests_total{kind=\"invalid\",outcome=\"refused\"} 3",
        "ensemble_jobs_total{job=\"payout.advance\",outcome=\"retried\"} 1",
        "ensemble_jobs_total{job=\"auditSeal\",outcome=\"done\"} 1",
        "ensemble_jobs_running{lane=\"money\"} 0",
    ] {
        assert!(has(line), "{line}\n{numbers}");
    }
}
