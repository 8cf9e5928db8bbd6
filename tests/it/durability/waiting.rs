//! What a process says while it waits for another one, and when it cannot reach the database.

use std::{
    fs::File,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use ensemble::platform::{lock, migrations};
use sea_orm::{ConnectionTrait, DbBackend};
use tokio::net::TcpListener;

use super::account::observer;
use crate::{
    cases,
    support::{
        TestApp,
        program::{Installation, stopped},
        until,
    },
};

cases!(
    a_process_that_waits_for_a_migration_logs_it,
    a_process_that_waits_for_the_demo_logs_it,
    postgres: [a_server_that_cannot_be_reached_is_named_within_five_seconds],
);

fn log(site: &Installation) -> String {
    std::fs::read_to_string(site.folder().join("command.log")).unwrap()
}

/// Starts a command whose standard error goes to a file.
fn logged(site: &Installation, argument: &str) -> Child {
    let log = File::create(site.folder().join("command.log")).unwrap();
    let mut command = site.command([argument]);
    command.stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

async fn waits(site: &Installation, command: &mut Child, line: &str) {
    until(line, || async { log(site).contains(line) }).await;
    assert!(command.try_wait().unwrap().is_none(), "{}", log(site));
}

async fn ends(site: &Installation, mut command: Child, line: &str) {
    let status = stopped(&mut command).await;
    assert!(status.success(), "{}", log(site));
    assert_eq!(log(site).matches(line).count(), 1, "{}", log(site));
}

async fn a_process_that_waits_for_a_migration_logs_it(t: TestApp) {
    const LINE: &str = "waiting: another process migrates this database";
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    let session = observer(&url).await;
    let is_sqlite = session.get_database_backend() == DbBackend::Sqlite;
    let file = if is_sqlite {
        let path = url.trim_start_matches("sqlite://").split('?').next();
        Some(lock::migrate(Path::new(path.unwrap())).await.unwrap())
    } else {
        let take = format!("SELECT pg_advisory_lock({})", migrations::LOCK);
        session.execute_unprepared(&take).await.unwrap();
        None
    };
    let mut waiting = logged(&site, "migrate");
    waits(&site, &mut waiting, LINE).await;
    drop(file);
    session.close().await.unwrap();
    ends(&site, waiting, LINE).await;
}

async fn a_process_that_waits_for_the_demo_logs_it(t: TestApp) {
    const LINE: &str = "waiting: another process loads the demo";
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    site.administrator("correct horse battery").await;
    let other = t.reached_at(&url).await;
    let held = other.app.db().alone_with_the_demo().await.unwrap();
    let mut waiting = logged(&site, "seed");
    waits(&site, &mut waiting, LINE).await;
    drop(held);
    ends(&site, waiting, LINE).await;
    other.app.db().clone().close().await.unwrap();
}

async fn a_server_that_cannot_be_reached_is_named_within_five_seconds(t: TestApp) {
    // One that takes connections and says nothing, and one that is not there.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let [silent_port, gone_port] = [&silent, &gone].map(|one| one.local_addr().unwrap().port());
    drop(gone);
    let asked = async |port: u16| {
        let url = format!("postgres://ensemble:hunter2@127.0.0.1:{port}/ensemble");
        let site = Installation::new(t.folder().join(port.to_string()), &url);
        let since = Instant::now();
        let output = site.run(["serve"]).await;
        let took = since.elapsed();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        // Five seconds of patience, and time for a busy machine to start the program.
        assert!(took < Duration::from_secs(10), "{took:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("hunter2"), "{said}");
        said
    };
    let (silent_said, gone_said) = tokio::join!(asked(silent_port), asked(gone_port));
    assert_eq!(
        silent_said,
        format!(
            "PostgreSQL at 127.0.0.1:{silent_port} cannot be used: it did not answer within 5 seconds\n"
        )
    );
    let named = format!("PostgreSQL at 127.0.0.1:{gone_port} cannot be used: ");
    assert!(gone_said.starts_with(&named), "{gone_said}");
    assert!(gone_said.contains("refused"), "{gone_said}");
}
