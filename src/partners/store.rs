//! Reading and writing partners, always under the scope of who asks.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Statement, Value,
};

use crate::{
    access::{Action, Actor, Scope, Versioned, Visible, of_partner},
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

impl Visible for partner::Entity {
    const ID: Self::Column = partner::Column::Id;
    const ARGUMENT: &'static str = "partnerId";
    const READ: Action = Action::PartnerRead;

    /// The vendor sees all, a partner itself.
    fn visible(scope: Scope) -> Condition {
        of_partner(scope, partner::Column::Id)
    }
}

impl Versioned for partner::Entity {
    const VERSION: Self::Column = partner::Column::Version;
    const UPDATED_AT: Option<Self::Column> = Some(partner::Column::UpdatedAt);
}

impl Visible for partner_lifecycle_event::Entity {
    const ID: Self::Column = partner_lifecycle_event::Column::Id;
    const ARGUMENT: &'static str = "lifecycleEventId";
    const READ: Action = Action::PartnerRead;

    fn visible(scope: Scope) -> Condition {
        of_partner(scope, partner_lifecycle_event::Column::PartnerId)
    }
}

impl Visible for payment_details::Entity {
    const ID: Self::Column = payment_details::Column::Id;
    const ARGUMENT: &'static str = "paymentDetailsId";
    const READ: Action = Action::PaymentDetailsRead;

    fn visible(scope: Scope) -> Condition {
        of_partner(scope, payment_details::Column::PartnerId)
    }
}

/// What partners have several of, by partner, kind and value.
pub async fn attributes<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    ids: &[PartnerId],
) -> Result<Vec<partner_attribute::Model>> {
    use partner_attribute::{Column, Entity};
    let mut found = Vec::new();
    for ids in ids.chunks(CHUNK) {
        let of_these = Entity::find()
            .filter(of_partner(scope, Column::PartnerId))
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
pub async fn clear_attributes(tx: &Tx, partner: PartnerId, kind: AttributeKind) -> Result<()> {
    use partner_attribute::{Column, Entity};
    Entity::delete_many()
        .filter(Column::PartnerId.eq(partner))
        .filter(Column::Kind.eq(kind))
        .exec(tx)
        .await?;
    Ok(())
}

/// The accounts to which partners are paid now, as far as the actor sees them.
pub async fn current_details<C: ConnectionTrait>(
    db: &C,
    actor: &Actor,
    partners: &[PartnerId],
) -> Result<Vec<payment_details::Model>> {
    use payment_details::Column;
    let of_partners = any_of(db, Column::PartnerId, partners.iter().copied());
    let current = payment_details::Entity::seen_by(actor)
        .filter(of_partners)
        .filter(Column::ReplacedAt.is_null());
    Ok(current.all(db).await?)
}

/// Accounts by id, whether paid to now or before, for what pays to them.
pub async fn details<C: ConnectionTrait>(
    db: &C,
    ids: &[PaymentDetailsId],
) -> Result<Vec<payment_details::Model>> {
    use payment_details::Column;
    let by_id = payment_details::Entity::find().filter(any_of(db, Column::Id, ids.iter().copied()));
    Ok(by_id.all(db).await?)
}

/// The accounts to which other partners are paid now and that may be one of these: of the same kind and country, with the
/// same last four characters.
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
