//! Reading and writing partners, always under the scope of who asks.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
};

use super::{AttributeKind, wall::only};
use crate::{
    entity::{ids::PartnerId, partner, partner_attribute, partner_lifecycle_event},
    error::Result,
    identity::Scope,
    platform::hierarchy::Tree,
    tx::{CHUNK, Tx},
};

/// Partners as a tree of companies.
pub const TREE: Tree<partner::Entity> = Tree {
    id: partner::Column::Id,
    parent: partner::Column::ParentId,
};

/// The partners that the caller may see: the vendor all, a partner itself.
#[must_use]
pub fn visible(scope: Scope) -> Select<partner::Entity> {
    partner::Entity::find().filter(only(scope, partner::Column::Id))
}

/// The moves of the partners that the caller may see.
#[must_use]
pub fn moves(scope: Scope, partner: PartnerId) -> Select<partner_lifecycle_event::Entity> {
    use partner_lifecycle_event::{Column, Entity};
    Entity::find()
        .filter(only(scope, Column::PartnerId))
        .filter(Column::PartnerId.eq(partner))
}

/// One partner.
///
/// # Errors
/// The database failed.
pub async fn find<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    id: PartnerId,
) -> Result<Option<partner::Model>> {
    Ok(visible(scope)
        .filter(partner::Column::Id.eq(id))
        .one(db)
        .await?)
}

/// One partner, held against every other change until the end of the unit of work.
///
/// # Errors
/// The database failed.
pub async fn hold(tx: &Tx, scope: Scope, id: PartnerId) -> Result<Option<partner::Model>> {
    Ok(visible(scope)
        .filter(partner::Column::Id.eq(id))
        .lock_exclusive()
        .one(tx)
        .await?)
}

/// Several partners, in no order.
///
/// # Errors
/// The database failed.
pub async fn find_all<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    ids: &[PartnerId],
) -> Result<Vec<partner::Model>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        found.extend(
            visible(scope)
                .filter(partner::Column::Id.is_in(ids.iter().copied()))
                .all(db)
                .await?,
        );
    }
    Ok(found)
}

/// What partners have several of, by partner, kind and value.
///
/// # Errors
/// The database failed.
pub async fn attributes<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    ids: &[PartnerId],
) -> Result<Vec<partner_attribute::Model>> {
    use partner_attribute::{Column, Entity};
    let mut found = Vec::new();
    for ids in ids.chunks(CHUNK) {
        let of_these = Entity::find()
            .filter(only(scope, Column::PartnerId))
            .filter(Column::PartnerId.is_in(ids.iter().copied()));
        found.extend(
            of_these
                .order_by_asc(Column::PartnerId)
                .order_by_asc(Column::Kind)
                .order_by_asc(Column::Value)
                .all(db)
                .await?,
        );
    }
    Ok(found)
}

/// Adds values to what a partner has several of.
///
/// # Errors
/// The database failed.
pub async fn add_attributes(
    tx: &Tx,
    partner: PartnerId,
    values: impl IntoIterator<Item = (AttributeKind, String)>,
) -> Result<()> {
    let rows = values
        .into_iter()
        .map(|(kind, value)| partner_attribute::ActiveModel {
            partner_id: Set(partner),
            kind: Set(kind),
            value: Set(value),
        });
    tx.insert_all(rows).await
}

/// Takes all values of one kind from a partner.
///
/// # Errors
/// The database failed.
pub async fn clear_attributes(tx: &Tx, partner: PartnerId, kind: AttributeKind) -> Result<()> {
    use partner_attribute::{Column, Entity};
    Entity::delete_many()
        .filter(Column::PartnerId.eq(partner))
        .filter(Column::Kind.eq(kind))
        .exec(tx)
        .await?;
    Ok(())
}

/// Writes a changed partner over the version that was read; says whether that was still the stored one.
///
/// # Errors
/// The database failed, or refused a value that must be unique.
pub async fn replace(
    tx: &Tx,
    row: partner::ActiveModel,
    id: PartnerId,
    version: i64,
) -> std::result::Result<bool, DbErr> {
    let update = partner::Entity::update_many()
        .set(row)
        .filter(partner::Column::Id.eq(id));
    Ok(update
        .filter(partner::Column::Version.eq(version))
        .exec(tx)
        .await?
        .rows_affected
        == 1)
}
