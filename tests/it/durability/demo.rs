//! The demo on a new database: whole in the end whenever its load is killed.

use std::process::Stdio;

use sea_orm::DatabaseConnection;

use super::account::{Counts, counted, effects, number, observer};
use crate::{
    cases,
    support::{TestApp, program::Installation, until},
};

cases!(
    a_demo_killed_while_it_loads_is_finished_by_the_next_start,
);

const EVENTS: &str = "SELECT count(*) FROM audit_event";

/// What there is of everything, jobs and people included.
async fn held(db: &DatabaseConnection) -> Counts {
    let mut held = effects(db).await;
    for sql in [
        "SELECT topic || ' ' || status AS name, count(*) AS n FROM job GROUP BY 1",
        "SELECT email AS name, count(*) AS n FROM \"user\" GROUP BY 1",
        "SELECT operation AS name, count(*) AS n FROM idempotency GROUP BY 1",
        "SELECT 'entries' AS name, count(*) AS n FROM ledger_entry",
    ] {
        held.extend(counted(db, sql).await);
    }
    held
}

async fn a_demo_killed_while_it_loads_is_finished_by_the_next_start(t: TestApp) {
    let url = t.fresh_database().await;
    let undisturbed = Installation::new(t.folder().join("undisturbed"), &url);
    undisturbed.done(["seed"]).await;
    let db = observer(&url).await;
    let (whole, events) = (held(&db).await, number(&db, EVENTS).await);
    assert!(events > 100, "{events}");

    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    site.done(["migrate"]).await;
    let db = observer(&url).await;
    for percent in [1, 5, 20, 40, 60, 70, 80, 90] {
        let mut seed = site.command(["seed"]);
        let mut seed = seed.stdout(Stdio::null()).spawn().unwrap();
        until("more of the demo", || async {
            100 * number(&db, EVENTS).await >= percent * events
        })
        .await;
        seed.kill().unwrap();
        seed.wait().unwrap();
        assert!(number(&db, EVENTS).await < events, "killed too late");
    }
    let told = site.done(["seed"]).await;
    assert!(told.contains("is loaded"), "{told}");
    assert_eq!(held(&db).await, whole);
    site.done(["verify"]).await;
    let again = site.done(["seed"]).await;
    assert!(again.contains("nothing was changed"), "{again}");
}
