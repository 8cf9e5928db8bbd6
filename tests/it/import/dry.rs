//! A dry run with the real program: it decides, shows the totals and leaves nothing behind.

use std::{collections::BTreeMap, path::Path};

use sea_orm::DbBackend;

use super::rows::everything;
use crate::{
    cases,
    durability::account::{number, observer},
    support::{TestApp, program::Installation},
};

cases!(
    a_dry_run_without_a_database_leaves_nothing_behind,
    a_dry_run_on_a_database_changes_no_byte_of_it,
    an_import_that_cannot_be_read_exits_with_one_and_writes_nothing,
);

/// Every file below a folder with what is in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        found.insert(path.display().to_string(), bytes);
    }
    found
}

fn arguments(folder: &Path, more: &[&str]) -> Vec<String> {
    let fixed = ["import", "--mapping", "mapping.toml", "--folder", "."];
    let mut all: Vec<String> = fixed.iter().map(|text| (*text).to_owned()).collect();
    all[2] = folder.join("mapping.toml").display().to_string();
    all[4] = folder.display().to_string();
    all.extend(more.iter().map(|text| (*text).to_owned()));
    all
}

/// What is told of the deals: totals by currency and status.
fn totals(shown: &str) -> Vec<Vec<&str>> {
    let lines = shown.lines().filter(|line| line.starts_with("EUR "));
    lines
        .map(|line| line.split_whitespace().collect())
        .collect()
}

async fn a_dry_run_without_a_database_leaves_nothing_behind(t: TestApp) {
    // On PostgreSQL an empty database; on SQLite no file, in a folder that does not exist.
    let url = t.fresh_database().await;
    let url = url.replace("fresh0.db", "none/fresh.db");
    let site = Installation::new(t.folder().join("site"), &url).with(
        "ENSEMBLE_DATA_DIR",
        t.folder().join("data").display().to_string(),
    );
    let input = everything();
    let before = files(&t.folder());
    let output = site.run(arguments(&input.path(""), &["--dry-run"])).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.starts_with("There is no database yet"), "{shown}");
    assert!(
        shown.contains("Nothing was written: this was a dry run."),
        "{shown}"
    );
    assert_eq!(
        totals(&shown),
        [
            ["EUR", "OPEN", "0", "0.00", "2", "1500.50"],
            ["EUR", "WON", "0", "0.00", "1", "12345.60"],
            ["EUR", "LOST", "0", "0.00", "1", "0.00"],
        ]
    );
    assert_eq!(files(&t.folder()), before);
    if !url.starts_with("sqlite:") {
        let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
        assert_eq!(number(&observer(&url).await, tables).await, 0);
    }
}

async fn a_dry_run_on_a_database_changes_no_byte_of_it(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    let input = everything();
    let real = site.run(arguments(&input.path(""), &[])).await;
    assert_eq!(real.status.code(), Some(3), "{real:?}");
    let text = std::fs::read_to_string(input.path("deals.csv")).unwrap();
    input.write("deals.csv", text.replace("PROSPECT;500;", "PROSPECT;600;"));
    let before = files(&t.folder());
    let output = site.run(arguments(&input.path(""), &["--dry-run"])).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        totals(&shown)[0],
        ["EUR", "OPEN", "2", "1500.50", "2", "1600.50"]
    );
    assert!(files(&t.folder()) == before, "the dry run changed a file");
    let real = site.run(arguments(&input.path(""), &[])).await;
    let real = String::from_utf8(real.stdout).unwrap();
    assert_eq!(totals(&real), totals(&shown));
    let stored = "SELECT CAST(sum(value_minor) AS BIGINT) FROM deal WHERE status = 'OPEN'";
    assert_eq!(number(&observer(&url).await, stored).await, 160_050);
}

async fn an_import_that_cannot_be_read_exits_with_one_and_writes_nothing(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    let input = everything();
    input.write(
        "customers.csv",
        "id;name;web;land\nacme;\"ACME GmbH;;DE\nbolt;Bolt;;DE\n",
    );
    let output = site.run(arguments(&input.path(""), &[])).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("BAD_USER_INPUT at customers.csv: line 2: The quote that opens here, in column 2, is never closed."),
        "{error}"
    );
    let db = observer(&url).await;
    let tables = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        }
        _ => "SELECT count(*) FROM sqlite_master",
    };
    assert_eq!(number(&db, tables).await, 0, "not even a schema");
    let wrong = site.run(["import", "--mapping", "m.toml"]).await;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}
