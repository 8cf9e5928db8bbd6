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

async fn apply(connection: &DatabaseConnection) -> Result<(), MigrationFault> {
    Migrator::install(connection).await?;
    let known: BTreeSet<String> = Migrator::migrations()
        .iter()
        .map(|one| one.name().to_owned())
        .collect();
    let applied = connection
        .query_all_raw(sea_orm::Statement::from_string(
            connection.get_database_backend(),
            "SELECT version FROM seaql_migrations",
        ))
        .await?;
    let mut foreign = Vec::new();
    for row in applied {
        let version: String = row.try_get("", "version")?;
        if !known.contains(&version) {
            foreign.push(version);
        }
    }
    if !foreign.is_empty() {
        return Err(MigrationFault::Newer(foreign.join(", ")));
    }
    Ok(Migrator::up(connection, None).await?)
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
