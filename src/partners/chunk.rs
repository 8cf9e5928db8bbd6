//! All partners, so many at a time: how batches go through them.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Value,
};
use uuid::Uuid;

use crate::{
    entity::{ids::PartnerId, partner},
    error::Result,
    platform::ids::TypedId,
};

/// Partners one after the other by their ids.
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    after: Option<PartnerId>,
    /// The last one of them; `None` when all that follow belong to the chunk.
    pub last: Option<PartnerId>,
}

impl Chunk {
    /// The next so many partners after one, or from the first on.
    ///
    /// # Errors
    /// The database failed.
    pub async fn next<C: ConnectionTrait>(
        db: &C,
        after: Option<PartnerId>,
        size: u64,
    ) -> Result<Self> {
        let last = partner::Entity::find()
            .select_only()
            .column(partner::Column::Id)
            .apply_if(after, |select, after| {
                select.filter(partner::Column::Id.gt(after))
            })
            .order_by_asc(partner::Column::Id)
            .offset(size.saturating_sub(1))
            .into_tuple()
            .one(db)
            .await?;
        Ok(Self { after, last })
    }

    /// Between which ids the partners are: above the first, up to the second.
    #[must_use]
    pub fn bounds(&self) -> [Value; 2] {
        let after = self.after.map_or(Uuid::nil(), TypedId::uuid);
        let last = self.last.map_or(Uuid::max(), TypedId::uuid);
        [after.into(), last.into()]
    }
}
