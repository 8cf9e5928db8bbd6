//! Reading and writing customers, always under the scope of who asks.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, JoinType, QueryFilter, QuerySelect,
    QueryTrait, Select,
    sea_query::{SelectStatement, UnionType},
};

use crate::{
    access::{Action, Actor, Scope},
    entity::{
        customer, deal,
        deal_participant::{self, ParticipantStatus},
        deal_registration,
        ids::{CustomerId, PartnerId},
    },
    error::Result,
    platform::{hierarchy::Tree, sql::any_of},
    tx::{CHUNK, Tx},
};

/// Customers as a tree of companies.
pub const TREE: Tree<customer::Entity> = Tree {
    id: customer::Column::Id,
    parent: customer::Column::ParentId,
};

/// Which customers an actor may see at all: a partner's people those of their work, the vendor's by their role.
#[must_use]
pub fn scope(actor: &Actor) -> Scope {
    match actor.scope() {
        Scope::All if !actor.can(Action::CustomerReadAll) => Scope::Nothing,
        scope => scope,
    }
}

/// The customers in a scope: for a partner those of its registrations, of the deals it owns and of those it is invited
/// to or takes part in.
#[must_use]
pub fn visible(scope: Scope) -> Select<customer::Entity> {
    let all = customer::Entity::find();
    match scope {
        Scope::All => all,
        Scope::Partner(own) => all.filter(customer::Column::Id.in_subquery(known_to(own))),
        Scope::Nothing => all.filter(customer::Column::Id.is_in(std::iter::empty::<CustomerId>())),
    }
}

/// The customers of a partner's work: found from the partner, however many other customers there are.
fn known_to(own: PartnerId) -> SelectStatement {
    let mut registered = registered_by(own);
    let deals = || {
        deal::Entity::find()
            .select_only()
            .column(deal::Column::CustomerId)
    };
    let owned = deals().filter(deal::Column::PartnerId.eq(own));
    let present = [ParticipantStatus::Invited, ParticipantStatus::Accepted];
    let to_participant = deal::Entity::belongs_to(deal_participant::Entity)
        .from(deal::Column::Id)
        .to(deal_participant::Column::DealId)
        .into();
    let joined = deals()
        .join(JoinType::InnerJoin, to_participant)
        .filter(deal_participant::Column::PartnerId.eq(own))
        .filter(deal_participant::Column::Status.is_in(present));
    registered
        .union(UnionType::Distinct, owned.into_query())
        .union(UnionType::Distinct, joined.into_query());
    registered
}

/// The customers that a partner registered.
pub(super) fn registered_by(partner: PartnerId) -> SelectStatement {
    deal_registration::Entity::find()
        .select_only()
        .column(deal_registration::Column::CustomerId)
        .filter(deal_registration::Column::PartnerId.eq(partner))
        .into_query()
}

/// One customer.
///
/// # Errors
/// The database failed.
pub async fn find<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    id: CustomerId,
) -> Result<Option<customer::Model>> {
    Ok(visible(scope)
        .filter(customer::Column::Id.eq(id))
        .one(db)
        .await?)
}

/// One customer, held against every other change until the end of the unit of work.
///
/// # Errors
/// The database failed.
pub async fn hold(tx: &Tx, id: CustomerId) -> Result<Option<customer::Model>> {
    Ok(customer::Entity::find_by_id(id)
        .lock_exclusive()
        .one(tx)
        .await?)
}

/// Several customers, in no order.
///
/// # Errors
/// The database failed.
pub async fn find_all<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    ids: &[CustomerId],
) -> Result<Vec<customer::Model>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        found.extend(
            visible(scope)
                .filter(any_of(db, customer::Column::Id, ids.iter().copied()))
                .all(db)
                .await?,
        );
    }
    Ok(found)
}

/// Writes a changed customer over the version that was read; says whether that was still the stored one.
///
/// # Errors
/// The database failed, or refused a value that must be unique.
pub async fn replace(
    tx: &Tx,
    row: customer::ActiveModel,
    id: CustomerId,
    version: i64,
) -> std::result::Result<bool, DbErr> {
    let update = customer::Entity::update_many()
        .set(row)
        .filter(customer::Column::Id.eq(id));
    Ok(update
        .filter(customer::Column::Version.eq(version))
        .exec(tx)
        .await?
        .rows_affected
        == 1)
}
