//! The proof that a row may be changed.
//!
//! A use case loads what it changes with [`Tx::load`], which checks the policy, applies what the actor sees and locks the
//! row. It returns a [`Held`], and only a `Held` can be saved: what was not authorised cannot be written. Saving compares
//! the version that was read, counts it up, and returns the row as it is stored now.

use std::ops::Deref;

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult,
    IntoActiveModel, Iterable, ModelTrait, QueryFilter, QuerySelect, QueryTrait, Select, Value,
    sea_query::{LockType, Query},
};

use super::{
    Action,
    visible::{Id, Visible, id_of},
};
use crate::{
    error::{Error, Result},
    platform::fingerprint,
    tx::Tx,
};

/// A table whose rows people change, one at a time.
pub trait Versioned: Visible<ActiveModel: ActiveModelTrait<Entity = Self> + Send> {
    /// The column that counts the changes of a row.
    const VERSION: Self::Column;
    /// The column that holds the instant of the last change, if there is one.
    const UPDATED_AT: Option<Self::Column> = None;
    /// How a row is locked. `NoKeyUpdate` where other rows refer to it while it is held.
    const LOCK: LockType = LockType::Update;
}

/// A row that is held for a change: it was authorised, and nobody else changes it before the unit of work ends.
///
/// There are three ways to one: [`Tx::load`], [`Tx::lock`] and [`Tx::add`].
#[derive(Debug)]
pub struct Held<E: EntityTrait>(E::Model);

impl<E: EntityTrait> Deref for Held<E> {
    type Target = E::Model;

    fn deref(&self) -> &E::Model {
        &self.0
    }
}

impl<E: EntityTrait> Held<E> {
    /// The row, for what only reads it.
    pub fn into_row(self) -> E::Model {
        self.0
    }
}

impl<E: Versioned> Held<E> {
    /// Refuses when the caller saw another version.
    ///
    /// # Errors
    /// `STALE_OBJECT`.
    pub fn at_version(&self, seen: Option<i64>) -> Result<()> {
        match seen {
            Some(seen) if seen != self.version()? => Err(Error::stale()),
            _ => Ok(()),
        }
    }

    fn version(&self) -> Result<i64> {
        match self.0.get(E::VERSION) {
            Value::BigInt(Some(version)) => Ok(version),
            _ => Err(Error::internal("a version that is no number")),
        }
    }
}

impl Tx {
    /// Loads a row for a change.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, or `FORBIDDEN` when the policy denies the action; `NOT_FOUND` at the argument of the table for a
    /// row that the actor does not see.
    pub async fn load<E: Versioned>(&self, id: Id<E>, action: Action) -> Result<Held<E>> {
        self.actor().may(action)?;
        self.load_seen(id).await
    }

    /// Loads a row for a change that anybody who sees the row may ask for. What is permitted beyond that, the use case
    /// checks on the row.
    ///
    /// # Errors
    /// `NOT_FOUND` at the argument of the table for a row that the actor does not see.
    pub async fn load_seen<E: Versioned>(&self, id: Id<E>) -> Result<Held<E>> {
        let select = E::seen_by(self.actor()).filter(E::ID.eq(id));
        let found = self.lock::<E>(select).await?.pop();
        found.ok_or_else(|| Error::not_found(E::ARGUMENT))
    }

    /// Locks rows for what follows from a change that was authorised elsewhere, and for scheduled work: whoever acts, and
    /// whatever that actor sees.
    pub async fn lock<E: Versioned>(&self, select: Select<E>) -> Result<Vec<Held<E>>> {
        let rows = select.lock(E::LOCK).all(self).await?;
        Ok(rows.into_iter().map(Held).collect())
    }

    /// Writes a new row.
    pub async fn add<M>(&self, row: M) -> Result<Held<M::Entity>>
    where
        M: ModelTrait<Entity: EntityTrait<Model = M>>
            + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
        <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
    {
        self.insert(row.clone().into_active_model()).await?;
        Ok(Held(row))
    }

    /// Writes a new row unless a unique index holds such a row already.
    pub async fn add_new<M>(&self, row: M) -> Result<Option<Held<M::Entity>>>
    where
        M: ModelTrait<Entity: EntityTrait<Model = M>>
            + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
        <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
    {
        let written = self.insert_new(row.clone().into_active_model()).await?;
        Ok(written.then_some(Held(row)))
    }

    /// A row after `edit`, one version later.
    fn edited<E: Versioned>(
        &self,
        held: &Held<E>,
        edit: impl FnOnce(&mut E::Model),
    ) -> Result<E::Model> {
        let mut row = held.0.clone();
        edit(&mut row);
        row.set(E::VERSION, (held.version()? + 1).into());
        if let Some(column) = E::UPDATED_AT {
            row.set(column, self.now().into());
        }
        Ok(row)
    }

    /// Applies `edit` to many rows and saves them in bulk.
    ///
    /// # Errors
    /// `STALE_OBJECT` when one of them was saved since it was loaded.
    pub async fn save_all<E>(&self, held: &[Held<E>], edit: impl Fn(&mut E::Model)) -> Result<()>
    where
        E: Versioned,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        let rows = held.iter().map(|one| self.edited(one, &edit));
        let rows = rows.collect::<Result<Vec<_>>>()?;
        self.replace_all(rows).await
    }

    /// Writes what `edit` changes on a row, counts its version up and returns it as it is stored now.
    ///
    /// # Errors
    /// `STALE_OBJECT` when the row was saved since it was loaded.
    pub async fn save<E: Versioned>(
        &self,
        held: &Held<E>,
        edit: impl FnOnce(&mut E::Model),
    ) -> Result<Held<E>> {
        let before = &held.0;
        let (version, after) = (held.version()?, self.edited(held, edit)?);
        let mut row = <E::ActiveModel as ActiveModelTrait>::default();
        for column in E::Column::iter() {
            row.set(column, after.get(column));
        }
        let after = fingerprint::carried(row).map_err(|error| Error::Internal(Box::new(error)))?;
        let mut change = <E::ActiveModel as ActiveModelTrait>::default();
        for column in E::Column::iter() {
            if let ActiveValue::Set(value) = after.get(column)
                && value != before.get(column)
            {
                change.set(column, value);
            }
        }
        let mut update = E::update_many()
            .set(change)
            .filter(E::ID.eq(id_of::<E>(before)?))
            .filter(E::VERSION.eq(version))
            .into_query();
        update.returning(Query::returning().columns(E::Column::iter()));
        match self.query_one(&update).await? {
            Some(row) => Ok(Held(E::Model::from_query_result(&row, "")?)),
            None => Err(Error::stale()),
        }
    }
}
