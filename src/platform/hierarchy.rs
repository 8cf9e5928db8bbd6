//! Trees kept in one table by a column that names the parent: without circles and of bounded depth.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, TryGetable, Value,
};

/// Levels of a tree, its root included.
pub const MAX_LEVELS: usize = 8;
/// How many parents one statement asks about.
const CHUNK: usize = 500;

/// Why something cannot hang under a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HierarchyFault {
    /// The parent, or something above it, does not exist.
    #[error("There is no such object.")]
    Missing,
    /// It would be above itself.
    #[error("would create a cycle")]
    Circle,
    /// The tree would become too deep.
    #[error("would create more than {MAX_LEVELS} levels")]
    TooDeep,
}

/// The columns that make a table a tree.
#[derive(Clone, Copy, Debug)]
pub struct Tree<E: EntityTrait> {
    /// The key.
    pub id: E::Column,
    /// The key of the parent.
    pub parent: E::Column,
}

impl<E: EntityTrait> Tree<E> {
    /// Whether a row (one that does not exist yet has no key) may hang under a parent. The rows
    /// above are locked against change, so that two moves at once cannot close a circle.
    ///
    /// # Errors
    /// The database failed. A refusal is the inner result.
    pub async fn check<K, C>(
        &self,
        db: &C,
        own: Option<K>,
        parent: K,
    ) -> Result<Result<(), HierarchyFault>, DbErr>
    where
        K: Copy + Eq + Into<Value> + TryGetable + Send + Sync,
        C: ConnectionTrait,
    {
        let mut levels = 0;
        let mut next = Some(parent);
        while let Some(id) = next {
            if own == Some(id) {
                return Ok(Err(HierarchyFault::Circle));
            }
            levels += 1;
            if levels >= MAX_LEVELS {
                return Ok(Err(HierarchyFault::TooDeep));
            }
            let above = E::find()
                .select_only()
                .column(self.parent)
                .filter(self.id.eq(id))
                .lock_shared();
            match above.into_tuple::<Option<K>>().one(db).await? {
                Some(above) => next = above,
                None => return Ok(Err(HierarchyFault::Missing)),
            }
        }
        match own {
            Some(own) => self.fits_below(db, own, MAX_LEVELS - levels).await,
            None => Ok(Ok(())),
        }
    }

    /// Whether the row and what hangs under it take no more than so many levels.
    async fn fits_below<K, C>(
        &self,
        db: &C,
        own: K,
        room: usize,
    ) -> Result<Result<(), HierarchyFault>, DbErr>
    where
        K: Copy + Eq + Into<Value> + TryGetable + Send + Sync,
        C: ConnectionTrait,
    {
        let mut level = vec![own];
        for _ in 0..room {
            let mut below = Vec::new();
            for parents in level.chunks(CHUNK) {
                let children = E::find()
                    .select_only()
                    .column(self.id)
                    .filter(self.parent.is_in(parents.iter().copied()));
                below.extend(children.into_tuple::<K>().all(db).await?);
            }
            if below.is_empty() {
                return Ok(Ok(()));
            }
            level = below;
        }
        Ok(Err(HierarchyFault::TooDeep))
    }
}
