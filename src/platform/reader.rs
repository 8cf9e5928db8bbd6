//! How one request reads: over one connection, from its first statement until it is let go.
//!
//! Taking a connection from the pool for each statement costs a question of the pool, at every return, whether the
//! connection is still whole: as many exchanges with the database as the statements themselves.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
};
use tokio::sync::Mutex;

use super::{
    connection::{Connection, Fate, Line},
    trouble::Trouble,
};

/// Told every statement before it runs.
pub(super) type Note = Arc<dyn Fn(&Statement) + Send + Sync>;

/// The reading door of one request; clones share its connection.
#[derive(Clone)]
pub struct Reader(Arc<Shared>);

struct Shared {
    pool: DatabaseConnection,
    line: Arc<Line>,
    note: Option<Note>,
    held: Mutex<Option<Connection>>,
    /// How often the connection was let go.
    let_go: AtomicU64,
    /// Whether the request has changed something.
    changed: AtomicBool,
}

impl Reader {
    pub(super) fn new(pool: DatabaseConnection, line: Arc<Line>, note: Option<Note>) -> Self {
        Self(Arc::new(Shared {
            pool,
            line,
            note,
            held: Mutex::new(None),
            let_go: AtomicU64::new(0),
            changed: AtomicBool::new(false),
        }))
    }

    /// From now on a read that fails must not say that nothing happened.
    pub fn after_change(&self) {
        self.0.changed.store(true, Ordering::Release);
    }

    /// Whether a statement is on its way.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.0.held.try_lock().is_err()
    }

    /// Gives the connection back, as for the time in which a change waits for its turn: the next statement takes one
    /// again.
    pub fn let_go(&self) {
        self.0.let_go.fetch_add(1, Ordering::AcqRel);
        if let Ok(mut held) = self.0.held.try_lock() {
            *held = None;
        }
    }
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.0.pool.get_database_backend()
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        Err(reads_only())
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(reads_only())
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if let Some(note) = &self.0.note {
            note(&statement);
        }
        let mut held = self.0.held.lock().await;
        let let_go = self.0.let_go.load(Ordering::Acquire);
        let read = match self.read(held.take(), statement.clone()).await {
            // A connection that had ended without being used: another one may not have.
            Err(error) if Trouble::of(&error) == Some(Trouble::Lost) => {
                self.read(None, statement).await
            }
            read => read,
        };
        let (connection, rows) = read.map_err(|error| self.told(error))?;
        if self.0.let_go.load(Ordering::Acquire) == let_go {
            *held = connection;
        }
        Ok(rows)
    }
}

impl Reader {
    async fn read(
        &self,
        held: Option<Connection>,
        statement: Statement,
    ) -> Result<(Option<Connection>, Vec<QueryResult>), DbErr> {
        let mut connection = match held {
            Some(connection) => connection,
            None => Connection::of(&self.0.pool, &self.0.line, Fate::Kept).await?,
        };
        match connection.all(statement).await {
            Ok(rows) => Ok((Some(connection), rows)),
            Err(error) => {
                // Of one that failed it is not known what it still has to say: it goes to the pool, or it is closed.
                if error.as_database_error().is_none() {
                    connection.end(Fate::Closed);
                }
                Err(DbErr::Query(RuntimeErr::SqlxError(error.into())))
            }
        }
    }

    fn told(&self, error: DbErr) -> DbErr {
        match Trouble::of(&error) {
            Some(_) if self.0.changed.load(Ordering::Acquire) => Trouble::AfterChange.error(error),
            _ => error,
        }
    }
}

fn reads_only() -> DbErr {
    DbErr::Custom("a request changes data by the write path only".to_owned())
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
