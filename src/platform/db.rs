//! The two doors to the database: one for reading, one for writing.
//!
//! SQLite has one writer, so its writing pool holds one connection and begins every transaction as the
//! writer; readers see the last committed state beside it (WAL). On PostgreSQL the reading pool is read-only
//! by session, and the writing pool discards a session that was left inside a transaction.

use std::{fs::File, num::NonZero, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use log::LevelFilter;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbBackend, DbErr, Statement};
use sqlx::{PgConnection, sqlite::SqliteConnectOptions};

use super::{
    congestion::Congestion,
    connection::Line,
    lock,
    reader::{Note, Reader},
    readiness::Readiness,
    transaction::Transaction,
};

pub use super::connection::{Fault, Limits, Step};

/// The advisory lock of loading the demo; any number that nobody else uses.
const DEMO: i64 = 0x656e_7365_6d62_6c66;

/// How long a free connection is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pools of one database.
#[derive(Clone)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    line: Arc<Line>,
    note: Option<Note>,
    congestion: Arc<Congestion>,
    readiness: Arc<Readiness>,
    /// An SQLite file, and what tells others that it is in use.
    file: Option<Arc<(PathBuf, File)>>,
}

/// While it lives, no other process does the same.
pub struct Alone {
    _file: Option<File>,
    _session: Option<PgConnection>,
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
        Self::open(url, size, Limits::default()).await
    }

    /// As [`Db::connect`] with these limits. A slow statement is written to the log: its text without the values bound
    /// to it, its rows and its time, in the span of the request that caused it.
    ///
    /// # Errors
    /// The database cannot be reached or opened.
    pub async fn open(url: &str, size: u32, limits: Limits) -> Result<Self, DbErr> {
        let line = Arc::new(Line::new(limits));
        let open = |size, read_only| {
            let mut options = if url.starts_with("sqlite:") {
                sqlite(url, size, read_only)
            } else {
                postgres(url, size, read_only, &line)
            };
            options
                .sqlx_logging(true)
                .sqlx_logging_level(LevelFilter::Off)
                .sqlx_slow_statements_logging_settings(LevelFilter::Warn, limits.slow);
            Database::connect(options)
        };
        let file = if url.starts_with("sqlite:") {
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
            line,
            note: None,
            congestion: Arc::default(),
            readiness: Arc::default(),
            file,
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

    /// The same pools, on which a test decides what goes wrong with a step.
    #[must_use]
    pub fn disturbed(
        mut self,
        disturb: impl Fn(Step, &str) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        self.line = Arc::new(Line::disturbed(self.line.limits, Arc::new(disturb)));
        self
    }

    /// The reading door of one request or job: it refuses to write, and no statement outlives the limits.
    #[must_use]
    pub fn reading(&self) -> Reader {
        Reader::new(self.read.clone(), Arc::clone(&self.line), self.note.clone())
    }

    /// The pool for reading, for commands of an operator: it refuses to write.
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
    pub(crate) async fn begin(&self) -> Result<Transaction, DbErr> {
        Transaction::begin(&self.write, &self.line, self.note.clone()).await
    }

    /// Waits until no other process loads the demo into this database.
    ///
    /// # Errors
    /// The lock cannot be taken.
    pub async fn alone_with_the_demo(&self) -> Result<Alone, DbErr> {
        if let Some(file) = &self.file {
            let taken = lock::load_demo(&file.0).await.map_err(custom)?;
            return Ok(Alone {
                _file: Some(taken),
                _session: None,
            });
        }
        // A session of its own, which the pool does without: the lock belongs to it.
        let pool = self.write.get_postgres_connection_pool();
        let mut session = pool.acquire().await.map_err(custom)?.detach();
        let mut waiting = false;
        loop {
            let ask = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(DEMO);
            if ask.fetch_one(&mut session).await.map_err(custom)? {
                return Ok(Alone {
                    _file: None,
                    _session: Some(session),
                });
            }
            if !std::mem::replace(&mut waiting, true) {
                tracing::info!("waiting: another process loads the demo");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The operations that wait for a lock which others hold.
    pub(crate) fn congestion(&self) -> &Congestion {
        &self.congestion
    }

    /// Whether the database answers reads and takes writes, as found out within the last second.
    ///
    /// # Errors
    /// Why not, in words for an operator.
    pub async fn ready(&self) -> Result<(), &'static str> {
        self.readiness.ask(self).await
    }

    /// Trusts no connection any more that rests in a pool.
    pub(super) fn distrust(&self) {
        self.line.note_broken();
    }

    /// How long ago a change was committed.
    pub(super) fn since_written(&self) -> Option<Duration> {
        self.line.since_written()
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

async fn share(url: &str) -> Result<(PathBuf, File), DbErr> {
    let options = SqliteConnectOptions::from_str(url).map_err(custom)?;
    let file = options.get_filename().to_owned();
    let shared = lock::share(&file).await.map_err(custom)?;
    Ok((file, shared))
}

fn custom(fault: impl std::fmt::Display) -> DbErr {
    DbErr::Custom(fault.to_string())
}

/// The only way to open a pool. sqlx's own maintenance is off: it loops over the number of idle connections, which
/// briefly drops below zero when one is released while another is acquired. It then loops 2^64 times on a thread that
/// never returns. Connections that are idle too long or too old are replaced when they are acquired.
#[must_use]
pub fn pool(url: &str, size: u32) -> ConnectOptions {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(size)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        .max_lifetime(None)
        .idle_timeout(None);
    options
}

fn sqlite(url: &str, size: u32, read_only: bool) -> ConnectOptions {
    let mut options = pool(url, size);
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
    options
}

fn postgres(url: &str, size: u32, read_only: bool, line: &Arc<Line>) -> ConnectOptions {
    let mut options = pool(url, size);
    let limits = line.limits;
    options.map_sqlx_postgres_opts(move |options| {
        let read_only = if read_only { "on" } else { "off" };
        let milliseconds = |limit: Duration| limit.as_millis().to_string();
        options
            .options([
                ("idle_in_transaction_session_timeout", "10s"),
                ("default_transaction_read_only", read_only),
                ("timezone", "UTC"),
                // The locks of a client that vanished are free again within half a minute.
                ("tcp_keepalives_idle", "10"),
                ("tcp_keepalives_interval", "5"),
                ("tcp_keepalives_count", "3"),
                ("tcp_user_timeout", "20000"),
            ])
            .options([
                ("lock_timeout", milliseconds(limits.lock)),
                // Zero is none.
                (
                    "statement_timeout",
                    milliseconds(limits.statement.unwrap_or_default()),
                ),
            ])
    });
    let line = Arc::clone(line);
    options.map_sqlx_postgres_before_acquire(move |connection, rested| {
        let line = Arc::clone(&line);
        Box::pin(async move { Ok(line.is_alive(connection, rested).await) })
    });
    options
}
