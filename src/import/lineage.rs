//! Who stands above whom among partners or customers, while rows of a file rearrange it.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

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

/// What stands above and below whatever a unit of work may hang somewhere.
#[derive(Debug, Default)]
pub struct Lineage {
    above: HashMap<Uuid, Uuid>,
    below: HashMap<Uuid, HashSet<Uuid>>,
}

impl Lineage {
    /// Reads what stands above these parents and below those that may move, a level at a time. `promised` is what a
    /// dry run would have made, and goes before what is stored.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load<E, K>(
        tx: &Tx,
        tree: &Tree<E>,
        parents: impl IntoIterator<Item = K>,
        moving: impl IntoIterator<Item = K>,
        promised: &HashMap<Uuid, Uuid>,
    ) -> Result<Self>
    where
        E: EntityTrait,
        K: TypedId + Eq + Hash + Into<Value> + TryGetable,
    {
        let mut lineage = Self::default();
        for (own, parent) in promised {
            lineage.link(*own, *parent);
        }
        let mut level: HashSet<K> = parents.into_iter().collect();
        for _ in 0..MAX_LEVELS {
            lineage.read(tx, tree, tree.id, &level, promised).await?;
            let above = level.iter().filter_map(|id| lineage.above.get(&id.uuid()));
            level = above.map(|id| K::of(*id)).collect();
        }
        let mut level: HashSet<K> = moving.into_iter().collect();
        for _ in 0..MAX_LEVELS {
            lineage
                .read(tx, tree, tree.parent, &level, promised)
                .await?;
            let below = level.iter().filter_map(|id| lineage.below.get(&id.uuid()));
            level = below.flatten().map(|id| K::of(*id)).collect();
        }
        Ok(lineage)
    }

    /// Reads the links of which one end, in this column, is among these.
    async fn read<E, K>(
        &mut self,
        tx: &Tx,
        tree: &Tree<E>,
        end: E::Column,
        level: &HashSet<K>,
        promised: &HashMap<Uuid, Uuid>,
    ) -> Result<()>
    where
        E: EntityTrait,
        K: TypedId + Eq + Hash + Into<Value> + TryGetable,
    {
        let level: Vec<K> = level.iter().copied().collect();
        for chunk in level.chunks(CHUNK) {
            let rows = E::find().select_only().column(tree.id).column(tree.parent);
            let rows = rows
                .filter(end.is_in(chunk.iter().copied()))
                .filter(tree.parent.is_not_null());
            for (own, parent) in rows.into_tuple::<(K, K)>().all(tx).await? {
                if !promised.contains_key(&own.uuid()) {
                    self.link(own.uuid(), parent.uuid());
                }
            }
        }
        Ok(())
    }

    /// Hangs one, with all that hangs under it, under another, unless that makes a circle or too many levels.
    ///
    /// # Errors
    /// Which of the two it would make.
    pub fn hang<K: TypedId>(&mut self, own: K, parent: Option<K>) -> Result<(), HierarchyFault> {
        let own = own.uuid();
        let Some(parent) = parent.map(TypedId::uuid) else {
            self.unlink(own);
            return Ok(());
        };
        let (mut levels, mut next) = (0, Some(parent));
        while let Some(id) = next.filter(|_| levels < MAX_LEVELS) {
            if id == own {
                return Err(HierarchyFault::Circle);
            }
            levels += 1;
            next = self.above.get(&id).copied();
        }
        if levels + self.height(own) > MAX_LEVELS {
            return Err(HierarchyFault::TooDeep);
        }
        self.link(own, parent);
        Ok(())
    }

    /// How many levels one takes with all that hangs under it; counted no further than it matters.
    fn height(&self, own: Uuid) -> usize {
        let (mut levels, mut level) = (0, vec![own]);
        while !level.is_empty() && levels <= MAX_LEVELS {
            levels += 1;
            let below = level.iter().filter_map(|id| self.below.get(id));
            level = below.flatten().copied().collect();
        }
        levels
    }

    fn link(&mut self, own: Uuid, parent: Uuid) {
        self.unlink(own);
        self.above.insert(own, parent);
        self.below.entry(parent).or_default().insert(own);
    }

    fn unlink(&mut self, own: Uuid) {
        if let Some(parent) = self.above.remove(&own)
            && let Some(below) = self.below.get_mut(&parent)
        {
            below.remove(&own);
        }
    }
}
