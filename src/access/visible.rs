//! Which rows an actor sees.
//!
//! Every table that is shown says once, beside its queries, who sees which of its rows: [`Visible`]. Lists, lists below
//! objects, lookups by id, loaders and mails all ask there.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, ModelTrait,
    PrimaryKeyTrait, QueryFilter, Select, Value, sea_query::Expr,
};

use super::{Action, Actor, Scope};
use crate::{
    entity::ids::PartnerId,
    error::{Error, Result},
    platform::{ids::TypedId, sql::any_of},
    tx::CHUNK,
};

/// The id of a table's rows.
pub type Id<E> = <<E as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType;

/// A table of which an actor sees some rows.
pub trait Visible:
    EntityTrait<
        PrimaryKey: PrimaryKeyTrait<ValueType: TypedId + Into<Value>>,
        Model: FromQueryResult + ModelTrait<Entity = Self> + Sync,
    >
{
    /// The column of the id.
    const ID: Self::Column;
    /// The argument of the API that names a row, such as `dealId`.
    const ARGUMENT: &'static str;
    /// The action of the policy that reads these rows.
    const READ: Action;

    /// The rows that a scope shows.
    fn visible(scope: Scope) -> Condition;

    /// Refuses an actor that reads none of these rows.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` or `FORBIDDEN`.
    fn may_read(actor: &Actor) -> Result<()> {
        actor.may(Self::READ)
    }

    /// The scope of an actor over these rows.
    #[must_use]
    fn scope(actor: &Actor) -> Scope {
        match Self::may_read(actor) {
            Ok(()) => actor.scope(),
            Err(_) => Scope::Nothing,
        }
    }

    /// The rows that an actor sees.
    #[must_use]
    fn seen_by(actor: &Actor) -> Select<Self> {
        Self::find().filter(Self::visible(Self::scope(actor)))
    }
}

/// The condition of rows that everybody sees who is signed in.
#[must_use]
pub fn everybody(scope: Scope) -> Condition {
    match scope {
        Scope::All | Scope::Partner(_) => Condition::all(),
        Scope::Nothing => nothing(),
    }
}

/// The condition of rows that only the vendor sees.
#[must_use]
pub fn vendor_only(scope: Scope) -> Condition {
    match scope {
        Scope::All => Condition::all(),
        Scope::Partner(_) | Scope::Nothing => nothing(),
    }
}

/// The condition of rows that belong to one partner: the vendor sees all, a partner its own.
pub fn of_partner(scope: Scope, partner: impl ColumnTrait) -> Condition {
    with_partner(scope, |own| Condition::all().add(partner.eq(own)))
}

/// The condition of rows of which a partner sees some: the vendor sees all, a partner those that `own` selects.
pub fn with_partner(scope: Scope, own: impl FnOnce(PartnerId) -> Condition) -> Condition {
    match scope {
        Scope::All => Condition::all(),
        Scope::Partner(partner) => own(partner),
        Scope::Nothing => nothing(),
    }
}

fn nothing() -> Condition {
    Condition::all().add(Expr::value(false))
}

/// A row by its id, if the actor sees it.
pub async fn find<E: Visible>(
    db: &impl ConnectionTrait,
    actor: &Actor,
    id: Id<E>,
) -> Result<Option<E::Model>> {
    Ok(E::seen_by(actor).filter(E::ID.eq(id)).one(db).await?)
}

/// The rows of these ids that the actor sees, in no order.
pub async fn find_all<E: Visible>(
    db: &impl ConnectionTrait,
    actor: &Actor,
    ids: &[Id<E>],
) -> Result<Vec<E::Model>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        let by_id = E::seen_by(actor).filter(any_of(db, E::ID, ids.iter().copied()));
        found.extend(by_id.all(db).await?);
    }
    Ok(found)
}

/// The id of a row.
pub fn id_of<E: Visible>(row: &E::Model) -> Result<Id<E>> {
    match row.get(E::ID) {
        Value::Uuid(Some(id)) => Ok(Id::<E>::of(id)),
        _ => Err(Error::internal("a row without an id")),
    }
}
