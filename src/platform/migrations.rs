//! Brings the database to the schema of this program, whoever else tries at the same moment.
//!
//! The whole run holds a lock (an advisory lock on PostgreSQL, a file lock beside a SQLite file), because the
//! migrator itself has none. Each migration is one transaction: a killed one left nothing and runs again.

use std::{collections::BTreeSet, str::FromStr};

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr,
    Statement,
};
use sqlx::sqlite::SqliteConnectOptions;

use super::{
    lock::{self, LockFault},
    place::Place,
};

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
    /// There is no such database.
    #[error(
        "There is no database at {0}. `ensemble migrate` creates one; check DATABASE_URL if there should be one."
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
    let connection = match connect_to(url, false).await {
        Ok(connection) => connection,
        Err(error) if is_missing(&error) => return Err(MigrationFault::Missing(place)),
        Err(error) => return Err(error.into()),
    };
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

/// The code of PostgreSQL for a database that does not exist.
fn is_missing(error: &DbErr) -> bool {
    let DbErr::Conn(RuntimeErr::SqlxError(source)) = error else {
        return false;
    };
    let code = source.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == "3D000")
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

async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    connect_to(url, true).await
}

async fn connect_to(url: &str, create: bool) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options| {
            let options = options
                .create_if_missing(create)
                .busy_timeout(std::time::Duration::from_secs(30));
            if create {
                options.pragma("journal_mode", "WAL")
            } else {
                options
            }
        });
    Database::connect(options).await
}
