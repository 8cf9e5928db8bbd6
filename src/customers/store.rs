//! Reading and writing customers, always under the scope of who asks.

use std::collections::{BTreeSet, HashSet};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, Statement, Value,
    sea_query::{SelectStatement, UnionType},
};

use super::{claim::Claim, identity::block_keys};
use crate::{
    deals::ParticipantStatus,
    entity::{
        customer, customer_block_key, deal, deal_participant, deal_registration,
        ids::{CustomerId, PartnerId},
    },
    error::Result,
    identity::{Action, Actor, Scope},
    platform::{hierarchy::Tree, sql::any_of},
    tx::{CHUNK, Tx},
};

/// Customers as a tree of companies.
pub const TREE: Tree<customer::Entity> = Tree {
    id: customer::Column::Id,
    parent: customer::Column::ParentId,
};

/// How many candidates each way of finding lookalikes gives at most.
const CANDIDATES: u64 = 100;
/// How many customers filed under one key are looked at.
const FILED: u64 = 2_000;

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
    let mut registered = deal_registration::Entity::find()
        .select_only()
        .column(deal_registration::Column::CustomerId)
        .filter(deal_registration::Column::PartnerId.eq(own))
        .into_query();
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

/// The customer with the identity of a claim: its domain, or without one its name and country.
///
/// # Errors
/// The database failed.
pub async fn identical<C: ConnectionTrait>(
    db: &C,
    claim: &Claim,
) -> Result<Option<customer::Model>> {
    use customer::Column;
    let identity = match (&claim.domain, &claim.country) {
        (Some(domain), _) => Condition::all().add(Column::Domain.eq(domain)),
        (None, country) => {
            let at_home = match country {
                Some(country) => Column::Country.eq(country),
                None => Column::Country.is_null(),
            };
            Condition::all()
                .add(Column::Domain.is_null())
                .add(Column::NameKey.eq(&claim.name_key))
                .add(at_home)
        }
    };
    Ok(customer::Entity::find().filter(identity).one(db).await?)
}

/// Customers that may look like a claim, except one: those whose names share most keys with it, then those with its
/// registration number and its telephone number. Each comes from an index and is bounded.
///
/// # Errors
/// The database failed.
pub async fn candidates<C: ConnectionTrait>(
    db: &C,
    claim: &Claim,
    except: CustomerId,
) -> Result<Vec<customer::Model>> {
    use customer::Column;
    let mut found = alike_in_name(db, &claim.name_key, except).await?;
    for (column, key) in [
        (Column::RegistrationNumber, &claim.registration_number),
        (Column::Phone, &claim.phone),
    ] {
        if let Some(key) = key {
            let same = customer::Entity::find()
                .filter(column.eq(key))
                .filter(Column::Id.ne(except));
            found.extend(
                same.order_by_asc(Column::Id)
                    .limit(CANDIDATES)
                    .all(db)
                    .await?,
            );
        }
    }
    let mut seen = HashSet::new();
    found.retain(|customer| seen.insert(customer.id));
    Ok(found)
}

/// The customers that share most keys with a name, in one statement. Under one key at most [`FILED`] are looked at, so
/// that a name that begins like thousands of others costs no more than any other.
async fn alike_in_name<C: ConnectionTrait>(
    db: &C,
    name_key: &str,
    except: CustomerId,
) -> Result<Vec<customer::Model>> {
    let keys: Vec<String> = block_keys(name_key).into_iter().collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let filed = (2..).take(keys.len()).map(|key| {
        format!(
            "SELECT customer_id FROM (SELECT customer_id FROM customer_block_key WHERE block_key = ${key} \
             ORDER BY customer_id LIMIT {FILED}) AS filed"
        )
    });
    let sql = format!(
        "SELECT customer.* FROM (SELECT customer_id, COUNT(*) AS shared FROM ({}) AS alike WHERE customer_id <> $1 \
         GROUP BY customer_id ORDER BY shared DESC, customer_id LIMIT {CANDIDATES}) AS best \
         JOIN customer ON customer.id = best.customer_id ORDER BY best.shared DESC, customer.id",
        filed.collect::<Vec<_>>().join(" UNION ALL ")
    );
    let mut values = vec![Value::from(except)];
    values.extend(keys.into_iter().map(Value::from));
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(customer::Entity::find()
        .from_raw_sql(statement)
        .all(db)
        .await?)
}

/// Files a customer under the keys of its name.
///
/// # Errors
/// The database failed.
pub async fn file_under(tx: &Tx, id: CustomerId, keys: BTreeSet<String>) -> Result<()> {
    let rows = keys.into_iter().map(|key| customer_block_key::ActiveModel {
        block_key: Set(key),
        customer_id: Set(id),
    });
    tx.insert_all(rows).await
}

/// Takes a customer from the keys under which it is filed.
///
/// # Errors
/// The database failed.
pub async fn unfile(tx: &Tx, id: CustomerId) -> Result<()> {
    use customer_block_key::{Column, Entity};
    Entity::delete_many()
        .filter(Column::CustomerId.eq(id))
        .exec(tx)
        .await?;
    Ok(())
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
