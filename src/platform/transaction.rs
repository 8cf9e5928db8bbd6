//! A transaction that may write, on a connection of its own.
//!
//! It begins and ends by plain statements, and the database itself proves that they took effect: on SQLite a BEGIN fails
//! inside a transaction and a COMMIT outside one; on PostgreSQL the COMMIT also asks for a value that was set inside the
//! transaction and would be gone with it. A connection on which any of this fails is closed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use sea_orm::{
    DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
};
use tokio::sync::Mutex;

use super::{
    connection::{Connection, Fate, Line, Step},
    reader::Note,
    trouble::Trouble,
};

/// Connections left inside a transaction that a begin closes before it fails.
const LEFT_INSIDE: usize = 4;

/// An open transaction; dropping it closes the connection, which cancels it.
pub(crate) struct Transaction {
    held: Mutex<Option<Connection>>,
    line: Arc<Line>,
    note: Option<Note>,
    backend: DbBackend,
    /// A value set inside the transaction.
    mark: String,
    /// A statement failed or was never waited for: nothing of this may be committed, and nothing more may run. SQLite
    /// may have cancelled the transaction already, and would commit what follows at once.
    failed: AtomicBool,
}

impl Transaction {
    pub(super) async fn begin(
        pool: &DatabaseConnection,
        line: &Arc<Line>,
        note: Option<Note>,
    ) -> Result<Self, DbErr> {
        let backend = pool.get_database_backend();
        let mark = format!("{:016x}", rand::random::<u64>());
        for _ in 0..LEFT_INSIDE {
            let mut connection = Connection::of(pool, line, Fate::Closed).await?;
            let begun = match backend {
                // Outside a transaction now() is the start of the message; inside a forgotten one it is that of its own.
                DbBackend::Postgres => {
                    let begin = format!(
                        "BEGIN; SELECT now() = statement_timestamp(), set_config('ensemble.unit', '{mark}', false)"
                    );
                    let rows = connection.control(Step::Begin, &begin).await;
                    rows.map(|rows| first(&rows).unwrap_or(false))
                }
                _ => match connection.control(Step::Begin, "BEGIN IMMEDIATE").await {
                    Ok(_) => Ok(true),
                    Err(error) if Trouble::of_driver(&error).is_some() => Err(error),
                    Err(error) => {
                        tracing::warn!(%error, "a connection to the database could not begin");
                        Ok(false)
                    }
                },
            };
            match begun {
                Ok(true) => {
                    return Ok(Self {
                        held: Mutex::new(Some(connection)),
                        line: Arc::clone(line),
                        note,
                        backend,
                        mark,
                        failed: AtomicBool::new(false),
                    });
                }
                Ok(false) => tracing::warn!(
                    "a connection to the database was left inside a transaction and is closed"
                ),
                Err(error) => {
                    if matches!(Trouble::of_driver(&error), Some(Trouble::Busy(_))) {
                        connection.end(Fate::Kept);
                    }
                    return Err(failed(error));
                }
            }
        }
        Err(DbErr::Custom(
            "no connection to the database can begin a transaction".to_owned(),
        ))
    }

    pub(crate) const fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Whether a statement failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(crate) async fn all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.note(&statement);
        self.with(async |connection| connection.all(statement).await)
            .await
    }

    pub(crate) async fn run(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.note(&statement);
        self.with(async |connection| connection.run(statement).await)
            .await
    }

    pub(crate) async fn run_plain(&self, sql: &str) -> Result<ExecResult, DbErr> {
        if self.note.is_some() {
            self.note(&Statement::from_string(self.backend, sql));
        }
        self.with(async |connection| connection.run_plain(sql).await)
            .await
    }

    fn note(&self, statement: &Statement) {
        if let Some(note) = &self.note {
            note(statement);
        }
    }

    async fn with<T>(
        &self,
        exchange: impl AsyncFnOnce(&mut Connection) -> Result<T, sqlx::Error>,
    ) -> Result<T, DbErr> {
        let mut held = self.held.lock().await;
        if self.failed.swap(true, Ordering::AcqRel) {
            let told = "an earlier statement of this unit of work failed";
            return Err(DbErr::Custom(told.to_owned()));
        }
        // Taken out, so that one that nobody waits for is closed.
        let mut connection = held.take().ok_or_else(over)?;
        match exchange(&mut connection).await {
            Ok(done) => {
                *held = Some(connection);
                self.failed.store(false, Ordering::Release);
                Ok(done)
            }
            Err(error) => {
                if error.as_database_error().is_some() {
                    *held = Some(connection);
                }
                Err(DbErr::Query(RuntimeErr::SqlxError(error.into())))
            }
        }
    }

    /// Makes everything durable; says so only when the database proved it. `changed` says whether that wrote anything.
    pub(crate) async fn commit(self, changed: bool) -> Result<(), DbErr> {
        if self.has_failed() {
            return Err(over());
        }
        let mut connection = self.held.into_inner().ok_or_else(over)?;
        match self.backend {
            DbBackend::Postgres => {
                let commit = "COMMIT; SELECT current_setting('ensemble.unit', true)";
                match connection.control(Step::Commit, commit).await {
                    Ok(rows) if first::<Option<String>>(&rows).flatten() == Some(self.mark) => {}
                    Ok(_) => {
                        return Err(Trouble::Lost.error("the database answered COMMIT by ROLLBACK"));
                    }
                    Err(error) if refuses_commit(&error) => return Err(failed(error)),
                    Err(error) => return Err(Trouble::Unknown.error(error)),
                }
            }
            _ => match connection.control(Step::Commit, "COMMIT").await {
                Ok(_) => {}
                // What could not be written to the log is not in the database, and the next change overwrites it.
                Err(error) if is_io(&error) => return Err(Trouble::Undone.error(error)),
                Err(error) if Trouble::of_driver(&error) == Some(Trouble::Lost) => {
                    return Err(Trouble::Unknown.error(error));
                }
                Err(error) => return Err(failed(error)),
            },
        }
        connection.end(Fate::Kept);
        if changed {
            self.line.note_written();
        }
        Ok(())
    }

    /// Cancels everything. It cannot fail: where the statement does, the connection is closed.
    pub(crate) async fn rollback(self) {
        let Some(mut connection) = self.held.into_inner() else {
            return;
        };
        match connection.control(Step::Rollback, "ROLLBACK").await {
            Ok(_) => connection.end(Fate::Kept),
            Err(error) => {
                tracing::debug!(%error, "a connection to the database is closed instead of rolled back");
            }
        }
    }
}

/// Whether an answer to COMMIT says that it did not take effect: a constraint, a serialization failure, a full disk.
fn refuses_commit(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| {
        code != "40003"
            && ["23", "25", "40", "53100", "55"]
                .iter()
                .any(|class| code.starts_with(class))
    }) || Trouble::of_driver(error) == Some(Trouble::Unwritable)
}

fn is_io(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 10)
}

fn first<T: sea_orm::TryGetable>(rows: &[QueryResult]) -> Option<T> {
    rows.first()?.try_get_by_index(0).ok()
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn over() -> DbErr {
    DbErr::Custom("the unit of work is over".to_owned())
}
