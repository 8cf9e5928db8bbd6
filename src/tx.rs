//! The unit of work, and the one way to change data.
//!
//! [`App::write`] runs a body inside one transaction: spawned, so that a client which goes away cannot leave
//! it half open; retried, when the database asks for it; committed together with the audit rows and jobs of
//! the events it recorded. A use case gets `&Tx` and can reach nothing else: neither the pool, nor the real
//! clock, nor the network.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExecResult, IdenStatic,
    Insert, IntoActiveModel, Iterable, ModelTrait, PrimaryKeyToColumn, QueryResult, Statement,
    sea_query::{Alias, Expr, ExprTrait, OnConflict},
};
use serde::{Serialize, de::DeserializeOwned};
use tracing::Instrument;

use crate::{
    access::Actor,
    app::App,
    entity::{job::JobLane, row_fingerprint},
    error::{Code, Error, Refusal, Result},
    events::Event,
    platform::{
        audit,
        bulk::{self, Known},
        fingerprint,
        idempotency::{self, Claim},
        ids, jobs, sql,
        telemetry::{self, Outcome},
        transaction::Transaction,
        trouble::Trouble,
    },
};

/// The future of a body: boxed, because it borrows the transaction it is given.
pub type Work<'t, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 't>>;

/// How many values one IN list carries at most; SQLite allows 32,766 bound values a statement.
pub const CHUNK: usize = 500;

/// Who calls the write path, and under which name it is counted.
#[derive(Clone, Debug)]
pub struct Call {
    /// The operation, as the API names it.
    pub name: &'static str,
    /// Who acts.
    pub actor: Actor,
    /// The request that asks, for the audit trail.
    pub request_id: Option<String>,
}

impl Call {
    /// A call of the server itself.
    #[must_use]
    pub const fn system(name: &'static str) -> Self {
        Self {
            name,
            actor: Actor::System,
            request_id: None,
        }
    }

    /// A call of this actor.
    #[must_use]
    pub const fn of(name: &'static str, actor: Actor) -> Self {
        Self {
            name,
            actor,
            request_id: None,
        }
    }
}

/// One unit of work: the open transaction, who acts, one instant, and what happened so far.
///
/// A use case asks the database through it:
///
/// ```
/// use ensemble::{error::Result, tx::Tx};
/// use sea_orm::ConnectionTrait;
///
/// async fn use_case(tx: &Tx) -> Result<()> {
///     tx.execute_unprepared("SELECT 1").await?;
///     Ok(())
/// }
/// ```
///
/// and comes to no other connection by it: on a pool of one, waiting for a second would never end. It can neither open
/// a transaction of its own,
///
/// ```compile_fail,E0599
/// use ensemble::{error::Result, tx::Tx};
/// use sea_orm::{ConnectionTrait, TransactionTrait};
///
/// async fn use_case(tx: &Tx) -> Result<()> {
///     tx.begin().await?.execute_unprepared("SELECT 1").await?;
///     Ok(())
/// }
/// ```
///
/// nor take the one it has out of the unit of work, nor find the application that holds the pools:
///
/// ```compile_fail,E0616
/// use ensemble::{error::Result, tx::Tx};
/// use sea_orm::ConnectionTrait;
///
/// async fn use_case(tx: &Tx) -> Result<()> {
///     tx.db.execute_unprepared("SELECT 1").await?;
///     Ok(())
/// }
/// ```
///
/// ```compile_fail,E0599
/// use ensemble::{error::Result, tx::Tx};
/// use sea_orm::ConnectionTrait;
///
/// async fn use_case(tx: &Tx) -> Result<()> {
///     tx.app().db().reader().execute_unprepared("SELECT 1").await?;
///     Ok(())
/// }
/// ```
pub struct Tx {
    db: Transaction,
    call: Call,
    now: DateTime<Utc>,
    /// The first error of the database.
    failure: Mutex<Option<DbErr>>,
    recorded: Mutex<Vec<Event>>,
    enqueued: Mutex<Vec<jobs::NewJob>>,
    /// Of the rows written so far that decide money.
    fingerprints: Mutex<Vec<row_fingerprint::Model>>,
}

impl Tx {
    /// Who acts.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.call.actor
    }

    /// The instant of this unit of work: the same for everything it writes.
    #[must_use]
    pub const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The request that asks, for the audit trail.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.call.request_id.as_deref()
    }

    /// Mints an id.
    #[must_use]
    pub fn id<T: ids::TypedId>(&self) -> T {
        T::of(ids::mint(self.now))
    }

    /// Which of the two databases this is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.db.backend()
    }

    /// Notes a business event: an audit row and a job, written at the commit.
    pub fn record(&self, event: Event) {
        self.recorded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }

    /// Adds background work beside that of the events.
    ///
    /// # Errors
    /// Its payload cannot be written.
    pub fn enqueue<J: jobs::BackgroundJob>(&self, job: &J) -> Result<()> {
        let job = jobs::NewJob::of(job)?;
        self.enqueued
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(job);
        Ok(())
    }

    /// Writes one row.
    ///
    /// # Errors
    /// The database refused; the transaction will not commit.
    pub async fn insert<A>(&self, row: A) -> Result<()>
    where
        A: ActiveModelTrait,
    {
        let row = with_its_own(row)?;
        let prints = fingerprints(std::slice::from_ref(&row))?;
        Insert::one(row).exec_without_returning(self).await?;
        self.keep_fingerprints(prints);
        Ok(())
    }

    /// Writes any number of rows, in bulk; a field that is not set is NULL.
    ///
    /// # Errors
    /// The database refused; the transaction will not commit.
    pub async fn insert_all<A>(&self, rows: impl IntoIterator<Item = A>) -> Result<()>
    where
        A: ActiveModelTrait,
    {
        let rows: Vec<A> = rows.into_iter().map(with_its_own).collect::<Result<_>>()?;
        let prints = fingerprints(&rows)?;
        bulk::insert(self, rows, Known::Refused).await?;
        self.keep_fingerprints(prints);
        Ok(())
    }

    /// Writes new rows as they are to be read.
    ///
    /// # Errors
    /// The database refused; the transaction will not commit.
    pub async fn insert_models<M>(&self, rows: Vec<M>) -> Result<()>
    where
        M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
        <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
    {
        self.insert_all(rows.into_iter().map(IntoActiveModel::into_active_model))
            .await
    }

    /// Writes those rows of many that no unique index holds already; returns how many.
    ///
    /// # Errors
    /// The database failed in another way.
    pub async fn insert_all_new<A>(&self, rows: impl IntoIterator<Item = A>) -> Result<u64>
    where
        A: ActiveModelTrait,
    {
        let rows: Vec<A> = rows.into_iter().map(with_its_own).collect::<Result<_>>()?;
        let (count, mut prints) = (sql::count(rows.len()), fingerprints(&rows)?);
        let written = bulk::insert(self, rows, Known::LeftOut).await?;
        if written < count && !prints.is_empty() {
            prints = fingerprint::of_rows_that_exist(self, prints).await?;
        }
        self.keep_fingerprints(prints);
        Ok(written)
    }

    /// Writes one row unless a unique index holds such a row already; says whether it was written.
    ///
    /// # Errors
    /// The database failed in another way.
    pub async fn insert_new<A>(&self, row: A) -> Result<bool>
    where
        A: ActiveModelTrait,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        let row = with_its_own(row)?;
        let prints = fingerprints(std::slice::from_ref(&row))?;
        let insert = Insert::one(row).on_conflict(OnConflict::new().do_nothing().to_owned());
        let written = insert.exec_without_returning(self).await? == 1;
        if written {
            self.keep_fingerprints(prints);
        }
        Ok(written)
    }

    /// Replaces the rows with the same keys, in bulk; each must still have the previous version.
    ///
    /// # Errors
    /// `STALE_OBJECT` when one of them was changed in the meantime.
    pub async fn replace_all<M>(&self, rows: Vec<M>) -> Result<()>
    where
        M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
        <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
    {
        let conflict = replacing::<M::Entity>()?;
        for chunk in rows.chunks(CHUNK) {
            let rows = chunk
                .iter()
                .map(|row| with_its_own(row.clone().into_active_model().reset_all()));
            let replaced = Insert::many(rows.collect::<Result<Vec<_>>>()?)
                .on_conflict(conflict.clone())
                .exec_without_returning(self)
                .await?;
            if replaced != sql::count(chunk.len()) {
                return Err(Error::stale());
            }
        }
        Ok(())
    }

    fn keep_fingerprints(&self, prints: Vec<row_fingerprint::Model>) {
        self.fingerprints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(prints);
    }

    /// The fingerprints of the rows written so far, to be written themselves.
    pub(crate) fn take_fingerprints(&self) -> Vec<row_fingerprint::Model> {
        take(&self.fingerprints)
    }

    /// Commits; returns the lanes that now have work.
    async fn commit(self) -> Result<BTreeSet<JobLane>> {
        let events = take(&self.recorded);
        let enqueued = take(&self.enqueued);
        if self.db.has_failed() {
            self.db.rollback().await;
            return Err(Error::internal(format!(
                "{}: a statement failed and was not reported",
                self.call.name
            )));
        }
        let noted = async {
            audit::append(&self, &events).await?;
            jobs::append(&self, &events, enqueued).await
        };
        let lanes = match noted.await {
            Ok(lanes) => lanes,
            Err(error) => {
                self.db.rollback().await;
                return Err(error);
            }
        };
        self.db.commit(!lanes.is_empty()).await?;
        Ok(lanes)
    }

    /// An error of the database ends the unit of work, whatever the body makes of it: on PostgreSQL nothing more can
    /// run, and SQLite may have cancelled the transaction.
    fn watch<T>(&self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        if let Err(error) = &result {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert_with(|| error.clone());
        }
        result
    }

    /// The trouble of the database that a body may have reported in words of its own.
    fn hidden_trouble(&self) -> Option<DbErr> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let error = failure.as_ref()?;
        match Trouble::of(error)? {
            // A body may well know better what it means that a value is taken.
            Trouble::Taken(_) => None,
            _ => Some(error.clone()),
        }
    }
}

/// On a key conflict, all other columns are replaced if the stored version is the previous one.
fn replacing<E: EntityTrait>() -> Result<OnConflict> {
    let keys: Vec<E::Column> = E::PrimaryKey::iter()
        .map(PrimaryKeyToColumn::into_column)
        .collect();
    let is_key = |column: &E::Column| keys.iter().any(|key| key.as_str() == column.as_str());
    let version = E::Column::iter().find(|column| column.as_str() == "version");
    let version =
        version.ok_or_else(|| Error::internal("a table without versions cannot be replaced"))?;
    let theirs = Expr::col((Alias::new("excluded"), version)).sub(1);
    Ok(OnConflict::columns(keys.clone())
        .update_columns(E::Column::iter().filter(|column| !is_key(column)))
        .action_and_where(Expr::col((E::default(), version)).eq(theirs))
        .to_owned())
}

fn with_its_own<A: ActiveModelTrait>(row: A) -> Result<A> {
    fingerprint::carried(row).map_err(|error| Error::Internal(Box::new(error)))
}

fn fingerprints<A: ActiveModelTrait>(rows: &[A]) -> Result<Vec<row_fingerprint::Model>> {
    fingerprint::of_all(rows).map_err(|error| Error::Internal(Box::new(error)))
}

fn take<T>(noted: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut *noted.lock().unwrap_or_else(PoisonError::into_inner))
}

#[async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.db.backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.watch(self.db.run(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.watch(self.db.run_plain(sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.watch(self.db.all(statement).await)
    }
}

impl App {
    /// Runs a body as one transaction and returns what it returned, or changes nothing.
    ///
    /// The body may run several times, so it must be free of effects outside its transaction.
    ///
    /// # Errors
    /// What the body refused with; `RETRY_LATER` when the database stayed busy, could not be reached or could not write,
    /// and nothing happened; `TIMEOUT` when it is not known whether the commit took effect; any other error of the
    /// database.
    pub async fn write<T, F>(&self, call: Call, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> Work<'t, T> + Send + Sync + 'static,
    {
        self.spawned(call, Repeated::Anew, body).await
    }

    async fn spawned<T, F>(&self, call: Call, repeated: Repeated, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> Work<'t, T> + Send + Sync + 'static,
    {
        let app = self.clone();
        let (name, started) = (call.name, Instant::now());
        let attempts = async move { app.attempt_until_done(call, repeated, body).await }
            .instrument(tracing::Span::current());
        // Spawned: dropping the caller must not drop the transaction half way.
        let result = self.tasks().spawn(attempts).await;
        let result = result.unwrap_or_else(|panic| Err(Error::Internal(Box::new(panic))));
        let outcome = match &result {
            Ok(_) => Outcome::Done,
            Err(Error::Database(_) | Error::Internal(_)) => Outcome::Failed,
            Err(_) => Outcome::Refused,
        };
        telemetry::operation(name, outcome, started.elapsed());
        result
    }

    /// The same under the call's idempotency key: a second call returns the stored result of the first.
    ///
    /// # Errors
    /// As [`App::write`]; `IDEMPOTENCY_KEY_MISMATCH` when the key came with other arguments before.
    pub async fn write_keyed<T, F>(&self, call: Call, key: idempotency::Key, body: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: for<'t> Fn(&'t Tx) -> Work<'t, T> + Send + Sync + 'static,
    {
        let body = Arc::new(body);
        self.spawned(call, Repeated::UnderItsKey, move |tx| {
            let (key, body) = (key.clone(), Arc::clone(&body));
            Box::pin(async move { once(tx, &key, body.as_ref()).await })
        })
        .await
    }

    async fn attempt_until_done<T, F>(&self, call: Call, repeated: Repeated, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> Work<'t, T> + Send + Sync + 'static,
    {
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(20))
            .with_max_delay(Duration::from_secs(1))
            .with_max_times(5)
            .with_jitter()
            .build();
        let started = Instant::now();
        // What an earlier attempt left open.
        let mut doubt = false;
        loop {
            let error = match self.attempt(&call, &body).await {
                Err(Error::Database(error)) => error,
                done => return done,
            };
            let Some(trouble) = Trouble::of(&error) else {
                return Err(error.into());
            };
            telemetry::write_retried(call.name, trouble.label());
            doubt |= matches!(trouble, Trouble::Unknown | Trouble::Undone);
            let again = match trouble {
                // Neither is over in a moment.
                Trouble::NoConnection | Trouble::Slow => false,
                // Only under a key does a repetition find what the first attempt did.
                Trouble::Unknown => repeated == Repeated::UnderItsKey,
                _ => call.request_id.is_none() || started.elapsed() < BUDGET,
            };
            let pause = pauses.next().filter(|_| again);
            let Some(pause) = pause else {
                return Err(match trouble {
                    // What cannot be seen and yet stays taken is a fault of the body.
                    Trouble::Taken(_) => error.into(),
                    _ if doubt => unknown(call.name, &error),
                    _ => unavailable(call.name, trouble, &error),
                });
            };
            if !matches!(trouble, Trouble::Busy(_) | Trouble::Taken(_)) {
                tracing::warn!(operation = call.name, %error, "a change is tried again");
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt<T, F>(&self, call: &Call, body: &F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> Work<'t, T> + Send + Sync + 'static,
    {
        let congestion = self.db().congestion();
        let asked = Instant::now();
        let (db, _turn) = loop {
            let Some(turn) = congestion.turn(call.name).await else {
                return Err(busy(call.name, "turn"));
            };
            let db = self.db().begin().await?;
            if !congestion.has_begun(call.name, &turn) {
                break (db, turn);
            }
            db.rollback().await;
        };
        telemetry::pool_waited("writer", asked.elapsed());
        let tx = Tx {
            db,
            call: call.clone(),
            now: self.clock().now(),
            failure: Mutex::default(),
            recorded: Mutex::default(),
            enqueued: Mutex::default(),
            fingerprints: Mutex::default(),
        };
        let outcome = body(&tx).await;
        if let Some(trouble) = tx.hidden_trouble() {
            if matches!(Trouble::of(&trouble), Some(Trouble::Busy("55P03"))) {
                congestion.met(call.name);
            }
            tx.db.rollback().await;
            return Err(trouble.into());
        }
        match outcome {
            Ok(value) => {
                // Not after every commit: the worker's own would keep it from ever resting.
                self.wake_worker(tx.commit().await?);
                congestion.over(call.name);
                Ok(value)
            }
            Err(error) => {
                tx.db.rollback().await;
                Err(error)
            }
        }
    }
}

/// What a repetition of a change does when the first one took effect after all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeated {
    /// The same a second time.
    Anew,
    /// Nothing: it finds what the first one returned.
    UnderItsKey,
}

/// How long a request that waits for its answer goes on trying.
const BUDGET: Duration = Duration::from_secs(6);

async fn once<T, F>(tx: &Tx, key: &idempotency::Key, body: &F) -> Result<T>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    F: for<'t> Fn(&'t Tx) -> Work<'t, T> + Send + Sync + 'static,
{
    let actor = tx.actor().person()?;
    match idempotency::claim(tx, actor.0, tx.call.name, key).await? {
        Claim::Replay(stored) => Ok(serde_json::from_value(stored)?),
        Claim::New => {
            let value = body(tx).await?;
            idempotency::keep(
                tx,
                actor.0,
                tx.call.name,
                key,
                serde_json::to_value(&value)?,
            )
            .await?;
            Ok(value)
        }
    }
}

fn busy(operation: &'static str, reason: &'static str) -> Error {
    tracing::warn!(operation, reason, "the database stayed busy");
    Refusal::new(
        Code::RetryLater,
        "The database is busy; nothing was changed.",
    )
    .into()
}

fn unavailable(operation: &'static str, trouble: Trouble, error: &DbErr) -> Error {
    if matches!(trouble, Trouble::Busy(_) | Trouble::NoConnection) {
        return busy(operation, trouble.label());
    }
    tracing::error!(operation, reason = trouble.label(), %error, "a change failed; nothing was changed");
    let message = match trouble {
        Trouble::Unwritable => "The database cannot be written at present; nothing was changed.",
        Trouble::Slow => "The database took too long; nothing was changed.",
        _ => "The database cannot be reached at present; nothing was changed.",
    };
    Refusal::new(Code::RetryLater, message).into()
}

fn unknown(operation: &'static str, error: &DbErr) -> Error {
    tracing::error!(operation, %error, "it is not known whether a change was committed");
    Refusal::new(
        Code::Timeout,
        "The database did not confirm the change, which may have taken effect. Repeat it under the same idempotency key; \
         without one, read before you repeat it.",
    )
    .into()
}
