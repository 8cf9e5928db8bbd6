//! Drills: a backup under writes, put back while stale files lie about.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use sea_orm::ConnectionTrait;
use serde_json::json;

use super::account::{number, observer};
use crate::{
    cases,
    support::{
        TestApp, export,
        http::Http,
        program::{Installation, Server},
        until,
    },
};

cases!(
    sqlite: [
        a_backup_under_writes_is_restored_over_stale_files,
        a_backup_that_is_damaged_or_not_ours_is_refused,
        a_backup_with_one_bit_flipped_is_refused_wherever_it_is,
        a_database_in_use_is_not_replaced,
        a_file_is_whole_without_its_log_when_a_command_has_ended,
    ],
    dump: [a_dump_under_writes_is_restored_into_an_empty_database],
);

const PASSWORD: &str = "correct horse battery";
const CREATE: &str = "mutation($input: PartnerCreateInput!) { partnerCreate(input: $input) { partner { id } userErrors { code } } }";
const PARTNERS: &str = "SELECT count(*) FROM partner";

/// Somebody who writes until told to stop, and counts what was acknowledged.
struct Writer {
    acknowledged: Arc<AtomicI64>,
    enough: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Writer {
    async fn at(server: &Server) -> Self {
        let http = Http::default();
        let address = server.address.clone();
        let sign_in = json!({"email": "root@vendor.example", "password": PASSWORD});
        let document = ensemble::seeds::operation("SignIn").unwrap();
        let answer = http
            .graphql(&address, None, document, &sign_in)
            .await
            .unwrap();
        let token = answer["data"]["login"]["accessToken"].as_str();
        let token = token.unwrap().to_owned();
        let acknowledged = Arc::new(AtomicI64::new(0));
        let enough = Arc::new(AtomicBool::new(false));
        let (count, stop) = (Arc::clone(&acknowledged), Arc::clone(&enough));
        let task = tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let name = format!("Partner {}", count.load(Ordering::Relaxed));
                let input = json!({"input": {"displayName": name, "legalName": name, "types": ["SI"], "countries": ["SE"]}});
                let answer = http.graphql(&address, Some(&token), CREATE, &input).await;
                let answer = answer.unwrap();
                assert!(
                    answer["data"]["partnerCreate"]["partner"]["id"].is_string(),
                    "{answer:#}"
                );
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            acknowledged,
            enough,
            task,
        }
    }

    fn acknowledged(&self) -> i64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    async fn reaches(&self, number: i64) {
        until("more writes", || async { self.acknowledged() >= number }).await;
    }

    async fn stop(self) -> i64 {
        self.enough.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        self.acknowledged.load(Ordering::Relaxed)
    }
}

/// An installation with an administrator, on a database file.
async fn on_a_file(t: &TestApp) -> (Installation, PathBuf) {
    let folder = t.folder().join("site");
    let file = folder.join("ensemble.db");
    let site = Installation::new(folder, &url(&file));
    site.administrator(PASSWORD).await;
    (site, file)
}

fn url(file: &Path) -> String {
    format!("sqlite://{}?mode=rwc", file.display())
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The files that a restore kept.
fn kept(file: &Path) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(file.parent().unwrap()).unwrap();
    let mut kept: Vec<_> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().contains(".replaced-"))
        .collect();
    kept.sort();
    kept
}

async fn partners(file: &Path) -> i64 {
    count(file, PARTNERS).await
}

async fn count(file: &Path, sql: &str) -> i64 {
    let db = observer(&url(file)).await;
    let count = number(&db, sql).await;
    db.close().await.unwrap();
    count
}

async fn a_backup_under_writes_is_restored_over_stale_files(t: TestApp) {
    let (site, file) = on_a_file(&t).await;
    let backup = t.folder().join("backup.db");
    let server = site.serve().await;
    let writer = Writer::at(&server).await;
    writer.reaches(5).await;
    let before = writer.acknowledged();
    site.done(["backup", backup.to_str().unwrap()]).await;
    let after = writer.acknowledged();
    writer.reaches(after + 5).await;
    let written = writer.stop().await;
    server.kill();
    let (log, index) = (beside(&file, "-wal"), beside(&file, "-shm"));
    let stale = std::fs::read(&log).unwrap();
    assert!(!stale.is_empty());
    let again = site.run(["backup", backup.to_str().unwrap()]).await;
    assert_eq!(again.status.code(), Some(1), "a backup was overwritten");

    // Restored over what the killed server left, its log included.
    site.done(["restore", backup.to_str().unwrap()]).await;
    let restored = partners(&file).await;
    assert!(
        (before..=after + 1).contains(&restored),
        "{before} {restored} {after}"
    );
    site.done(["verify"]).await;
    // What was replaced lies beside it, whole.
    assert_eq!(partners(&kept(&file)[0]).await, written);

    // The database is lost, and its log lies about: SQLite would read it into whatever stands under that name.
    std::fs::write(&log, stale).unwrap();
    std::fs::write(&index, vec![7; 32_768]).unwrap();
    std::fs::remove_file(&file).unwrap();
    site.done(["restore", backup.to_str().unwrap()]).await;
    assert_eq!(partners(&file).await, restored);
    site.done(["verify"]).await;

    // A damaged database is replaced too.
    std::fs::write(&file, vec![7; 100_000]).unwrap();
    site.done(["restore", backup.to_str().unwrap()]).await;
    assert_eq!(partners(&file).await, restored);
    let server = site.serve().await;
    let writer = Writer::at(&server).await;
    writer.reaches(1).await;
    writer.stop().await;
}

async fn a_backup_that_is_damaged_or_not_ours_is_refused(t: TestApp) {
    let (site, file) = on_a_file(&t).await;
    let good = t.folder().join("good.db");
    site.done(["backup", good.to_str().unwrap()]).await;
    let before = std::fs::read(&file).unwrap();

    let bytes = std::fs::read(&good).unwrap();
    let damaged = t.folder().join("damaged.db");
    let mut torn = bytes.clone();
    for page in 3..20 {
        torn[page * 4096..page * 4096 + 2048].fill(0xa5);
    }
    std::fs::write(&damaged, torn).unwrap();
    let short = t.folder().join("short.db");
    std::fs::write(&short, &bytes[..bytes.len() / 2]).unwrap();
    let text = t.folder().join("text.db");
    std::fs::write(
        &text,
        "this is not a database, but long enough to be looked at",
    )
    .unwrap();
    let foreign = t.folder().join("foreign.db");
    let db = observer(&url(&foreign)).await;
    db.execute_unprepared("CREATE TABLE something (id INTEGER)")
        .await
        .unwrap();
    db.close().await.unwrap();
    // A book that does not balance: nothing to go back to.
    let bare = &bytes[..bytes.len() - 48];
    let cooked = t.folder().join("cooked.db");
    std::fs::write(&cooked, bare).unwrap();
    let db = observer(&url(&cooked)).await;
    db.execute_unprepared(
        "INSERT INTO ledger_account (id, kind, currency, balance_minor, created_at, updated_at) VALUES \
         (x'01900000000070008000000000000001', 'PAYABLE', 'USD', 1, '2026-01-01', '2026-01-01')",
    )
    .await
    .unwrap();
    db.close().await.unwrap();
    let newer = t.folder().join("newer.db");
    std::fs::write(&newer, bare).unwrap();
    let db = observer(&url(&newer)).await;
    db.execute_unprepared(
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_from_the_future', 0)",
    )
    .await
    .unwrap();
    db.close().await.unwrap();
    let missing = t.folder().join("missing.db");
    for (backup, why) in [
        (&damaged, "its checksum does not match"),
        (&short, "is damaged"),
        (&text, "is damaged"),
        (&foreign, "is not a database of Ensemble"),
        (&cooked, "are not in order"),
        (&newer, "m9999_from_the_future"),
        (&missing, "missing.db"),
    ] {
        for options in [&[] as &[_], &["--without-checksum"]] {
            let arguments = ["restore", backup.to_str().unwrap()];
            let refused = site.run(arguments.iter().chain(options)).await;
            assert_eq!(refused.status.code(), Some(1), "{backup:?}: {refused:?}");
            let said = String::from_utf8(refused.stderr).unwrap();
            // Without a checksum nothing else is looked at, unless asked for.
            let unsealed = ![&damaged, &missing].contains(&backup);
            let reason = if options.is_empty() && unsealed {
                "has no checksum"
            } else {
                why
            };
            assert!(said.contains(reason), "{backup:?} {options:?}: {said}");
            assert_eq!(kept(&file), Vec::<PathBuf>::new());
            assert!(!beside(&file, ".restoring").exists());
        }
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

async fn a_backup_with_one_bit_flipped_is_refused_wherever_it_is(t: TestApp) {
    let (site, file) = on_a_file(&t).await;
    let good = t.folder().join("good.db");
    site.done(["backup", good.to_str().unwrap()]).await;
    let (before, bytes) = (std::fs::read(&file).unwrap(), std::fs::read(&good).unwrap());
    let flipped = t.folder().join("flipped.db");
    // Twenty-five places all over the file, the last two in the mark and in the checksum itself.
    let places = (0..23).map(|n| n * (bytes.len() - 48) / 23 + n);
    for place in places.chain([bytes.len() - 48, bytes.len() - 1]) {
        let mut torn = bytes.clone();
        torn[place] ^= 1 << (place % 8);
        std::fs::write(&flipped, torn).unwrap();
        let refused = site.run(["restore", flipped.to_str().unwrap()]).await;
        assert_eq!(refused.status.code(), Some(1), "{place}: {refused:?}");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("checksum"), "{place}: {said}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);

    // A backup of a version before checksums is a database and nothing else; it is restored when asked for.
    let older = t.folder().join("older.db");
    std::fs::write(&older, &bytes[..bytes.len() - 48]).unwrap();
    let arguments = ["restore", older.to_str().unwrap()];
    let refused = site.run(arguments).await;
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("--without-checksum"), "{said}");
    site.done(arguments.iter().chain(&["--without-checksum"]))
        .await;
    site.done(["restore", good.to_str().unwrap()]).await;
    site.done(["verify"]).await;
}

async fn a_database_in_use_is_not_replaced(t: TestApp) {
    let (site, file) = on_a_file(&t).await;
    let backup = t.folder().join("backup.db");
    site.done(["backup", backup.to_str().unwrap()]).await;
    let server = site.serve().await;
    let refused = async || {
        let refused = site.run(["restore", backup.to_str().unwrap()]).await;
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("in use"), "{said}");
    };
    refused().await;
    assert_eq!(kept(&file), Vec::<PathBuf>::new());
    // The server does not notice.
    let writer = Writer::at(&server).await;
    writer.reaches(2).await;
    let written = writer.stop().await;
    server.kill();
    assert_eq!(partners(&file).await, written);

    // Nor one that is damaged or gone: what it holds does not matter.
    for arguments in [&["serve"] as &[_], &["worker"]] {
        site.done(["restore", backup.to_str().unwrap()]).await;
        let mut command = site.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = command.spawn().unwrap();
        until("work on the database", || async {
            count(&file, "SELECT count(*) FROM schedule_run").await > 0
        })
        .await;
        std::fs::write(&file, vec![7; 100_000]).unwrap();
        refused().await;
        std::fs::remove_file(&file).unwrap();
        refused().await;
        assert!(!file.exists());
        running.kill().unwrap();
        running.wait().unwrap();
    }
    // Its use ended with whoever used it.
    site.done(["restore", backup.to_str().unwrap()]).await;
    assert_eq!(partners(&file).await, 0);
}

async fn a_dump_under_writes_is_restored_into_an_empty_database(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    site.administrator(PASSWORD).await;
    let refused = site.run(["backup", "backup.db"]).await;
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("pg_dump"), "{said}");

    let server = site.serve().await;
    let writer = Writer::at(&server).await;
    writer.reaches(5).await;
    let before = writer.acknowledged();
    let dump = t.folder().join("ensemble.dump");
    let mut command = Command::new("pg_dump");
    command
        .args(["--format=custom", "--file"])
        .arg(&dump)
        .arg(&url);
    ended_well(command).await;
    let after = writer.acknowledged();
    writer.stop().await;
    drop(server);

    let empty = t.fresh_database().await;
    let mut command = Command::new("pg_restore");
    command.args([
        "--no-owner",
        "--exit-on-error",
        "--single-transaction",
        "--dbname",
        &empty,
    ]);
    command.arg(&dump);
    ended_well(command).await;
    let restored = Installation::new(t.folder().join("restored"), &empty);
    restored.done(["verify"]).await;
    let found = number(&observer(&empty).await, PARTNERS).await;
    assert!(
        (before..=after + 1).contains(&found),
        "{before} {found} {after}"
    );
    let server = restored.serve().await;
    let writer = Writer::at(&server).await;
    writer.reaches(1).await;
    writer.stop().await;
}

async fn ended_well(mut command: Command) {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

async fn a_file_is_whole_without_its_log_when_a_command_has_ended(t: TestApp) {
    let folder = t.folder().join("site");
    let file = folder.join("ensemble.db");
    let site = Installation::new(folder, &url(&file));
    let scale = ["seed", "--partners", "3", "--deals", "20"];
    // The last one fails: its data is for a new database.
    let commands = [&scale as &[_], &["verify"], &["migrate"], &scale];
    for (place, arguments) in commands.into_iter().enumerate() {
        let status = site.run(arguments).await.status;
        assert_eq!(status.success(), place < 3, "{arguments:?}");
        let copy = t.folder().join("copy.db");
        std::fs::copy(&file, &copy).unwrap();
        let (copied, original) = (observer(&url(&copy)).await, observer(&url(&file)).await);
        assert_eq!(number(&copied, PARTNERS).await, 3);
        assert_eq!(
            export::normalised(&copied).await,
            export::normalised(&original).await
        );
        copied.close().await.unwrap();
        original.close().await.unwrap();
        std::fs::remove_file(&copy).unwrap();
    }
}
