//! Reading partners in batches, under the scope of who asks.

use std::{collections::HashMap, sync::Arc};

use async_graphql::dataloader::Loader;

use crate::{
    entity::{ids::PartnerId, partner, partner_attribute},
    graphql::context::{LoadError, Rows},
    partners::store,
};

impl Loader<PartnerId> for Rows {
    type Value = Arc<partner::Model>;
    type Error = LoadError;

    async fn load(&self, keys: &[PartnerId]) -> Result<HashMap<PartnerId, Self::Value>, LoadError> {
        let found = store::find_all(&self.db, self.scope(), keys)
            .await
            .map_err(Arc::new)?;
        Ok(found
            .into_iter()
            .map(|row| (row.id, Arc::new(row)))
            .collect())
    }
}

/// What a partner has several of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttributesOf(pub PartnerId);

impl Loader<AttributesOf> for Rows {
    type Value = Vec<partner_attribute::Model>;
    type Error = LoadError;

    async fn load(
        &self,
        keys: &[AttributesOf],
    ) -> Result<HashMap<AttributesOf, Self::Value>, LoadError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for row in store::attributes(&self.db, self.scope(), &ids)
            .await
            .map_err(Arc::new)?
        {
            found
                .entry(AttributesOf(row.partner_id))
                .or_default()
                .push(row);
        }
        Ok(found)
    }
}
