//! The two doors to the database: one for reading, one for writing.
//!
//! SQLite has one writer, so its writing pool holds one connection and begins every transaction as the
//! writer; readers see the last committed state beside it (WAL). On PostgreSQL the reading pool is read-only
//! by session, and the writing pool discards a session that was left inside a transaction.

use std::{fs::File, num::NonZero, str::FromStr, sync::Arc, time::Duration};

use log::LevelFilter;
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use sqlx::{Row, sqlite::SqliteConnectOptions};

use super::{
    lock,
    reader::{Note, Reader},
};

/// From which time on a statement is told in the log, unless said otherwise.
const SLOW: Duration = Duration::from_millis(250);

/// The pools of one database.
#[derive(Clone)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    note: Option<Note>,
    /// Tells others that an SQLite file is in use.
    _in_use: Option<Arc<File>>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").finish_non_exhaustive()
    }
}

impl Db {
    /// Opens both pools. `size` bounds the connections of each pool (the SQLite writer is always one).
    ///
    /// # Errors
    /// The database cannot be reached or opened.
    pub async fn connect(url: &str, size: u32) -> Result<Self, DbErr> {
        Self::telling(url, size, SLOW).await
    }

    /// As [`Db::connect`]; a statement that takes `slow` or longer is told in the log: its text without the values
    /// bound to it, its rows and its time, in the span of the request that caused it.
    ///
    /// # Errors
    /// The database cannot be reached or opened.
    pub async fn telling(url: &str, size: u32, slow: Duration) -> Result<Self, DbErr> {
        let open = |size, read_only| {
            let mut options = if url.starts_with("sqlite:") {
                sqlite(url, size, read_only)
            } else {
                postgres(url, size, read_only)
            };
            options
                .sqlx_logging(true)
                .sqlx_logging_level(LevelFilter::Off)
                .sqlx_slow_statements_logging_settings(LevelFilter::Warn, slow);
            Database::connect(options)
        };
        let in_use = if url.starts_with("sqlite:") {
            Some(Arc::new(share(url).await?))
        } else {
            None
        };
        // The writer comes first: it creates the file that readers of SQLite may only open.
        let (writers, readers) = if url.starts_with("sqlite:") {
            // Each is a thread here, and more of them than can run get in each other's way.
            let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
            let useful = u32::try_from(2 * processors).unwrap_or(u32::MAX);
            (1, size.min(useful.max(4)))
        } else {
            (size, size)
        };
        let write = open(writers, false).await?;
        let read = open(readers, true).await?;
        Ok(Self {
            read,
            write,
            note: None,
            _in_use: in_use,
        })
    }

    /// The same pools, telling every statement that they run.
    #[must_use]
    pub fn observed(mut self, note: impl Fn(&Statement) + Send + Sync + 'static) -> Self {
        let note: Note = Arc::new(note);
        for pool in [&mut self.read, &mut self.write] {
            let note = Arc::clone(&note);
            pool.set_metric_callback(move |info| note(info.statement));
        }
        self.note = Some(note);
        self
    }

    /// The reading door of one request: it refuses to write.
    #[must_use]
    pub fn reading(&self) -> Reader {
        Reader::new(self.read.clone(), self.note.clone())
    }

    /// The pool for reading: it refuses to write.
    #[must_use]
    pub const fn reader(&self) -> &DatabaseConnection {
        &self.read
    }

    /// The pool for migrations and operator commands; business changes go through the write path.
    #[must_use]
    pub const fn maintenance(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Which of the two databases this is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// Begins a transaction that may write.
    ///
    /// # Errors
    /// No connection became free in time, or the database refused.
    #[expect(clippy::disallowed_methods, reason = "the one place that begins")]
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: (self.backend() == DbBackend::Sqlite)
                .then_some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.write.begin_with_options(options).await
    }

    /// Closes both pools and waits for what runs.
    ///
    /// # Errors
    /// A connection could not be closed cleanly.
    pub async fn close(self) -> Result<(), DbErr> {
        self.read.close().await?;
        self.write.close().await
    }
}

async fn share(url: &str) -> Result<File, DbErr> {
    let fault = |fault: &dyn std::error::Error| DbErr::Custom(fault.to_string());
    let options = SqliteConnectOptions::from_str(url).map_err(|error| fault(&error))?;
    let shared = lock::share(options.get_filename()).await;
    shared.map_err(|error| fault(&error))
}

fn options(url: &str, size: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(5))
        .test_before_acquire(false);
    options
}

fn sqlite(url: &str, size: u32, read_only: bool) -> ConnectOptions {
    let mut options = options(url, size);
    options.map_sqlx_sqlite_opts(move |options| {
        let options = options
            .create_if_missing(!read_only)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            // Without it REPLACE deletes rows past the triggers that guard them.
            .pragma("recursive_triggers", "ON")
            .pragma("synchronous", "FULL");
        if read_only {
            options.pragma("query_only", "ON")
        } else {
            options.pragma("journal_mode", "WAL")
        }
    });
    // A pooled SQLite connection has nothing to gain from being recycled.
    options.max_lifetime(None).idle_timeout(None);
    options
}

fn postgres(url: &str, size: u32, read_only: bool) -> ConnectOptions {
    let mut options = options(url, size);
    options.map_sqlx_postgres_opts(move |options| {
        let read_only = if read_only { "on" } else { "off" };
        options.options([
            ("idle_in_transaction_session_timeout", "10s"),
            ("default_transaction_read_only", read_only),
            ("timezone", "UTC"),
        ])
    });
    if read_only {
        // After a restart of the server no pooled session is left, and nobody used one for a moment.
        options.test_before_acquire_if_idle_for(Duration::from_secs(1));
    } else {
        // Outside a transaction now() is the start of the statement; inside a forgotten one it stands still. Asked in one
        // message: of a prepared statement each message has a time of its own.
        options.map_sqlx_postgres_before_acquire(|connection, _| {
            Box::pin(async move {
                let row = sqlx::raw_sql("SELECT now() = statement_timestamp()")
                    .fetch_one(connection)
                    .await?;
                let fresh: bool = row.try_get(0)?;
                Ok(fresh)
            })
        });
    }
    options
}
