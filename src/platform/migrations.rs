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
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};
use sqlx::{
    ConnectOptions as _, Connection, postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
};

use super::{
    db::pool,
    lock::{self, LockFault},
    place::Place,
};

/// The advisory lock of a run; any number that nobody else uses.
pub const LOCK: i64 = 0x656e_7365_6d62_6c65;

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
    /// There is no such database.
    #[error(
        "There is no database at {0}. {way}; check DATABASE_URL if there should be one.", way = way_to(.0)
    )]
    Missing(Place),
    /// The database was never migrated.
    #[error(
        "{0} holds no data of Ensemble. `ensemble migrate` prepares it; check DATABASE_URL if it should."
    )]
    Unprepared(Place),
    /// The database has the schema of an older version.
    #[error("{0} has the schema of an older version. Run `ensemble migrate` first.")]
    Older(Place),
    /// The database was migrated by a newer program.
    #[error(
        "the database has migrations this program does not know ({0}): it belongs to a newer version"
    )]
    Newer(String),
}

/// How a database comes to be.
const fn way_to(place: &Place) -> &'static str {
    match place {
        Place::Sqlite(_) => "`ensemble migrate` creates one",
        Place::Postgres { .. } => "Create it on the server",
    }
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
    /// It has the schema of an older version.
    Older,
    /// It has the schema of this program.
    Current,
}

/// Looks at a database that has to exist, and creates nothing: no file, no folder, no table.
///
/// # Errors
/// There is no such database, it was never migrated, or a newer program migrated it.
pub async fn standing(url: &str) -> Result<Standing, MigrationFault> {
    let place = Place::from_str(url).map_err(|_| MigrationFault::Url)?;
    if matches!(&place, Place::Sqlite(file) if !file.is_file()) {
        return Err(MigrationFault::Missing(place));
    }
    if matches!(place, Place::Postgres { .. }) {
        reach(url).await?;
    }
    let connection = connect_to(url, false).await?;
    let looked = look(&connection, place).await;
    connection.close().await?;
    looked
}

async fn look(connection: &DatabaseConnection, place: Place) -> Result<Standing, MigrationFault> {
    let backend = connection.get_database_backend();
    let table = match backend {
        DbBackend::Postgres => {
            "SELECT COUNT(*) FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_name = 'seaql_migrations'"
        }
        _ => {
            "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'"
        }
    };
    let row = connection
        .query_one_raw(Statement::from_string(backend, table))
        .await?;
    let tables: i64 = match row {
        Some(row) => row.try_get_by_index(0)?,
        None => 0,
    };
    if tables == 0 {
        return Err(MigrationFault::Unprepared(place));
    }
    match applied_of_known(connection).await? {
        0 => Err(MigrationFault::Unprepared(place)),
        applied if applied < Migrator::migrations().len() => Ok(Standing::Older),
        _ => Ok(Standing::Current),
    }
}

async fn apply(connection: &DatabaseConnection) -> Result<(), MigrationFault> {
    Migrator::install(connection).await?;
    applied_of_known(connection).await?;
    Ok(Migrator::up(connection, None).await?)
}

/// How many migrations were applied, all of which this program knows.
async fn applied_of_known(connection: &DatabaseConnection) -> Result<usize, MigrationFault> {
    let known: BTreeSet<String> = Migrator::migrations()
        .iter()
        .map(|one| one.name().to_owned())
        .collect();
    let applied = connection
        .query_all_raw(Statement::from_string(
            connection.get_database_backend(),
            "SELECT version FROM seaql_migrations",
        ))
        .await?;
    let count = applied.len();
    let mut foreign = Vec::new();
    for row in applied {
        let version: String = row.try_get("", "version")?;
        if !known.contains(&version) {
            foreign.push(version);
        }
    }
    if foreign.is_empty() {
        Ok(count)
    } else {
        Err(MigrationFault::Newer(foreign.join(", ")))
    }
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
            Ok(Err(sqlx::Error::Database(error)))
                if error.code().is_some_and(|code| code == "3D000") =>
            {
                let place = Place::from_str(url).map_err(|_| MigrationFault::Url)?;
                return Err(MigrationFault::Missing(place));
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
    connect_to(url, true).await
}

async fn connect_to(url: &str, create: bool) -> Result<DatabaseConnection, DbErr> {
    let mut options = pool(url, 1);
    options
        .acquire_timeout(Duration::from_secs(30))
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options| {
            let options = options
                .create_if_missing(create)
                .busy_timeout(Duration::from_secs(30));
            if create {
                options.pragma("journal_mode", "WAL")
            } else {
                options
            }
        });
    Database::connect(options).await
}
