//! The days of programmes for the lists of a request.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, dataloader::Loader};

use crate::{
    error::{Error, Result},
    graphql::context::{ContextExt, LoadError, Rows, unshared},
    programs::calendar::{self, Calendar},
};

/// The calendar of all programmes, read once for everything that is asked at the same time.
///
/// # Errors
/// The database failed.
pub async fn calendar(ctx: &Context<'_>) -> Result<Arc<Calendar>> {
    let found = ctx.loaders().load_one(OfAll).await.map_err(unshared)?;
    found.ok_or_else(|| Error::internal("the calendar was not read"))
}

/// The calendar of all programmes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct OfAll;

impl Loader<OfAll> for Rows {
    type Value = Arc<Calendar>;
    type Error = LoadError;

    async fn load(&self, _: &[OfAll]) -> Result<HashMap<OfAll, Arc<Calendar>>, LoadError> {
        let calendar = calendar::load(&self.db).await.map_err(Arc::new)?;
        Ok(HashMap::from([(OfAll, Arc::new(calendar))]))
    }
}
