//! Brings the database to the schema of this program, whoever else tries at the same moment.
//!
//! The whole run holds a lock (an advisory lock on PostgreSQL, a file lock beside a SQLite file), because the
//! migrator itself has none. Each migration is one transaction: a killed one left nothing and runs again.

use std::{collections::BTreeSet, str::FromStr};

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use sqlx::sqlite::SqliteConnectOptions;

use super::lock::{self, LockFault};

/// The advisory lock of a run; any number that nobody else uses.
const LOCK: i64 = 0x656e_7365_6d62_6c65;

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationFault {
    /// The database failed.
    #[error("the database cannot be migrated: {0}")]
    Database(#[from] DbErr),
    /// The lock beside the database file cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockFault),
    /// The URL cannot be read.
    #[error("the database URL is not valid")]
    Url,
    /// The database was migrated by a newer program.
    #[error(
        "the database has migrations this program does not know ({0}): it belongs to a newer version"
    )]
    Newer(String),
}

/// Applies what is missing.
///
/// # Errors
/// See [`MigrationFault`]; nothing of the failed migration stays.
pub async fn up(url: &str) -> Result<(), MigrationFault> {
    if url.starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(url).map_err(|_| MigrationFault::Url)?;
        let lock = lock::migrate(options.get_filename()).await?;
        let connection = connect(url).await?;
        let outcome = apply(&connection).await;
        connection.close().await?;
        drop(lock);
        return outcome;
    }
    // One connection: the advisory lock belongs to its session, and so does every migration.
    let connection = connect(url).await?;
    connection
        .execute_unprepared(&format!("SELECT pg_advisory_lock({LOCK})"))
        .await?;
    let outcome = apply(&connection).await;
    connection
        .execute_unprepared(&format!("SELECT pg_advisory_unlock({LOCK})"))
        .await?;
    connection.close().await?;
    outcome
}

/// How far a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none, or it has no tables.
    Missing,
    /// It lacks migrations of this program.
    Behind,
    /// It has the schema of this program.
    Current,
}

/// Finds out how far a database is, and changes nothing.
///
/// # Errors
/// See [`MigrationFault`].
pub async fn standing(url: &str) -> Result<Standing, MigrationFault> {
    let sqlite = url.starts_with("sqlite:");
    if sqlite {
        let options = SqliteConnectOptions::from_str(url).map_err(|_| MigrationFault::Url)?;
        let file = std::fs::metadata(options.get_filename());
        if !file.is_ok_and(|file| file.len() > 0) {
            return Ok(Standing::Missing);
        }
    }
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|options| {
            options.create_if_missing(false).pragma("query_only", "ON")
        });
    let connection = Database::connect(options).await?;
    let standing = look(&connection, sqlite).await;
    connection.close().await?;
    standing
}

async fn look(connection: &DatabaseConnection, sqlite: bool) -> Result<Standing, MigrationFault> {
    let there = if sqlite {
        "SELECT name FROM sqlite_master WHERE name = 'seaql_migrations'"
    } else {
        "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL"
    };
    let backend = connection.get_database_backend();
    let there = connection.query_one_raw(sea_orm::Statement::from_string(backend, there));
    if there.await?.is_none() {
        return Ok(Standing::Missing);
    }
    let (known, applied) = (known(), applied(connection).await?);
    refuse_newer(&known, &applied)?;
    Ok(match applied.len() {
        0 => Standing::Missing,
        _ if applied == known => Standing::Current,
        _ => Standing::Behind,
    })
}

async fn apply(connection: &DatabaseConnection) -> Result<(), MigrationFault> {
    Migrator::install(connection).await?;
    refuse_newer(&known(), &applied(connection).await?)?;
    Ok(Migrator::up(connection, None).await?)
}

/// The migrations of this program.
fn known() -> BTreeSet<String> {
    Migrator::migrations()
        .iter()
        .map(|one| one.name().to_owned())
        .collect()
}

async fn applied(connection: &DatabaseConnection) -> Result<BTreeSet<String>, MigrationFault> {
    let rows = connection
        .query_all_raw(sea_orm::Statement::from_string(
            connection.get_database_backend(),
            "SELECT version FROM seaql_migrations",
        ))
        .await?;
    let versions = rows.iter().map(|row| row.try_get("", "version"));
    Ok(versions.collect::<Result<_, _>>()?)
}

fn refuse_newer(
    known: &BTreeSet<String>,
    applied: &BTreeSet<String>,
) -> Result<(), MigrationFault> {
    let foreign: Vec<_> = applied.difference(known).cloned().collect();
    if foreign.is_empty() {
        return Ok(());
    }
    Err(MigrationFault::Newer(foreign.join(", ")))
}

async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|options| {
            options
                .create_if_missing(true)
                .busy_timeout(std::time::Duration::from_secs(30))
                .pragma("journal_mode", "WAL")
        });
    Database::connect(options).await
}
