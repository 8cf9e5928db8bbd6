//! How one request reads: over one connection, from its first statement until it is let go.
//!
//! Taking a connection from the pool for each statement costs a question of the pool, at every return, whether the
//! connection is still whole: as many exchanges with the database as the statements themselves.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult,
    RuntimeErr, Statement, Values,
};
use sea_query_sqlx::SqlxValues;
use sqlx::{AssertSqlSafe, Postgres, Sqlite, pool::PoolConnection};
use tokio::sync::Mutex;

/// Told every statement before it runs.
pub(super) type Note = Arc<dyn Fn(&Statement) + Send + Sync>;

/// The reading door of one request; clones share its connection.
#[derive(Clone)]
pub struct Reader(Arc<Shared>);

struct Shared {
    pool: DatabaseConnection,
    note: Option<Note>,
    held: Mutex<Option<Held>>,
    /// How often the connection was let go.
    let_go: AtomicU64,
}

/// A connection of the reading pool.
enum Held {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

impl Held {
    async fn of(pool: &DatabaseConnection) -> Result<Self, DbErr> {
        let acquired = if pool.get_database_backend() == DbBackend::Postgres {
            let connection = pool.get_postgres_connection_pool().acquire().await;
            connection.map(Self::Postgres)
        } else {
            let connection = pool.get_sqlite_connection_pool().acquire().await;
            connection.map(Self::Sqlite)
        };
        acquired.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
            sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
            error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
        })
    }

    async fn all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, sqlx::Error> {
        let values = SqlxValues(statement.values.unwrap_or(Values(Vec::new())));
        let sql = AssertSqlSafe(statement.sql);
        match self {
            Self::Postgres(connection) => {
                let query = sqlx::query_with::<Postgres, _>(sql, values);
                let rows = query.fetch_all(&mut **connection).await?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
            Self::Sqlite(connection) => {
                let query = sqlx::query_with::<Sqlite, _>(sql, values);
                let rows = query.fetch_all(&mut **connection).await?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
        }
    }
}

impl Reader {
    pub(super) fn new(pool: DatabaseConnection, note: Option<Note>) -> Self {
        Self(Arc::new(Shared {
            pool,
            note,
            held: Mutex::new(None),
            let_go: AtomicU64::new(0),
        }))
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
        let mut connection = match held.take() {
            Some(connection) => connection,
            None => Held::of(&self.0.pool).await?,
        };
        let rows = connection.all(statement).await;
        // Of one that failed, or that nobody waited for, it is not known what it still has to say: it goes to the pool.
        let rows = rows.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))?;
        if self.0.let_go.load(Ordering::Acquire) == let_go {
            *held = Some(connection);
        }
        Ok(rows)
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
