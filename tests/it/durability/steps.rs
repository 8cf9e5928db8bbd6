//! Every single step of a change fails once, or all of one kind until it is lifted: nothing acknowledged is lost, nothing
//! is half done, and the application goes on.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use ensemble::platform::db::{Fault, Step};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};

use super::account::{number, observer};
use crate::{
    cases,
    support::{Answer, TestApp},
};

cases!(
    a_fault_of_any_step_leaves_one_effect,
    a_commit_that_fails_loses_no_later_change,
    what_cannot_be_written_is_refused_until_it_can,
    a_read_after_a_change_does_not_say_that_nothing_happened,
    a_swallowed_error_runs_nothing_more,
    a_transaction_left_open_on_a_writer_takes_nothing_with_it,
);

const KEYED: &str = "mutation($input: PartnerCreateInput!, $key: String!) {
    partnerCreate(input: $input) @idempotent(key: $key) { partner { id displayName } userErrors { code field } } }";
/// The same with a payload that reads more than the row that was saved.
const READING: &str = "mutation($input: PartnerCreateInput!) {
    partnerCreate(input: $input) { partner { id types } userErrors { code field } } }";
const PLAIN: &str = "mutation($input: PartnerCreateInput!) {
    partnerCreate(input: $input) { partner { id displayName } userErrors { code field } } }";

fn partner(name: &str) -> Value {
    json!({"displayName": name, "legalName": name, "types": ["SI"], "countries": ["SE"]})
}

/// What goes wrong: the step after so many, or every step of a kind.
#[derive(Default)]
struct Orders {
    at: Option<(usize, Fault)>,
    always: Option<(Step, Fault)>,
    /// The step that met a fault.
    met: Option<Step>,
}

/// The application, and what goes wrong on it.
async fn disturbed(t: &TestApp) -> (TestApp, Arc<Mutex<Orders>>) {
    let orders: Arc<Mutex<Orders>> = Arc::default();
    let asked = Arc::clone(&orders);
    let broken = t
        .disturbed(move |step, _| {
            let mut orders = asked.lock().unwrap();
            if let Some((of, fault)) = orders.always
                && of == step
            {
                orders.met = Some(step);
                return Some(fault);
            }
            match orders.at.as_mut()? {
                (0, fault) => {
                    let fault = *fault;
                    orders.at = None;
                    orders.met = Some(step);
                    Some(fault)
                }
                (before, _) => {
                    *before -= 1;
                    None
                }
            }
        })
        .await;
    (broken, orders)
}

/// The partners of a name, and whether each has its event and its job.
async fn effects(db: &DatabaseConnection, name: &str) -> (i64, bool) {
    let named = format!("SELECT count(*) FROM partner WHERE display_name = '{name}'");
    let partners = "SELECT count(*) FROM partner";
    let events = "SELECT count(*) FROM audit_event WHERE action = 'partner.created'";
    let jobs = "SELECT count(*) FROM job WHERE topic = 'event'";
    let all = number(db, "SELECT count(*) FROM audit_event").await;
    let whole = number(db, partners).await == number(db, events).await;
    (
        number(db, &named).await,
        whole && number(db, jobs).await == all,
    )
}

async fn a_fault_of_any_step_leaves_one_effect(t: TestApp) {
    let admin = t.admin().await;
    let db = observer(t.url()).await;
    let (broken, orders) = disturbed(&t).await;
    for fault in [Fault::Lost, Fault::Unanswered, Fault::Unwritable] {
        let mut met = Vec::new();
        for step in 0.. {
            for (keyed, document) in [(true, KEYED), (false, PLAIN)] {
                let name = format!("{fault:?} {step} {keyed}");
                let variables = json!({"input": partner(&name), "key": name});
                orders.lock().unwrap().at = Some((step, fault));
                let answer = broken.ask(&admin, document, variables.clone()).await;
                let unmet = orders.lock().unwrap().at.take().is_some();
                let of = orders.lock().unwrap().met.take();
                let (found, whole) = effects(&db, &name).await;
                assert!(whole, "{name}: {}", answer.json);
                check(&answer, of, fault, keyed, found);
                if keyed {
                    let again = broken.ask(&admin, KEYED, variables).await;
                    let shown = again
                        .done("partnerCreate")
                        .text("partnerCreate/partner/displayName");
                    assert_eq!((shown, effects(&db, &name).await), (name, (1, true)));
                }
                met.extend(of);
                if unmet {
                    break;
                }
            }
            if met.len() < 2 * (step + 1) {
                break;
            }
        }
        for step in [Step::Begin, Step::Statement, Step::Commit] {
            assert!(met.contains(&step), "{step:?} was never met by {fault:?}");
        }
    }
}

/// A single fault is overcome: a lost connection by another one, a doubtful commit under its key. What cannot be overcome
/// says honestly what is known.
fn check(answer: &Answer, of: Option<Step>, fault: Fault, keyed: bool, found: i64) {
    let code = answer.json["errors"][0]["extensions"]["code"].as_str();
    let retryable = answer.json["errors"][0]["extensions"]["retryable"].as_bool();
    match (of, fault, code) {
        (_, _, None) => {
            answer.clone().done("partnerCreate");
            assert_eq!(found, 1, "acknowledged and lost");
        }
        (Some(Step::Commit), Fault::Lost, Some("TIMEOUT")) if !keyed => assert_eq!(found, 0),
        (Some(Step::Commit), Fault::Unanswered, Some("TIMEOUT")) if !keyed => assert_eq!(found, 1),
        // The read that shows what was changed is not repeated when the disk fails.
        (Some(Step::Statement), Fault::Unwritable, Some("TIMEOUT")) => assert_eq!(found, 1),
        (Some(Step::Statement), Fault::Unwritable, Some("RETRY_LATER")) => assert_eq!(found, 0),
        _ => panic!(
            "{of:?} {fault:?} keyed {keyed}, found {found}: {}",
            answer.json
        ),
    }
    assert!(retryable.unwrap_or(true), "{}", answer.json);
}

async fn a_commit_that_fails_loses_no_later_change(t: TestApp) {
    let admin = t.admin().await;
    let db = observer(t.url()).await;
    let (broken, orders) = disturbed(&t).await;
    for (step, fault) in [
        (Step::Commit, Fault::Unwritable),
        (Step::Commit, Fault::Lost),
        (Step::Rollback, Fault::Lost),
        (Step::Rollback, Fault::Unwritable),
        (Step::Begin, Fault::Unanswered),
    ] {
        let name = |what: &str| format!("{step:?} {fault:?} {what}");
        orders.lock().unwrap().always = Some((step, fault));
        broken
            .ask(&admin, PLAIN, json!({"input": partner(&name("failed"))}))
            .await;
        // A refused mutation ends by a rollback.
        let refused = broken.ask(&admin, PLAIN, json!({"input": partner("")}));
        refused.await;
        assert!(orders.lock().unwrap().met.take().is_some(), "{step:?}");
        orders.lock().unwrap().always = None;
        for later in 0..3 {
            let name = name(&later.to_string());
            let answer = broken.ask(&admin, PLAIN, json!({"input": partner(&name)}));
            answer.await.done("partnerCreate");
            assert_eq!(
                effects(&db, &name).await,
                (1, true),
                "acknowledged and lost"
            );
        }
    }
}

async fn what_cannot_be_written_is_refused_until_it_can(t: TestApp) {
    let admin = t.admin().await;
    let db = observer(t.url()).await;
    let (broken, orders) = disturbed(&t).await;
    broken.app.db().ready().await.unwrap();
    orders.lock().unwrap().always = Some((Step::Commit, Fault::Unwritable));
    for attempt in 0..2 {
        let variables = json!({"input": partner("Late"), "key": "late"});
        let answer = broken.ask(&admin, KEYED, variables).await;
        assert_eq!(answer.error(), "RETRY_LATER", "{attempt}");
        assert_eq!(effects(&db, "Late").await, (0, true));
    }
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    let told = broken.app.db().ready().await.unwrap_err();
    assert_eq!(told, "the database cannot be written; is its disk full?");
    // Whoever reads is not concerned.
    let read = broken
        .ask(&admin, "{ partners { nodes { legalName } } }", json!({}))
        .await;
    assert_eq!(read.at("partners/nodes"), &json!([]));
    orders.lock().unwrap().always = None;
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    broken.app.db().ready().await.unwrap();
    let variables = json!({"input": partner("Late"), "key": "late"});
    broken
        .ask(&admin, KEYED, variables)
        .await
        .done("partnerCreate");
    assert_eq!(effects(&db, "Late").await, (1, true));
}

async fn a_read_after_a_change_does_not_say_that_nothing_happened(t: TestApp) {
    let admin = t.admin().await;
    let db = observer(t.url()).await;
    let committed = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&committed);
    // Every read after the commit finds no connection that lasts.
    let broken = t
        .disturbed(move |step, _| {
            if step == Step::Commit {
                seen.fetch_add(1, Ordering::Relaxed);
            }
            (step == Step::Statement && seen.load(Ordering::Relaxed) > 0).then_some(Fault::Lost)
        })
        .await;
    let answer = broken
        .ask(&admin, READING, json!({"input": partner("Seen")}))
        .await;
    assert_eq!(answer.error(), "TIMEOUT");
    assert_eq!(effects(&db, "Seen").await, (1, true));
    // A query alone has changed nothing.
    let read = broken
        .ask(&admin, "{ partners { nodes { legalName } } }", json!({}))
        .await;
    assert_eq!(read.error(), "RETRY_LATER");
}

async fn a_swallowed_error_runs_nothing_more(t: TestApp) {
    let db = observer(t.url()).await;
    let result = t
        .write(|tx| {
            Box::pin(async move {
                let insert = "INSERT INTO product_family (id, code, name, version, created_at, updated_at) VALUES (NULL";
                let _ = tx.execute_unprepared(insert).await;
                // On SQLite this would take effect at once if the error had ended the transaction.
                let after = tx.execute_unprepared("DELETE FROM seaql_migrations").await;
                assert!(after.is_err(), "it ran");
                Ok(())
            })
        })
        .await;
    assert!(result.is_err());
    assert!(number(&db, "SELECT count(*) FROM seaql_migrations").await > 0);
}

async fn a_transaction_left_open_on_a_writer_takes_nothing_with_it(t: TestApp) {
    let admin = t.admin().await;
    let db = observer(t.url()).await;
    t.app
        .db()
        .maintenance()
        .execute_unprepared("BEGIN")
        .await
        .unwrap();
    for name in ["First", "Second"] {
        let answer = t.ask(&admin, PLAIN, json!({"input": partner(name)})).await;
        answer.done("partnerCreate");
        assert_eq!(effects(&db, name).await, (1, true));
    }
}
