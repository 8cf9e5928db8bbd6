//! The demo on a new database: whole in the end whenever its load is killed, and never in production.

use std::process::Stdio;

use sea_orm::{DatabaseConnection, DbBackend};

use super::account::{Counts, counted, effects, number, observer};
use crate::{
    cases,
    support::{TestApp, export, program::Installation, until},
};

cases!(
    a_demo_killed_while_several_load_it_is_finished_by_one,
    production_takes_no_made_up_data,
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

async fn a_demo_killed_while_several_load_it_is_finished_by_one(t: TestApp) {
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
        // Two at once: one loads, the other waits for it.
        let mut seeds = [site.command(["seed"]), site.command(["seed"])]
            .map(|mut seed| seed.stdout(Stdio::null()).spawn().unwrap());
        until("more of the demo", || async {
            100 * number(&db, EVENTS).await >= percent * events
        })
        .await;
        for seed in &mut seeds {
            seed.kill().unwrap();
            seed.wait().unwrap();
        }
        assert!(number(&db, EVENTS).await < events, "killed too late");
    }
    let told = futures_util::future::join_all((0..3).map(|_| site.done(["seed"]))).await;
    let loaded = told.iter().filter(|told| told.contains("is loaded"));
    let waited = told
        .iter()
        .filter(|told| told.contains("nothing was changed"));
    assert_eq!((loaded.count(), waited.count()), (1, 2), "{told:?}");
    assert_eq!(held(&db).await, whole);
    site.done(["verify"]).await;
    let again = site.done(["seed"]).await;
    assert!(again.contains("nothing was changed"), "{again}");
}

async fn production_takes_no_made_up_data(t: TestApp) {
    let url = t.fresh_database().await;
    let development = Installation::new(t.folder().join("site"), &url);
    let production = development
        .clone()
        .with("ENSEMBLE_MODE", "production")
        .with("ENSEMBLE_SECRET", "6f1d0c5be29a47f38c7be1d95a02f64e")
        .with("ENSEMBLE_PUBLIC_URL", "https://partners.vendor.example")
        .with(
            "ENSEMBLE_SMTP_URL",
            "smtps://user:password@mail.vendor.example",
        )
        .with("ENSEMBLE_MAIL_FROM", "Vendor <partners@vendor.example>")
        .with("ENSEMBLE_ALLOW_SQLITE_IN_PRODUCTION", "true");
    production.done(["check-config"]).await;
    let refused = async || {
        for arguments in [
            &["seed"] as &[_],
            &["seed", "--partners", "5", "--deals", "10"],
        ] {
            let output = production.run(arguments).await;
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(told.contains("production takes none"), "{told}");
        }
    };
    // Not even a table on a new database,
    refused().await;
    let db = observer(&url).await;
    let tables = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        }
        _ => "SELECT count(*) FROM sqlite_master",
    };
    assert_eq!(number(&db, tables).await, 0);
    // and nothing on one that is migrated and still empty.
    development.done(["migrate"]).await;
    let before = export::normalised(&db).await;
    refused().await;
    assert_eq!(export::normalised(&db).await, before);
    // Development would have taken it.
    development.done(["seed"]).await;
    assert_ne!(export::normalised(&db).await, before);
}
