//! What an operator's commands do to a database that is not there, to an address that is taken, and to weak passwords.

use std::{
    io::Write as _,
    net::TcpListener,
    path::Path,
    process::{Output, Stdio},
};

use sea_orm::DbBackend;

use super::account::{number, observer};
use crate::{
    cases,
    support::{TestApp, http::Http, program::Installation},
};

cases!(
    a_command_that_may_create_nothing_leaves_an_empty_folder_empty,
    only_commands_that_begin_something_create_a_database,
    a_database_that_was_never_migrated_is_an_error,
    a_verification_says_what_it_checked,
    an_administrator_s_password_keeps_the_rule_of_the_api,
    sign_ins_are_shown_only_where_the_demo_was_loaded,
    sqlite: [an_address_that_is_taken_is_named_before_anything_is_done],
);

const PASSWORD: &str = "correct horse battery";

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A URL of a database that nobody made, and how it is named.
fn nowhere(t: &TestApp, folder: &Path) -> (String, String) {
    match t.app.db().backend() {
        DbBackend::Postgres => {
            let (server, _) = t.url().rsplit_once('/').unwrap();
            let name = format!("ensemble_nowhere_{}", std::process::id());
            (format!("{server}/{name}"), name)
        }
        _ => {
            let file = folder.join("typo.db");
            (
                format!("sqlite://{}", file.display()),
                file.display().to_string(),
            )
        }
    }
}

/// What a command may leave in an empty folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaves {
    Nothing,
    /// It starts an installation unless it is refused; the arguments here make it fail.
    NothingWhenRefused,
}

/// The arguments to try a command with in an empty folder. Every new command has to be listed.
fn tried<'a>(command: &str, taken: &'a str) -> (Leaves, Vec<&'a str>) {
    use Leaves::{Nothing, NothingWhenRefused};
    match command {
        "worker" | "schema" | "verify" | "check-config" | "run reseal" | "help" => {
            (Nothing, vec![])
        }
        "run accrual" => (Nothing, vec!["--program", "Growth"]),
        "backup" => (Nothing, vec!["copy.db"]),
        "restore" => (NothingWhenRefused, vec!["nowhere.db"]),
        "serve" => (NothingWhenRefused, vec!["--listen", taken]),
        // Production requires settings that are missing here.
        "migrate" | "seed" => (NothingWhenRefused, vec!["--mode", "production"]),
        "import" => (
            NothingWhenRefused,
            vec!["--mapping", "nowhere.toml", "--folder", "."],
        ),
        // Without a password on standard input one is generated, so the address is what is refused.
        "admin create" => (
            NothingWhenRefused,
            vec!["--email", "a@b.example", "--name", "A", "--mode", "staging"],
        ),
        other => panic!("say what `ensemble {other}` leaves behind in an empty folder"),
    }
}

/// Every command that the program lists, including subcommands.
fn commands(run: &dyn Fn(&[&str]) -> Output, above: &[&str]) -> Vec<String> {
    let help = run(&[above, &["--help"]].concat());
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    let names = listed.lines().take_while(|line| !line.is_empty());
    let names = names.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let mut all = Vec::new();
    for name in names.filter(|name| !name.is_empty() && *name != "help") {
        let path = [above, &[name]].concat();
        let below = commands(run, &path);
        if below.is_empty() {
            all.push(path.join(" "));
        }
        all.extend(below);
    }
    all
}

async fn a_command_that_may_create_nothing_leaves_an_empty_folder_empty(t: TestApp) {
    let folder = t.folder().join("empty");
    std::fs::create_dir_all(&folder).unwrap();
    let is_sqlite = t.app.db().backend() == DbBackend::Sqlite;
    let (url, _) = nowhere(&t, &folder);
    // The environment is empty, so folder, database and secret have their default paths.
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ensemble"));
        command.args(arguments).env_clear().current_dir(&folder);
        if !is_sqlite {
            command.env("DATABASE_URL", &url);
        }
        command.stdin(Stdio::null()).output().unwrap()
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let all = commands(&run, &[]);
    for known in ["serve", "worker", "verify", "run reseal", "admin create"] {
        assert!(all.iter().any(|name| name == known), "{all:?}");
    }
    for command in all {
        let (leaves, more) = tried(&command, &taken);
        let arguments: Vec<&str> = command.split(' ').chain(more).collect();
        let done = run(&arguments);
        if leaves == Leaves::NothingWhenRefused {
            assert!(!done.status.success(), "{arguments:?}: {done:?}");
        }
        let left: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
        assert!(left.is_empty(), "{arguments:?} left {left:?}: {done:?}");
    }
    let rehearsed = [
        "import",
        "--dry-run",
        "--mapping",
        "nowhere.toml",
        "--folder",
        ".",
    ];
    assert!(!run(&rehearsed).status.success());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

const EXISTING_ONLY: [&[&str]; 5] = [
    &["verify"],
    &["worker"],
    &["run", "accrual", "--program", "Growth"],
    &["run", "reseal"],
    &["backup", "copy.db"],
];

async fn only_commands_that_begin_something_create_a_database(t: TestApp) {
    let folder = t.folder().join("site");
    std::fs::create_dir_all(&folder).unwrap();
    let (url, name) = nowhere(&t, &folder);
    let site = Installation::new(folder.clone(), &url).with(
        "ENSEMBLE_DATA_DIR",
        folder.join("data").display().to_string(),
    );
    for command in EXISTING_ONLY {
        let refused = site.run(command).await;
        assert_eq!(refused.status.code(), Some(1), "{command:?}: {refused:?}");
        let is_sqlite = t.app.db().backend() == DbBackend::Sqlite;
        if is_sqlite || command[0] != "backup" {
            assert!(said(&refused).contains(&name), "{command:?}: {refused:?}");
            assert!(
                said(&refused).contains("no database"),
                "{command:?}: {refused:?}"
            );
        }
        assert!(
            !said(&refused).contains("ok    "),
            "{command:?}: {refused:?}"
        );
        let left: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
        assert!(left.is_empty(), "{command:?} left {left:?}");
    }
}

async fn a_database_that_was_never_migrated_is_an_error(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    // SQLite has no database before there is a file.
    observer(&url).await.close().await.unwrap();
    for command in EXISTING_ONLY
        .iter()
        .filter(|command| command[0] != "backup")
    {
        let refused = site.run(*command).await;
        assert_eq!(refused.status.code(), Some(1), "{command:?}: {refused:?}");
        assert!(
            said(&refused).contains("holds no data of Ensemble"),
            "{command:?}: {refused:?}"
        );
    }
    // Migrated, and nothing in it: nothing was found to be in order.
    site.done(["migrate"]).await;
    let empty = site.run(["verify"]).await;
    assert_eq!(empty.status.code(), Some(1), "{empty:?}");
    assert!(said(&empty).contains("nothing to check"), "{empty:?}");
    let printed = String::from_utf8(empty.stdout).unwrap();
    assert!(!printed.contains("ok    "), "{printed}");
    assert!(printed.contains("(0 rows)"), "{printed}");
}

async fn a_verification_says_what_it_checked(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    site.done(["seed", "--partners", "3", "--deals", "20"])
        .await;
    let printed = site.done(["verify"]).await;
    let first = printed.lines().next().unwrap();
    let place = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    assert!(
        first.starts_with("Checking ") && first.contains(place),
        "{first}"
    );
    assert!(!printed.contains("postgres:"), "{printed}");
    let db = observer(&url).await;
    let entries = number(&db, "SELECT count(*) FROM ledger_entry").await;
    let expected = format!("ok     every entry is in the currency of its account ({entries} rows)");
    assert!(entries > 0 && printed.contains(&expected), "{printed}");
    // Nobody has an account in generated data: that nothing was found there is no proof.
    let nothing = "empty  every partner is paid to the account that was set last (0 rows)";
    assert!(printed.contains(nothing), "{printed}");
    assert!(!printed.contains("older than fingerprints"), "{printed}");
}

async fn an_administrator_s_password_keeps_the_rule_of_the_api(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    let create = async |password: &'static str| {
        let arguments = [
            "admin",
            "create",
            "--email",
            "root@vendor.example",
            "--name",
            "Root",
        ];
        let mut command = site.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            writeln!(stdin, "{password}").unwrap();
            drop(stdin);
            child.wait_with_output().unwrap()
        })
        .await
        .unwrap()
    };
    for (weak, why) in [
        ("short", "at least 12 characters"),
        ("             ", "only white space"),
    ] {
        let refused = create(weak).await;
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(said(&refused).contains(why), "{refused:?}");
    }
    let db = observer(&url).await;
    let tables = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        }
        _ => "SELECT count(*) FROM sqlite_master",
    };
    assert_eq!(
        number(&db, tables).await,
        0,
        "a refused password created a schema"
    );
    let created = create(PASSWORD).await;
    assert!(created.status.success(), "{created:?}");
    assert_eq!(
        created.stdout,
        b"Created administrator root@vendor.example.\n"
    );
}

async fn sign_ins_are_shown_only_where_the_demo_was_loaded(t: TestApp) {
    // A company whose people happen to have an address of the demo.
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    site.administrator_at("ada@vendor.example", PASSWORD).await;
    let shown = async |site: &Installation| {
        let server = site.serve().await;
        let page = Http::default()
            .get(&format!("{}/", server.address))
            .await
            .unwrap();
        assert_eq!(page.0, 200);
        page.1
    };
    assert!(!shown(&site).await.contains(ensemble::seeds::PASSWORD));

    let url = t.fresh_database().await;
    let demo = Installation::new(t.folder().join("demo"), &url);
    demo.done(["seed"]).await;
    assert!(shown(&demo).await.contains(ensemble::seeds::PASSWORD));
}

async fn an_address_that_is_taken_is_named_before_anything_is_done(t: TestApp) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = t.folder().join("site");
    std::fs::create_dir_all(&folder).unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.join("ensemble.db").display());
    let site = Installation::new(folder.clone(), &url);
    let serve = ["serve", "--listen", &address];
    let refused = site.run(serve).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(
        said(&refused),
        format!(
            "Cannot listen on {address}: the address is in use. Choose another address with --listen (ENSEMBLE_LISTEN).\n"
        )
    );
    assert!(refused.stdout.is_empty(), "{refused:?}");
    let left = || std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(left(), 0);
    // Nor is the log left beside a database that is there.
    site.administrator(PASSWORD).await;
    let before = left();
    assert_eq!(site.run(serve).await.status.code(), Some(1));
    assert_eq!(left(), before);
    assert!(!folder.join("ensemble.db-wal").exists());
}
