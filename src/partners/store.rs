//! Reading and writing partners, always under the scope of who asks.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Select, Statement, Value,
};

use super::wall::only;
use crate::{
    access::Scope,
    entity::{
        ids::{PartnerId, PaymentDetailsId},
        partner,
        partner_attribute::{self, AttributeKind},
        partner_lifecycle_event, payment_details,
    },
    error::Result,
    platform::{
        hierarchy::Tree,
        ids::TypedId,
        sql::{self, any_of},
    },
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
pub fn moves(scope: Scope) -> Select<partner_lifecycle_event::Entity> {
    use partner_lifecycle_event::{Column, Entity};
    Entity::find().filter(only(scope, Column::PartnerId))
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
                .filter(any_of(db, partner::Column::Id, ids.iter().copied()))
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
            .filter(any_of(db, Column::PartnerId, ids.iter().copied()));
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

/// The accounts to which partners are paid now.
///
/// # Errors
/// The database failed.
pub async fn current_details<C: ConnectionTrait>(
    db: &C,
    partners: &[PartnerId],
) -> Result<Vec<payment_details::Model>> {
    use payment_details::Column;
    let of_partners = any_of(db, Column::PartnerId, partners.iter().copied());
    let current = payment_details::Entity::find()
        .filter(of_partners)
        .filter(Column::ReplacedAt.is_null());
    Ok(current.all(db).await?)
}

/// Accounts by id, whether paid to now or before, as far as the caller sees their partners.
///
/// # Errors
/// The database failed.
pub async fn details<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    ids: &[PaymentDetailsId],
) -> Result<Vec<payment_details::Model>> {
    use payment_details::Column;
    let by_id = payment_details::Entity::find()
        .filter(only(scope, Column::PartnerId))
        .filter(any_of(db, Column::Id, ids.iter().copied()));
    Ok(by_id.all(db).await?)
}

/// The accounts to which other partners are paid now and that may be one of these: of the same kind and country, with the
/// same last four characters.
///
/// # Errors
/// The database failed.
pub async fn details_alike<C: ConnectionTrait>(
    db: &C,
    ids: &[PaymentDetailsId],
) -> Result<Vec<payment_details::Model>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT DISTINCT d.* FROM payment_details own JOIN payment_details d ON d.last_four = own.last_four \
         AND d.country = own.country AND d.kind = own.kind AND d.partner_id <> own.partner_id \
         WHERE d.replaced_at IS NULL AND own.id IN {}",
        sql::rows(1, ids.len())
    );
    let values = ids.iter().map(|id| Value::from(id.uuid()));
    let alike = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(payment_details::Entity::find()
        .from_raw_sql(alike)
        .all(db)
        .await?)
}

/// Notes that another account takes the place of this one.
///
/// # Errors
/// The database failed.
pub async fn replace_details(tx: &Tx, id: PaymentDetailsId) -> Result<()> {
    let change = payment_details::ActiveModel {
        replaced_at: Set(Some(tx.now())),
        ..Default::default()
    };
    let replaced = payment_details::Entity::update_many().set(change);
    replaced
        .filter(payment_details::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Some accounts after one, in the order of their ids.
///
/// # Errors
/// The database failed.
pub async fn some_details(
    tx: &Tx,
    after: Option<PaymentDetailsId>,
) -> Result<Vec<payment_details::Model>> {
    use payment_details::Column;
    let mut select = payment_details::Entity::find();
    if let Some(after) = after {
        select = select.filter(Column::Id.gt(after));
    }
    let limit = u64::try_from(CHUNK).unwrap_or(u64::MAX);
    Ok(select.order_by_asc(Column::Id).limit(limit).all(tx).await?)
}

/// Keeps accounts under other seals.
///
/// # Errors
/// The database failed.
pub async fn reseal_details(tx: &Tx, sealed: &[(PaymentDetailsId, String)]) -> Result<()> {
    if sealed.is_empty() {
        return Ok(());
    }
    let values = sealed
        .iter()
        .flat_map(|(id, sealed)| -> [Value; 2] { [id.uuid().into(), sealed.as_str().into()] });
    let sql = format!(
        "UPDATE payment_details SET sealed = s.column2 FROM (VALUES {}) AS s WHERE payment_details.id = s.column1",
        sql::rows(sealed.len(), 2)
    );
    let statement = Statement::from_sql_and_values(tx.backend(), sql, values);
    tx.execute_raw(statement).await?;
    Ok(())
}
