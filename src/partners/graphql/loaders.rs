//! Reading partners in batches, under the scope of who asks.

use std::collections::HashMap;

use crate::{
    entity::{ids::PartnerId, partner_attribute},
    error::Result,
    graphql::{
        context::Rows,
        objects::{Key, listed},
    },
    partners::store,
};

/// What a partner has several of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttributesOf(pub PartnerId);

impl Key for AttributesOf {
    type Value = Vec<partner_attribute::Model>;

    async fn load(rows: &Rows, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = store::attributes(&rows.db, rows.scope(), &ids).await?;
        Ok(listed(keys, found, |row| Self(row.partner_id)))
    }
}
