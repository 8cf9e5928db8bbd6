//! Counted attempts to come in.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Statement, sea_query::IntoCondition,
};

use crate::{
    entity::{
        ids::{SessionId, UserId},
        login_failure, session,
    },
    error::Result,
    identity::throttle::{self, Key},
    tx::Tx,
};

/// Lets nobody else count attempts under this key before this unit of work ends.
pub async fn serialise_attempts(tx: &Tx, key: &Key) -> Result<()> {
    serialise(tx, [&key.account, &key.address]).await
}

/// Lets nobody else count under these names before this unit of work ends. Everybody takes them in the same order, so
/// nobody waits in a circle.
pub async fn serialise(tx: &Tx, names: impl IntoIterator<Item = &String>) -> Result<()> {
    // SQLite has one writer anyway.
    if tx.backend() == DbBackend::Postgres {
        for name in names {
            let lock = throttle::lock_number(name);
            let sql = "SELECT pg_advisory_xact_lock($1)";
            tx.execute_raw(Statement::from_sql_and_values(
                DbBackend::Postgres,
                sql,
                [lock.into()],
            ))
            .await?;
        }
    }
    Ok(())
}

/// The latest attempts on an account inside the window, newest first.
pub async fn attempts_on_account(
    db: &impl ConnectionTrait,
    account: &str,
    limit: usize,
    now: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>> {
    let on = login_failure::Column::AccountHash.eq(account);
    attempts(db, on.into_condition(), limit, now).await
}

/// The latest attempts on an account from a network inside the window, newest first.
pub async fn attempts_on_pair(
    db: &impl ConnectionTrait,
    key: &Key,
    limit: usize,
    now: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>> {
    let on = Condition::all()
        .add(login_failure::Column::AccountHash.eq(key.account.as_str()))
        .add(login_failure::Column::Address.eq(key.address.as_str()));
    attempts(db, on, limit, now).await
}

/// Whether a user has a session that was begun from this network.
pub async fn knows_network(
    db: &impl ConnectionTrait,
    user: UserId,
    network: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let query = session::Entity::find()
        .select_only()
        .column(session::Column::Id)
        .filter(session::Column::UserId.eq(user))
        .filter(session::Column::NetworkHash.eq(network))
        .filter(session::Column::ExpiresAt.gt(now))
        .limit(1);
    let found: Option<SessionId> = query.into_tuple().one(db).await?;
    Ok(found.is_some())
}

/// The latest attempts from a network inside the window, newest first.
pub async fn attempts_from_address(
    db: &impl ConnectionTrait,
    address: &str,
    limit: usize,
    now: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>> {
    let on = login_failure::Column::Address.eq(address);
    attempts(db, on.into_condition(), limit, now).await
}

async fn attempts(
    db: &impl ConnectionTrait,
    on: Condition,
    limit: usize,
    now: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>> {
    let query = login_failure::Entity::find()
        .select_only()
        .column(login_failure::Column::At)
        .filter(on)
        .filter(login_failure::Column::At.gt(now - throttle::WINDOW))
        .order_by_desc(login_failure::Column::At)
        .limit(u64::try_from(limit).unwrap_or(u64::MAX));
    Ok(query.into_tuple().all(db).await?)
}

/// Counts an attempt.
pub async fn insert_attempt(tx: &Tx, key: &Key) -> Result<()> {
    tx.insert(login_failure::ActiveModel {
        id: Set(tx.id()),
        account_hash: Set(key.account.clone()),
        address: Set(key.address.clone()),
        at: Set(tx.now()),
    })
    .await
}

/// Forgets the attempts on an account.
pub async fn clear_attempts(tx: &Tx, account: &str) -> Result<()> {
    login_failure::Entity::delete_many()
        .filter(login_failure::Column::AccountHash.eq(account))
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes attempts made before an instant.
pub async fn delete_attempts(tx: &Tx, before: DateTime<Utc>) -> Result<()> {
    login_failure::Entity::delete_many()
        .filter(login_failure::Column::At.lt(before))
        .exec(tx)
        .await?;
    Ok(())
}
