//! The accounts that a posting needs: found, opened, locked and brought forward, all in bulk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait,
    QueryFilter, QueryOrder, QuerySelect, Statement, Value, sea_query::LockType,
};

use crate::{
    entity::{
        ids::{LedgerAccountId, PartnerId},
        ledger_account::{self, LedgerAccountKind},
        partner,
    },
    error::{Code, Error, Refusal, Result},
    platform::{
        ids::TypedId,
        money::{Currency, MAX_SUM},
        sql::{self, any_of},
    },
    tx::{CHUNK, Tx},
};

/// What identifies an account: its kind, whose it is (`None` is the house) and its currency.
pub type Key = (LedgerAccountKind, Option<PartnerId>, Currency);

/// The accounts of these keys; those that do not exist yet are opened with a balance of zero.
///
/// # Errors
/// The database failed.
pub async fn find_or_open(tx: &Tx, keys: &BTreeSet<Key>) -> Result<HashMap<Key, LedgerAccountId>> {
    let found = find(tx, keys).await?;
    let missing: Vec<Key> = keys
        .iter()
        .filter(|key| !found.contains_key(key))
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(found);
    }
    let rows = missing
        .into_iter()
        .map(|(kind, partner, currency)| ledger_account::ActiveModel {
            id: Set(tx.id()),
            kind: Set(kind),
            partner_id: Set(partner),
            currency: Set(currency),
            balance_minor: Set(0),
            created_at: Set(tx.now()),
            updated_at: Set(tx.now()),
        });
    // Somebody else may open the same account at the same time: the unique indexes keep one of them.
    tx.insert_all_new(rows).await?;
    let found = find(tx, keys).await?;
    match keys.iter().find(|key| !found.contains_key(key)) {
        Some(key) => Err(Error::internal(format!(
            "the account {key:?} could not be opened"
        ))),
        None => Ok(found),
    }
}

async fn find(tx: &Tx, keys: &BTreeSet<Key>) -> Result<HashMap<Key, LedgerAccountId>> {
    use ledger_account::Column;
    let partners: BTreeSet<PartnerId> = keys.iter().filter_map(|key| key.1).collect();
    let mut rows = ledger_account::Entity::find()
        .filter(Column::PartnerId.is_null())
        .all(tx)
        .await?;
    let partners: Vec<PartnerId> = partners.into_iter().collect();
    for chunk in partners.chunks(CHUNK) {
        let of_partners = any_of(tx, Column::PartnerId, chunk.iter().copied());
        rows.extend(
            ledger_account::Entity::find()
                .filter(of_partners)
                .all(tx)
                .await?,
        );
    }
    let by_key = rows
        .into_iter()
        .map(|row| ((row.kind, row.partner_id, row.currency), row.id));
    Ok(by_key.filter(|(key, _)| keys.contains(key)).collect())
}

/// Locks accounts and adds to their cached balances, both in the order of their ids, so that two postings of the
/// same accounts wait for each other instead of blocking each other.
///
/// # Errors
/// `LIMIT_REACHED` with the account whose balance would exceed [`MAX_SUM`]; an account does not exist; the database failed.
pub async fn bring_forward(tx: &Tx, changes: &BTreeMap<LedgerAccountId, i64>) -> Result<()> {
    let ids: Vec<LedgerAccountId> = changes.keys().copied().collect();
    lock(tx, &ids).await?;
    let changes: Vec<(LedgerAccountId, i64)> =
        changes.iter().map(|(id, change)| (*id, *change)).collect();
    for chunk in changes.chunks(CHUNK) {
        if chunk.iter().any(|(_, change)| !bounded(*change)) {
            return Err(beyond_the_bound(tx, chunk).await?);
        }
        let mut values: Vec<Value> = chunk
            .iter()
            .flat_map(|(id, change)| [id.uuid().into(), (*change).into()])
            .collect();
        values.push(tx.now().into());
        let sql = format!(
            "UPDATE ledger_account SET balance_minor = balance_minor + change.column2, updated_at = ${last} \
             FROM (VALUES {rows}) AS change WHERE ledger_account.id = change.column1 \
             AND balance_minor + change.column2 BETWEEN -{MAX_SUM} AND {MAX_SUM}",
            rows = sql::rows(chunk.len(), 2),
            last = values.len(),
        );
        let done = tx
            .execute_raw(Statement::from_sql_and_values(tx.backend(), sql, values))
            .await?;
        if done.rows_affected() != sql::count(chunk.len()) {
            return Err(beyond_the_bound(tx, chunk).await?);
        }
    }
    Ok(())
}

const fn bounded(sum: i64) -> bool {
    sum.unsigned_abs() <= MAX_SUM.unsigned_abs()
}

/// Which account cannot take its change, and why.
async fn beyond_the_bound(tx: &Tx, changes: &[(LedgerAccountId, i64)]) -> Result<Error> {
    let by_id: HashMap<LedgerAccountId, i64> = changes.iter().copied().collect();
    let accounts = ledger_account::Entity::find()
        .filter(any_of(
            tx,
            ledger_account::Column::Id,
            by_id.keys().copied(),
        ))
        .order_by_asc(ledger_account::Column::Id)
        .all(tx)
        .await?;
    for account in accounts {
        let change = by_id.get(&account.id).copied().unwrap_or_default();
        let after = i128::from(account.balance_minor) + i128::from(change);
        if after.unsigned_abs() <= u128::from(MAX_SUM.unsigned_abs()) {
            continue;
        }
        let owner = match account.partner_id {
            None => "the vendor".to_owned(),
            Some(id) => {
                let partner = partner::Entity::find_by_id(id).one(tx).await?;
                partner.map_or_else(|| id.to_string(), |partner| partner.display_name)
            }
        };
        let (kind, currency) = (account.kind.to_value(), account.currency);
        let (has, limit) = (
            currency.decimal(account.kind.shown(account.balance_minor)),
            currency.decimal(MAX_SUM),
        );
        return Ok(Refusal::new(
            Code::LimitReached,
            format!(
                "The ledger account {kind} of {owner} holds {has} {currency} and cannot exceed {limit} {currency}."
            ),
        )
        .into());
    }
    Ok(Error::internal("an account of a posting does not exist"))
}

/// SQLite has one writer, which holds every lock already. The lock leaves foreign keys of other postings alone.
async fn lock(tx: &Tx, ids: &[LedgerAccountId]) -> Result<()> {
    if tx.backend() != DbBackend::Postgres {
        return Ok(());
    }
    for chunk in ids.chunks(CHUNK) {
        ledger_account::Entity::find()
            .select_only()
            .column(ledger_account::Column::Id)
            .filter(any_of(
                tx,
                ledger_account::Column::Id,
                chunk.iter().copied(),
            ))
            .order_by_asc(ledger_account::Column::Id)
            .lock(LockType::NoKeyUpdate)
            .into_tuple::<LedgerAccountId>()
            .all(tx)
            .await?;
    }
    Ok(())
}
