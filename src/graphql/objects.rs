//! Objects of the API over rows: loaded by id in batches, under what the caller sees.

use std::{
    collections::HashMap,
    fmt::{self, Debug},
    future::Future,
    hash::{Hash, Hasher},
    sync::Arc,
};

use async_graphql::{Context, ID, dataloader::Loader};
use sea_orm::EntityTrait;

use super::{
    context::{self, ContextExt, LoadError, Rows, unshared},
    errors::top_level,
    paging::{self, Below, Branches, Page, PageArgs, Sort},
};
use crate::{
    access::{self, Id, Visible},
    error::{Error, Result},
    platform::ids::TypedId,
    tx::CHUNK,
};

/// An object type that shows one row.
pub trait Shown: Sized + Send {
    /// The table of the row.
    type Entity: Visible<Model: Send + Sync>;

    /// The object of a row.
    fn of(row: Arc<<Self::Entity as EntityTrait>::Model>) -> Self;

    /// The object of a row that is not shared.
    fn of_row(row: <Self::Entity as EntityTrait>::Model) -> Self {
        Self::of(Arc::new(row))
    }

    /// The object of an id; none when it is absent or hidden from the caller.
    fn load(
        ctx: &Context<'_>,
        id: Id<Self::Entity>,
    ) -> impl Future<Output = Result<Option<Self>>> + Send {
        async move {
            let row = ctx.loaders().load_one(ById::<Self::Entity>(id)).await;
            Ok(row.map_err(unshared)?.map(Self::of))
        }
    }
}

/// A key whose values are read for all objects of a level of the selection together.
///
/// The rows of [`Visible`] tables need no key of their own: they are found by [`ById`].
pub trait Key: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// What the key stands for.
    type Value: Clone + Send + Sync + 'static;

    /// Reads what keys stand for, at most [`CHUNK`] of them. A key without a value is left out.
    fn load(
        rows: &Rows,
        keys: &[Self],
    ) -> impl Future<Output = Result<HashMap<Self, Self::Value>>> + Send;
}

impl<K: Key> Loader<K> for Rows {
    type Value = K::Value;
    type Error = LoadError;

    async fn load(&self, keys: &[K]) -> Result<HashMap<K, K::Value>, LoadError> {
        let mut found = HashMap::with_capacity(keys.len());
        for keys in keys.chunks(CHUNK) {
            found.extend(K::load(self, keys).await.map_err(Arc::new)?);
        }
        Ok(found)
    }
}

/// A row by its id, if the caller sees it.
pub struct ById<E: Visible>(pub Id<E>);

impl<E: Visible> Clone for ById<E> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<E: Visible> Debug for ById<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text())
    }
}

impl<E: Visible> PartialEq for ById<E> {
    fn eq(&self, other: &Self) -> bool {
        self.0.uuid() == other.0.uuid()
    }
}

impl<E: Visible> Eq for ById<E> {}

impl<E: Visible> Hash for ById<E> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.uuid().hash(state);
    }
}

impl<E: Visible<Model: Send + Sync>> Key for ById<E> {
    type Value = Arc<E::Model>;

    async fn load(rows: &Rows, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<Id<E>> = keys.iter().map(|key| key.0).collect();
        let found = access::find_all::<E>(&rows.db, &rows.actor, &ids).await?;
        let found = found.into_iter();
        found
            .map(|row| Ok((Self(access::id_of::<E>(&row)?), Arc::new(row))))
            .collect()
    }
}

/// The rows of each key; an empty list where there are none.
pub fn listed<K: Key, M>(keys: &[K], rows: Vec<M>, key: impl Fn(&M) -> K) -> HashMap<K, Vec<M>> {
    let mut lists: HashMap<K, Vec<M>> = keys.iter().map(|key| (key.clone(), Vec::new())).collect();
    for row in rows {
        lists.entry(key(&row)).or_default().push(row);
    }
    lists
}

/// How resolvers come to objects.
pub trait Objects {
    /// The object that another one names, as a field of it: null when it is absent or hidden from the caller.
    fn object<T: Shown>(
        &self,
        id: Id<T::Entity>,
    ) -> impl Future<Output = Option<async_graphql::Result<T>>> + Send;

    /// The object that a query asks for by the argument `id`: null with the error `NOT_FOUND` when it is absent or hidden
    /// from the caller.
    fn by_id<T: Shown>(
        &self,
        id: &ID,
    ) -> impl Future<Output = Option<async_graphql::Result<T>>> + Send;

    /// A page of a list.
    fn page<T: Shown>(
        &self,
        rows: impl Into<Branches<T::Entity>> + Send,
        sort: Sort<<T::Entity as EntityTrait>::Column>,
        args: PageArgs,
    ) -> impl Future<Output = Result<Page<T>>> + Send;

    /// A page of a list below an object.
    fn below<T, B>(
        &self,
        parent: impl TypedId,
        list: B,
        args: PageArgs,
    ) -> impl Future<Output = Result<Page<T>>> + Send
    where
        T: Shown,
        B: Below<Entity = T::Entity>;
}

impl Objects for Context<'_> {
    async fn object<T: Shown>(&self, id: Id<T::Entity>) -> Option<async_graphql::Result<T>> {
        T::load(self, id).await.map_err(top_level).transpose()
    }

    async fn by_id<T: Shown>(&self, id: &ID) -> Option<async_graphql::Result<T>> {
        let found = async {
            T::Entity::may_read(self.actor())?;
            let found = T::load(self, context::id(id)).await?;
            found.ok_or_else(|| Error::not_found("id"))
        };
        Some(found.await.map_err(top_level))
    }

    async fn page<T: Shown>(
        &self,
        rows: impl Into<Branches<T::Entity>> + Send,
        sort: Sort<<T::Entity as EntityTrait>::Column>,
        args: PageArgs,
    ) -> Result<Page<T>> {
        let page = paging::page(self, self.db(), rows, sort, args).await?;
        Ok(page.map(T::of_row))
    }

    async fn below<T, B>(&self, parent: impl TypedId, list: B, args: PageArgs) -> Result<Page<T>>
    where
        T: Shown,
        B: Below<Entity = T::Entity>,
    {
        let page = paging::below(self, parent, list, args).await?;
        Ok(page.map(T::of_row))
    }
}
