//! Every test against a running application, on SQLite always and on PostgreSQL where a server is named.
//!
//! A case is an async function over a [`TestApp`]; it runs once per database, on a database of its own. Set
//! `ENSEMBLE_TEST_POSTGRES` to the URL of a server whose user may create databases; without it the
//! PostgreSQL half is listed as ignored, as are the tests of real files where those are not there, those of the other
//! database, and the long form until somebody asks for it. What does not run never counts as passed.

#![recursion_limit = "512"]
#![expect(
    clippy::unwrap_used,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]
#![expect(clippy::print_stderr, reason = "tests report to whoever runs them")]

mod access;
mod api;
mod bulk;
mod catalogue;
mod credit;
mod deals;
mod directory;
mod durability;
mod examples;
mod identity;
mod import;
mod money;
mod notifications;
mod observed;
mod platform;
mod races;
mod rules;
mod schema;
mod speed;
mod story;
mod support;
mod tidy;

use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use sea_orm::DbBackend;
use support::{Case, Databases, TestApp};

fn main() {
    let arguments = Arguments::from_args();
    let runtime: &'static tokio::runtime::Runtime = Box::leak(Box::new(
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap(),
    ));
    let databases: &'static Databases = Box::leak(Box::new(Databases::from_environment()));
    if databases.postgres().is_none() {
        eprintln!("ENSEMBLE_TEST_POSTGRES is not set: the PostgreSQL half of the tests is skipped");
    }
    if import::crm_folder().is_none() {
        eprintln!(
            "the files of a real sales system are not there: the tests of their import are skipped"
        );
    }
    let cases = [
        bulk::cases(),
        api::cases(),
        catalogue::cases(),
        access::cases(),
        credit::cases(),
        deals::cases(),
        directory::cases(),
        durability::cases(),
        examples::cases(),
        identity::cases(),
        import::cases(),
        money::cases(),
        notifications::cases(),
        observed::cases(),
        platform::cases(),
        races::cases(),
        rules::cases(),
        schema::cases(),
        speed::cases(),
        story::cases(),
        tidy::cases(),
    ]
    .concat();
    let trials = cases
        .into_iter()
        .flat_map(|case| trials(runtime, databases, case))
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    runtime.block_on(databases.remove());
    conclusion.exit();
}

fn trials(
    runtime: &'static tokio::runtime::Runtime,
    databases: &'static Databases,
    case: Case,
) -> [Trial; 2] {
    let sqlite = Trial::test(format!("sqlite::{}", case.name), move || {
        runtime.block_on(async { run(databases.sqlite().await, case).await })
    })
    .with_ignored_flag(case.ignored_on(DbBackend::Sqlite));
    let postgres = Trial::test(format!("postgres::{}", case.name), move || {
        runtime.block_on(async { run(databases.postgres_database().await, case).await })
    })
    .with_ignored_flag(case.ignored_on(DbBackend::Postgres) || databases.postgres().is_none());
    [sqlite, postgres]
}

/// A longer wait means that the event never comes; even the slowest tests take less.
const LONGEST: Duration = Duration::from_secs(30 * 60);

async fn run(database: support::Database, case: Case) -> Result<(), Failed> {
    let app = TestApp::start(database).await;
    let body = tokio::spawn((case.body)(app.clone()));
    let outcome = match tokio::time::timeout(LONGEST, body).await {
        Ok(Ok(())) => app.check_books().await.and(app.check_statements()),
        Ok(Err(panic)) => Err(panic_text(panic)),
        Err(_) => Err(format!("did not end within {LONGEST:?}")),
    };
    app.stop().await;
    outcome.map_err(Failed::from)
}

fn panic_text(error: tokio::task::JoinError) -> String {
    let payload = error.into_panic();
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| {
            payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
        })
        .unwrap_or_else(|| "the test panicked".to_owned())
}
