//! Brings the database to the schema of this program, whoever else tries at the same moment.
//!
//! The whole run holds a lock (an advisory lock on PostgreSQL, a file lock beside a SQLite file), because the
//! migrator itself has none. Each migration is one transaction: a killed one left nothing and runs again.

use std::{
    collections::BTreeSet,
    io,
    str::FromStr,
    time::{Duration, Instant},
};

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement,
};
use sqlx::{
    ConnectOptions as _, Connection, postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
};

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
    /// The server cannot be reached, or does not let this program in.
    #[error("PostgreSQL at {place} cannot be used: {reason}")]
    Unreachable {
        /// Host and port, or the socket.
        place: String,
        /// Why.
        reason: String,
    },
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
        let closed = connection.close().await;
        drop(lock);
        outcome?;
        return Ok(closed?);
    }
    reach(url).await?;
    // One connection: the advisory lock belongs to its session, and so does every migration.
    let connection = connect(url).await?;
    let ask =
        |what: &str| Statement::from_string(DbBackend::Postgres, format!("SELECT {what}({LOCK})"));
    let free = connection
        .query_one_raw(ask("pg_try_advisory_lock"))
        .await?;
    if !free.is_some_and(|row| row.try_get_by_index(0).unwrap_or(false)) {
        tracing::info!("waiting: another process migrates this database");
        connection.query_one_raw(ask("pg_advisory_lock")).await?;
    }
    let outcome = apply(&connection).await;
    // The lock ends with its session, whatever became of that.
    let closed = connection.close().await;
    outcome?;
    Ok(closed?)
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
    let there = connection.query_one_raw(Statement::from_string(backend, there));
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
        .query_all_raw(Statement::from_string(
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

/// How long a server is waited for that does not take connections yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// Finds out whether the server can be used at all, and says which server it is when not.
async fn reach(url: &str) -> Result<(), MigrationFault> {
    let options = PgConnectOptions::from_str(url).map_err(|_| MigrationFault::Url)?;
    let unreachable = |reason: String| MigrationFault::Unreachable {
        place: match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        },
        reason,
    };
    let started = Instant::now();
    loop {
        let left = PATIENCE.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, options.connect()).await {
            Ok(Ok(connection)) => {
                let _ = connection.close().await;
                return Ok(());
            }
            // It may be starting.
            Ok(Err(sqlx::Error::Io(error)))
                if error.kind() == io::ErrorKind::ConnectionRefused
                    && started.elapsed() + Duration::from_millis(200) < PATIENCE =>
            {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(Err(sqlx::Error::Database(error)))
                if error.code().is_some_and(|code| code == "57P03")
                    && started.elapsed() + Duration::from_millis(200) < PATIENCE =>
            {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Err(_) => {
                return Err(unreachable(format!(
                    "it did not answer within {} seconds",
                    PATIENCE.as_secs()
                )));
            }
        }
    }
}

async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|options| {
            options
                .create_if_missing(true)
                .busy_timeout(Duration::from_secs(30))
                .pragma("journal_mode", "WAL")
        });
    Database::connect(options).await
}
