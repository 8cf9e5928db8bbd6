//! Looking ahead: what the selection asks of all rows of a page is read once, before they are resolved one by one.
//!
//! A domain says for its rows which loads a field stands for. What nobody foresaw, the loaders still read in batches.

use std::{collections::HashSet, hash::Hash};

use async_graphql::{Context, Lookahead, dataloader::Loader, parser::types::OperationType};

use super::context::{ContextExt, LoadError, Loaders, Rows, unshared};
use crate::error::Result;

/// The fields that are asked for below one or several objects.
pub struct Ahead<'a> {
    loaders: &'a Loaders,
    places: Vec<Lookahead<'a>>,
}

impl<'a> Ahead<'a> {
    /// Below the field that is being resolved. None within a mutation, whose reads are not kept.
    #[must_use]
    pub fn of(ctx: &'a Context<'a>) -> Option<Self> {
        (ctx.query_env.operation.node.ty == OperationType::Query).then(|| Self {
            loaders: ctx.loaders(),
            places: vec![ctx.look_ahead()],
        })
    }

    /// Below a field; none when it is not asked for.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Self> {
        let places = self.places.iter().map(|place| place.field(name));
        let places: Vec<_> = places.filter(Lookahead::exists).collect();
        (!places.is_empty()).then_some(Self {
            loaders: self.loaders,
            places,
        })
    }

    /// Below the rows of a connection.
    #[must_use]
    pub fn connection(&self) -> Self {
        let rows =
            |place: &Lookahead<'a>| [place.field("nodes"), place.field("edges").field("node")];
        let places = self.places.iter().flat_map(rows);
        Self {
            loaders: self.loaders,
            places: places.filter(Lookahead::exists).collect(),
        }
    }

    /// Who reads.
    #[must_use]
    pub fn reader(&self) -> &'a Rows {
        self.loaders.rows()
    }

    /// Whether one of these fields is asked for.
    #[must_use]
    pub fn asks(&self, names: &[&str]) -> bool {
        let mut names = names.iter();
        names.any(|name| self.places.iter().any(|place| place.field(name).exists()))
    }

    /// Reads what these keys stand for, tells it to `look`, and keeps it for the fields.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load<K>(
        &self,
        keys: impl IntoIterator<Item = K>,
        look: impl FnMut(&<Rows as Loader<K>>::Value),
    ) -> Result<()>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Rows: Loader<K, Error = LoadError>,
    {
        let mut keys: Vec<K> = keys.into_iter().collect();
        let mut seen = HashSet::with_capacity(keys.len());
        keys.retain(|key| seen.insert(key.clone()));
        if keys.is_empty() {
            return Ok(());
        }
        self.loaders.load_ahead(&keys, look).await.map_err(unshared)
    }
}
