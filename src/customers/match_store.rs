//! Finding the customers that a claim may mean: by what proves it, and by what looks like it.

use std::collections::{BTreeSet, HashSet};

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, Insert, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Statement, Value,
    sea_query::{OnConflict, SimpleExpr},
};

use super::{claim::Claim, identity::block_keys, store::registered_by};
use crate::{
    entity::{
        customer, customer_block_key,
        ids::{CustomerId, PartnerId},
    },
    error::Result,
    platform::text::casefold,
    tx::{CHUNK, Tx},
};

/// How many candidates each way of finding lookalikes gives at most.
const CANDIDATES: u64 = 100;
/// How many customers filed under one key are looked at.
const FILED: u64 = 2_000;

/// The customer that a claim proves to mean: the one with its domain, or with its registration number in a country that
/// is not known to be another one.
///
/// # Errors
/// The database failed.
pub async fn identical<C: ConnectionTrait>(
    db: &C,
    claim: &Claim,
) -> Result<Option<customer::Model>> {
    identical_but(db, claim, None).await
}

/// The same among all customers but one.
///
/// # Errors
/// The database failed.
pub async fn identical_but<C: ConnectionTrait>(
    db: &C,
    claim: &Claim,
    except: Option<CustomerId>,
) -> Result<Option<customer::Model>> {
    use customer::Column;
    let others =
        || customer::Entity::find().apply_if(except, |select, id| select.filter(Column::Id.ne(id)));
    if let Some(domain) = &claim.domain {
        let known = others().filter(Column::Domain.eq(domain)).one(db).await?;
        if known.is_some() {
            return Ok(known);
        }
    }
    let Some(number) = &claim.registration_number else {
        return Ok(None);
    };
    let numbered = others()
        .filter(Column::RegistrationNumber.eq(number))
        .order_by_asc(Column::Id)
        .limit(CANDIDATES)
        .all(db)
        .await?;
    let abroad = |row: &customer::Model| matches!((&row.country, &claim.country), (Some(one), Some(other)) if one != other);
    // The one at home first, then one of which the country is not known.
    let at_home = numbered.iter().find(|row| row.country == claim.country);
    let found = at_home.or_else(|| numbered.iter().find(|row| !abroad(row)));
    Ok(found.cloned())
}

/// The customer that a partner named before in the same words, where neither then nor now more than the name and country
/// was known, or the same number or host.
///
/// # Errors
/// The database failed.
pub async fn named_before<C: ConnectionTrait>(
    db: &C,
    claim: &Claim,
    partner: PartnerId,
) -> Result<Option<customer::Model>> {
    if claim.domain.is_some() {
        return Ok(None);
    }
    let own = customer::Column::Id.in_subquery(registered_by(partner));
    let twins = twins(db, claim, Some(own)).await?;
    let differ = |one: &Option<String>, other: &Option<String>| {
        one.is_some() && other.is_some() && one != other
    };
    let told_apart = |row: &customer::Model| {
        differ(&row.registration_number, &claim.registration_number)
            || differ(&row.domain_hint, &claim.domain_hint)
    };
    let words = casefold(&claim.name);
    let mut same = twins.into_iter().filter(|row| casefold(&row.name) == words);
    Ok(same.find(|row| !told_apart(row)))
}

/// Customers without a domain that have the name and the country of a claim.
async fn twins<C: ConnectionTrait>(
    db: &C,
    claim: &Claim,
    among: Option<SimpleExpr>,
) -> Result<Vec<customer::Model>> {
    use customer::Column;
    let at_home = match &claim.country {
        Some(country) => Column::Country.eq(country),
        None => Column::Country.is_null(),
    };
    Ok(customer::Entity::find()
        .filter(Column::NameKey.eq(&claim.name_key))
        .filter(at_home)
        .filter(Column::Domain.is_null())
        .apply_if(among, |select, among| select.filter(among))
        .order_by_asc(Column::Id)
        .limit(CANDIDATES)
        .all(db)
        .await?)
}

/// Makes parallel claims on one registration number wait for each other until the end of the unit of work, so that the
/// second one sees the customer that the first one recorded.
///
/// # Errors
/// The database failed.
pub async fn hold_number(tx: &Tx, number: Option<&str>) -> Result<()> {
    let Some(number) = number else {
        return Ok(());
    };
    let sql = "INSERT INTO customer_number (number) VALUES ($1) \
        ON CONFLICT (number) DO UPDATE SET number = excluded.number";
    let statement = Statement::from_sql_and_values(tx.backend(), sql, [Value::from(number)]);
    tx.execute_raw(statement).await?;
    Ok(())
}

/// Customers that may look like a claim, except one: those whose names share most keys with it, then those with its
/// registration number, its telephone number and its host. Each comes from an index and is bounded.
///
/// # Errors
/// The database failed.
pub async fn candidates<C: ConnectionTrait>(
    db: &C,
    claim: &Claim,
    except: CustomerId,
) -> Result<Vec<customer::Model>> {
    use customer::Column;
    let mut found = alike_in_name(db, &claim.name, except).await?;
    for (column, key) in [
        (Column::RegistrationNumber, &claim.registration_number),
        (Column::Phone, &claim.phone),
        (Column::DomainHint, &claim.domain),
        (Column::Domain, &claim.domain_hint),
        (Column::DomainHint, &claim.domain_hint),
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
    name: &str,
    except: CustomerId,
) -> Result<Vec<customer::Model>> {
    let keys: Vec<String> = block_keys(name).into_iter().collect();
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

/// The next customers by id, held until the end of the unit of work, at most [`CHUNK`].
///
/// # Errors
/// The database failed.
pub async fn hold_next(tx: &Tx, after: Option<CustomerId>) -> Result<Vec<customer::Model>> {
    use customer::Column;
    Ok(customer::Entity::find()
        .apply_if(after, |select, after| select.filter(Column::Id.gt(after)))
        .order_by_asc(Column::Id)
        .limit(u64::try_from(CHUNK).unwrap_or(u64::MAX))
        .lock_exclusive()
        .all(tx)
        .await?)
}

/// Writes the canonical forms of customers, and files all of these under the keys of their names.
///
/// # Errors
/// The database failed.
pub async fn rewrite(
    tx: &Tx,
    changed: Vec<customer::Model>,
    filed: &[customer::Model],
) -> Result<()> {
    use customer::Column;
    let forms = [
        Column::NameKey,
        Column::Domain,
        Column::DomainHint,
        Column::RegistrationNumber,
        Column::Phone,
    ];
    if !changed.is_empty() {
        let rows = changed
            .into_iter()
            .map(|row| row.into_active_model().reset_all());
        Insert::many(rows)
            .on_conflict(
                OnConflict::column(Column::Id)
                    .update_columns(forms)
                    .to_owned(),
            )
            .exec_without_returning(tx)
            .await?;
    }
    let ids = filed.iter().map(|row| row.id);
    customer_block_key::Entity::delete_many()
        .filter(customer_block_key::Column::CustomerId.is_in(ids))
        .exec(tx)
        .await?;
    let keys = filed.iter().flat_map(|row| {
        let keys = block_keys(&row.name).into_iter();
        keys.map(|block_key| customer_block_key::ActiveModel {
            block_key: Set(block_key),
            customer_id: Set(row.id),
        })
    });
    tx.insert_all(keys.collect::<Vec<_>>()).await
}
