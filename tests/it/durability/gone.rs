//! Clients that go away, and lines to the database that stall or break, at every step of a request.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use ensemble::{entity::user::Role, error::Code, tx::Call};
use sea_orm::{DatabaseConnection, DbBackend};
use serde_json::{Value, json};

use super::{
    account::{number, observer},
    proxy::{Fault, Proxy},
};
use crate::{
    cases,
    support::{Answer, Person, TestApp, until},
};

cases!(
    a_client_gone_at_any_await_leaves_one_effect_or_none,
    a_panicking_unit_of_work_is_an_internal_error_and_leaves_nothing,
    // A file has no line to it.
    postgres: [
        a_client_gone_at_any_packet_leaves_one_effect_and_no_open_transaction,
        a_reader_gone_at_any_packet_leaves_a_usable_pool,
        a_line_cut_at_any_packet_leaves_one_effect,
        a_restart_of_the_database_server_fails_no_later_request,
    ],
);

const CREATE: &str = "mutation($input: PartnerCreateInput!, $key: String!) {
    partnerCreate(input: $input) @idempotent(key: $key) { partner { id displayName } userErrors { code field } } }";

fn create(number: usize) -> Value {
    let name = format!("Partner {number}");
    json!({"key": name, "input": {"displayName": name, "legalName": name, "types": ["SI"], "countries": ["SE"]}})
}

/// Works so long, then is dropped.
struct Impatient<F> {
    work: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future> Future for Impatient<F> {
    /// Nothing when patience ended first.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if self.polls == 0 => Poll::Ready(None),
            Poll::Pending => {
                self.polls -= 1;
                Poll::Pending
            }
        }
    }
}

async fn partners(db: &DatabaseConnection, name: &str) -> i64 {
    let named = format!("SELECT count(*) FROM partner WHERE display_name = '{name}'");
    number(db, &named).await
}

/// What was begun ends by itself, and nothing stays open on the server.
async fn at_rest(t: &TestApp, db: &DatabaseConnection) {
    until("the end of what was begun", || async {
        t.app.tasks().is_empty()
    })
    .await;
    if t.app.db().backend() == DbBackend::Postgres {
        until("no open transaction", || async {
            number(
                db,
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid() AND (state LIKE 'idle in transaction%' OR state = 'active')",
            )
            .await
                == 0
        })
        .await;
    }
}

/// Repeats a call whose first answer nobody saw: one effect, and every pool still works.
async fn repeat(t: &TestApp, db: &DatabaseConnection, admin: &Person, attempt: usize) {
    let answer = t.ask(admin, CREATE, create(attempt)).await;
    let name = answer
        .done("partnerCreate")
        .text("partnerCreate/partner/displayName");
    assert_eq!(partners(db, &name).await, 1);
    // More at once than a pool has connections.
    let readers = (0..8).map(|_| {
        let (t, admin) = (t.clone(), admin.clone());
        tokio::spawn(async move {
            let answer = t.ask(&admin, "{ viewer { id } }", json!({})).await;
            answer.text("viewer/id");
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.unwrap();
    }
}

async fn a_client_gone_at_any_await_leaves_one_effect_or_none(t: TestApp) {
    let admin = t.admin().await;
    let db = observer(t.url()).await;
    let mut attempt = 0;
    loop {
        let asked = t.ask(&admin, CREATE, create(attempt));
        let patient = Impatient {
            work: Box::pin(asked),
            polls: attempt,
        };
        let answered = patient.await.is_some();
        at_rest(&t, &db).await;
        let found = partners(&db, &format!("Partner {attempt}")).await;
        assert!(found == 1 || (found == 0 && !answered), "{found}");
        repeat(&t, &db, &admin, attempt).await;
        attempt += 1;
        if answered {
            break;
        }
    }
    assert!(attempt > 1, "nobody ever went away");
}

async fn a_client_gone_at_any_packet_leaves_one_effect_and_no_open_transaction(t: TestApp) {
    let admin = t.admin().await;
    let db = observer(t.url()).await;
    let proxy = Proxy::before(t.url()).await;
    let far = t.reached_at(&proxy.leading_to(t.url())).await;
    let mut attempt = 0;
    while gone(&far, &proxy, &admin, CREATE, create(attempt), attempt).await {
        at_rest(&far, &db).await;
        repeat(&far, &db, &admin, attempt).await;
        attempt += 1;
    }
    assert!(attempt > 5, "only {attempt} packets were met");
    // What was acknowledged since is really there: no session swallows it.
    let acknowledged = far.ask(&admin, CREATE, create(9_999)).await;
    acknowledged.done("partnerCreate");
    assert_eq!(partners(&db, "Partner 9999").await, 1);
}

async fn a_reader_gone_at_any_packet_leaves_a_usable_pool(t: TestApp) {
    let admin = t.admin().await;
    let db = observer(t.url()).await;
    t.ask(&admin, CREATE, create(0)).await.done("partnerCreate");
    let proxy = Proxy::before(t.url()).await;
    let far = t.reached_at(&proxy.leading_to(t.url())).await;
    let list = "{ partners(first: 10) { totalCount nodes { displayName } } users(first: 10) { totalCount } }";
    let mut attempt = 0;
    while gone(&far, &proxy, &admin, list, json!({}), attempt).await {
        at_rest(&far, &db).await;
        for _ in 0..8 {
            let answer = far.ask(&admin, list, json!({})).await;
            assert_eq!(answer.at("partners/totalCount"), &json!(1));
        }
        attempt += 1;
    }
    assert!(attempt > 1, "only {attempt} packets were met");
}

/// Asks, and goes away when the packet after so many is held; says whether it was.
async fn gone(
    far: &TestApp,
    proxy: &Proxy,
    person: &Person,
    document: &'static str,
    variables: Value,
    packets: usize,
) -> bool {
    proxy.fault_after(Fault::Held, packets);
    let (client, person) = (far.clone(), person.clone());
    let mut asking = tokio::spawn(async move { client.ask(&person, document, variables).await });
    tokio::select! {
        answer = &mut asking => {
            let _: Answer = answer.unwrap();
        }
        () = proxy.broken() => {
            asking.abort();
            let _ = asking.await;
        }
    }
    proxy.mend()
}

async fn a_line_cut_at_any_packet_leaves_one_effect(t: TestApp) {
    let admin = t.admin().await;
    let db = observer(t.url()).await;
    let proxy = Proxy::before(t.url()).await;
    let far = t.reached_at(&proxy.leading_to(t.url())).await;
    let mut attempt = 0;
    loop {
        proxy.fault_after(Fault::Cut, attempt);
        let answer = far.ask(&admin, CREATE, create(attempt)).await;
        if !proxy.mend() {
            break;
        }
        // The server repeats it on another connection, under its key where the commit is in doubt.
        answer.done("partnerCreate");
        assert_eq!(partners(&db, &format!("Partner {attempt}")).await, 1);
        at_rest(&far, &db).await;
        repeat(&far, &db, &admin, attempt).await;
        attempt += 1;
    }
    assert!(attempt > 5, "only {attempt} packets were met");
}

async fn a_restart_of_the_database_server_fails_no_later_request(t: TestApp) {
    let admin = t.admin().await;
    let db = observer(t.url()).await;
    // Both pools are full of sessions.
    for attempt in 0..8 {
        repeat(&t, &db, &admin, attempt).await;
    }
    let ended = "WITH others AS MATERIALIZED (SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid() AND backend_type = 'client backend') \
                 SELECT count(*) FROM others WHERE pg_terminate_backend(pid)";
    assert!(number(&db, ended).await > 1);
    // The observer's own sessions may have been among them.
    let db = observer(t.url()).await;
    // Sessions rest for at least as long as a server needs to come back.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    repeat(&t, &db, &admin, 8).await;
}

async fn a_panicking_unit_of_work_is_an_internal_error_and_leaves_nothing(t: TestApp) {
    let db = observer(t.url()).await;
    let admin = t.vendor(Role::Administrator).await;
    let user = admin.id;
    let broken = t
        .app
        .write(Call::system("broken"), move |tx| {
            Box::pin(async move {
                tx.record(ensemble::events::Event::UserActivated { user_id: user });
                if tx.actor().user_id().is_none() {
                    panic!("a body that breaks");
                }
                Ok(())
            })
        })
        .await;
    assert_eq!(broken.unwrap_err().code(), Code::Internal);
    at_rest(&t, &db).await;
    assert_eq!(number(&db, "SELECT count(*) FROM audit_event").await, 0);
    repeat(&t, &db, &admin, 0).await;
}
