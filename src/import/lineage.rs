//! Who stands above whom among partners or customers, while rows of a file rearrange it.

use std::{collections::HashMap, hash::Hash};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, TryGetable, Value};
use uuid::Uuid;

use crate::{
    error::Result,
    platform::{
        hierarchy::{HierarchyFault, MAX_LEVELS, Tree},
        ids::TypedId,
    },
    tx::{CHUNK, Tx},
};

/// The parents of whatever a unit of work may hang something under, and of all above them.
#[derive(Debug, Default)]
pub struct Lineage {
    above: HashMap<Uuid, Uuid>,
}

impl Lineage {
    /// Reads what stands above these, a level at a time. `promised` is what a dry run would have made.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load<E, K>(
        tx: &Tx,
        tree: &Tree<E>,
        parents: impl IntoIterator<Item = K>,
        promised: &HashMap<Uuid, Uuid>,
    ) -> Result<Self>
    where
        E: EntityTrait,
        K: TypedId + Eq + Hash + Into<Value> + TryGetable,
    {
        let mut above = promised.clone();
        let mut level: Vec<K> = parents.into_iter().collect();
        for _ in 0..MAX_LEVELS {
            let mut next = Vec::new();
            for chunk in level.chunks(CHUNK) {
                let rows = E::find().select_only().column(tree.id).column(tree.parent);
                let rows = rows
                    .filter(tree.id.is_in(chunk.iter().copied()))
                    .filter(tree.parent.is_not_null());
                for (id, parent) in rows.into_tuple::<(K, K)>().all(tx).await? {
                    above.insert(id.uuid(), parent.uuid());
                    next.push(parent);
                }
            }
            level = next;
        }
        Ok(Self { above })
    }

    /// Hangs one under another, unless that makes a circle or too many levels.
    ///
    /// # Errors
    /// Which of the two it would make.
    pub fn hang<K: TypedId>(&mut self, own: K, parent: Option<K>) -> Result<(), HierarchyFault> {
        let Some(parent) = parent else {
            self.above.remove(&own.uuid());
            return Ok(());
        };
        let (mut levels, mut next) = (1, Some(parent.uuid()));
        while let Some(id) = next {
            levels += 1;
            if id == own.uuid() {
                return Err(HierarchyFault::Circle);
            }
            if levels > MAX_LEVELS {
                return Err(HierarchyFault::TooDeep);
            }
            next = self.above.get(&id).copied();
        }
        self.above.insert(own.uuid(), parent.uuid());
        Ok(())
    }
}
