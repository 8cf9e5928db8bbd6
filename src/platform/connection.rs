//! One connection out of a pool, and how long the database may take over one exchange on it.
//!
//! A connection whose state is not known is closed instead of going back: one on which a COMMIT or ROLLBACK failed, one
//! that stopped answering, one whose statement nobody waited for.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{
    ConnAcquireErr, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement, Values,
};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, Postgres, Sqlite,
    pool::{PoolConnection, PoolConnectionMetadata},
};

use super::trouble::Trouble;

/// How long the simplest exchange may take before the line counts as dead.
pub(super) const PROOF: Duration = Duration::from_secs(3);

/// How long a connection may take to close, or to end what it was doing.
const FAREWELL: Duration = Duration::from_secs(20);

/// How long a pooled connection may rest before it is asked whether it is still there.
const RESTED: Duration = Duration::from_secs(1);
/// An older connection is replaced when it is acquired, because the memory of a session only grows.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// What the database may take, at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From which time on a statement is written to the log.
    pub slow: Duration,
    /// The longest wait for a lock of another session (PostgreSQL).
    pub lock: Duration,
    /// The longest statement (PostgreSQL); none for commands of an operator, which may read everything.
    pub statement: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            slow: Duration::from_millis(250),
            lock: Duration::from_secs(3),
            statement: None,
        }
    }
}

impl Limits {
    /// Those of a server: no statement outlives the requests that may wait for it for long.
    #[must_use]
    pub const fn serving(self) -> Self {
        Self {
            statement: Some(Duration::from_secs(12)),
            ..self
        }
    }

    /// When a line on which no answer came counts as dead: a moment after the database would have ended the statement.
    fn silence(&self) -> Option<Duration> {
        self.statement.map(|limit| limit + Duration::from_secs(2))
    }
}

/// A step of the exchange with the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The start of a unit of work.
    Begin,
    /// A statement, of a unit of work or a read.
    Statement,
    /// The end of a unit of work.
    Commit,
    /// Its cancellation.
    Rollback,
}

/// What a test lets go wrong with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends before the step reaches the database.
    Lost,
    /// The database does it, and the connection ends before its answer arrives.
    Unanswered,
    /// The database answers that it cannot write.
    Unwritable,
}

/// Asked before every step what goes wrong with it.
pub(super) type Disturb = Arc<dyn Fn(Step, &str) -> Option<Fault> + Send + Sync>;

/// What the connections of one database have in common.
pub(super) struct Line {
    pub(super) limits: Limits,
    disturb: Option<Disturb>,
    /// When a connection was last found dead; those that rested then are not trusted.
    broken: Mutex<Option<Instant>>,
    /// When a change was last committed.
    written: Mutex<Option<Instant>>,
}

impl Line {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            disturb: None,
            broken: Mutex::new(None),
            written: Mutex::new(None),
        }
    }

    /// A line on which a test decides what goes wrong with a step.
    pub(super) fn disturbed(limits: Limits, disturb: Disturb) -> Self {
        Self {
            disturb: Some(disturb),
            ..Self::new(limits)
        }
    }

    pub(super) fn note_written(&self) {
        *lock(&self.written) = Some(Instant::now());
    }

    /// How long ago a change was committed.
    pub(super) fn since_written(&self) -> Option<Duration> {
        lock(&self.written).map(|at| at.elapsed())
    }

    /// From now on no connection is trusted that rests in a pool.
    pub(super) fn note_broken(&self) {
        *lock(&self.broken) = Some(Instant::now());
    }

    /// Whether a connection that comes out of the pool can be used.
    pub(super) async fn is_alive(
        &self,
        connection: &mut PgConnection,
        rested: PoolConnectionMetadata,
    ) -> bool {
        let broken = lock(&self.broken).map(|at| at.elapsed());
        if broken.is_some_and(|since| rested.idle_for >= since) {
            return false;
        }
        if rested.age > LIFETIME {
            return false;
        }
        if rested.idle_for < RESTED {
            return true;
        }
        let alive = matches!(
            tokio::time::timeout(PROOF, connection.ping()).await,
            Ok(Ok(()))
        );
        if !alive {
            self.note_broken();
        }
        alive
    }

    async fn exchange<T>(
        &self,
        step: Step,
        sql: &str,
        limit: Option<Duration>,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let fault = self.disturb.as_ref().and_then(|ask| ask(step, sql));
        let gone = || Trouble::Lost.driver_error("the connection was lost".to_owned());
        match fault {
            Some(Fault::Lost) => return Err(gone()),
            Some(Fault::Unwritable) => {
                let told = "the database cannot write".to_owned();
                return Err(Trouble::Unwritable.driver_error(told));
            }
            Some(Fault::Unanswered) | None => {}
        }
        let done = match limit {
            None => work.await,
            Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
                let told = format!("the database did not answer within {limit:?}");
                Err(Trouble::Lost.driver_error(told))
            }),
        };
        if fault == Some(Fault::Unanswered) {
            return done.and_then(|_| Err(gone()));
        }
        if let Err(error) = &done
            && Trouble::of_driver(error) == Some(Trouble::Lost)
        {
            self.note_broken();
        }
        done
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What happens to a connection that is let go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes back once it has ended what it was doing.
    Kept,
    /// It is closed.
    Closed,
}

/// A connection of a pool.
pub(super) struct Connection {
    /// Always there until it is dropped.
    inner: Option<Inner>,
    line: Arc<Line>,
    fate: Fate,
}

enum Inner {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

impl Connection {
    /// Takes a connection; `fate` is what happens to it unless something else is decided.
    pub(super) async fn of(
        pool: &DatabaseConnection,
        line: &Arc<Line>,
        fate: Fate,
    ) -> Result<Self, DbErr> {
        let acquired = if pool.get_database_backend() == DbBackend::Postgres {
            let connection = pool.get_postgres_connection_pool().acquire().await;
            connection.map(Inner::Postgres)
        } else {
            let connection = pool.get_sqlite_connection_pool().acquire().await;
            connection.map(Inner::Sqlite)
        };
        let inner = acquired.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
            sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
            error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
        })?;
        Ok(Self {
            inner: Some(inner),
            line: Arc::clone(line),
            fate,
        })
    }

    /// Lets it go.
    pub(super) fn end(mut self, fate: Fate) {
        self.fate = fate;
    }

    /// The rows of a statement.
    pub(super) async fn all(
        &mut self,
        statement: Statement,
    ) -> Result<Vec<QueryResult>, sqlx::Error> {
        let (line, limit) = (Arc::clone(&self.line), self.silence());
        let Statement { sql, values, .. } = statement;
        let values = SqlxValues(values.unwrap_or(Values(Vec::new())));
        let text = sql.clone();
        let work = async {
            match self.inner()? {
                Inner::Postgres(connection) => {
                    let query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), values);
                    let rows = query.fetch_all(&mut **connection).await?;
                    Ok(rows.into_iter().map(QueryResult::from).collect())
                }
                Inner::Sqlite(connection) => {
                    let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), values);
                    let rows = query.fetch_all(&mut **connection).await?;
                    Ok(rows.into_iter().map(QueryResult::from).collect())
                }
            }
        };
        line.exchange(Step::Statement, &text, limit, work).await
    }

    /// The effect of a statement.
    pub(super) async fn run(&mut self, statement: Statement) -> Result<ExecResult, sqlx::Error> {
        let (line, limit) = (Arc::clone(&self.line), self.silence());
        let Statement { sql, values, .. } = statement;
        let values = SqlxValues(values.unwrap_or(Values(Vec::new())));
        let text = sql.clone();
        let work = async {
            match self.inner()? {
                Inner::Postgres(connection) => {
                    let query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), values);
                    Ok(query.execute(&mut **connection).await?.into())
                }
                Inner::Sqlite(connection) => {
                    let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), values);
                    Ok(query.execute(&mut **connection).await?.into())
                }
            }
        };
        line.exchange(Step::Statement, &text, limit, work).await
    }

    /// The effect of statements without values, sent as they are.
    pub(super) async fn run_plain(&mut self, sql: &str) -> Result<ExecResult, sqlx::Error> {
        let (line, limit) = (Arc::clone(&self.line), self.silence());
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let work = async {
            match self.inner()? {
                Inner::Postgres(connection) => Ok(query.execute(&mut **connection).await?.into()),
                Inner::Sqlite(connection) => Ok(query.execute(&mut **connection).await?.into()),
            }
        };
        line.exchange(Step::Statement, sql, limit, work).await
    }

    /// Statements that begin or end a transaction, sent as they are in one message; their rows.
    pub(super) async fn control(
        &mut self,
        step: Step,
        sql: &str,
    ) -> Result<Vec<QueryResult>, sqlx::Error> {
        let line = Arc::clone(&self.line);
        // On PostgreSQL a begin waits for nothing. On SQLite it waits for other processes.
        let limit = match (step, &self.inner) {
            (_, Some(Inner::Sqlite(_))) => None,
            (Step::Begin, _) => Some(PROOF),
            _ => self.silence(),
        };
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let work = async {
            match self.inner()? {
                Inner::Postgres(connection) => {
                    let rows = query.fetch_all(&mut **connection).await?;
                    Ok(rows.into_iter().map(QueryResult::from).collect())
                }
                Inner::Sqlite(connection) => {
                    let rows = query.fetch_all(&mut **connection).await?;
                    Ok(rows.into_iter().map(QueryResult::from).collect())
                }
            }
        };
        line.exchange(step, sql, limit, work).await
    }

    /// A file has no line that could be dead.
    fn silence(&self) -> Option<Duration> {
        match self.inner {
            Some(Inner::Postgres(_)) => self.line.limits.silence(),
            _ => None,
        }
    }

    fn inner(&mut self) -> Result<&mut Inner, sqlx::Error> {
        self.inner.as_mut().ok_or(sqlx::Error::PoolClosed)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else {
            return;
        };
        // Without a runtime the process is about to end, and every connection with it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (fate, patience) = (self.fate, self.silence().unwrap_or(FAREWELL));
        // It keeps its place in the pool meanwhile, but not for ever: a dead line answers nothing.
        let ended = async move {
            match (inner, fate) {
                (Inner::Postgres(mut one), Fate::Kept) => one.return_to_pool().await,
                (Inner::Sqlite(mut one), Fate::Kept) => one.return_to_pool().await,
                (Inner::Postgres(one), Fate::Closed) => drop(one.close().await),
                (Inner::Sqlite(one), Fate::Closed) => drop(one.close().await),
            }
        };
        runtime.spawn(async move {
            if tokio::time::timeout(patience, ended).await.is_err() {
                tracing::warn!("a connection to the database did not end in time and was dropped");
            }
        });
    }
}
