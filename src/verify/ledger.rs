//! Every transaction says what was posted: its hash is computed again from its own columns, its entries and their accounts.

use std::collections::HashMap;

use sea_orm::ColumnTrait;
use sea_orm::{
    ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Statement,
};
use uuid::Uuid;

use super::Finding;
use crate::{
    entity::{ids::LedgerTransactionId, ledger_account::LedgerAccountKind, ledger_transaction},
    error::Result,
    ledger::{Posting, content::Content},
    platform::{ids::TypedId, money::Currency},
};

/// Transactions read at once.
const CHUNK: u64 = 2_000;

#[derive(FromQueryResult)]
struct Entry {
    transaction_id: Uuid,
    currency: Currency,
    amount_minor: i64,
    kind: LedgerAccountKind,
    partner_id: Option<Uuid>,
}

/// What is promised.
pub(super) const PROMISE: &str = "every transaction says what was posted: kind, key, subject, dates, period, accounts and amounts";

pub(super) async fn contents<C: ConnectionTrait>(db: &C) -> Result<Finding> {
    let mut finding = Finding::new(PROMISE, 0);
    let mut after = Uuid::nil();
    loop {
        let chunk = ledger_transaction::Entity::find()
            .filter(ledger_transaction::Column::Id.gt(LedgerTransactionId(after)))
            .order_by_asc(ledger_transaction::Column::Id)
            .limit(CHUNK)
            .all(db)
            .await?;
        let Some(last) = chunk.last().map(|row| row.id.uuid()) else {
            return Ok(finding);
        };
        let mut entries = entries(db, after, last).await?;
        for row in &chunk {
            finding.rows += 1;
            let entries = entries.remove(&row.id.uuid()).unwrap_or_default();
            if !is_as_posted(row, &entries) {
                finding.name(format!("{} {}", row.id, row.transaction_key));
            }
        }
        after = last;
    }
}

async fn entries<C: ConnectionTrait>(
    db: &C,
    after: Uuid,
    last: Uuid,
) -> Result<HashMap<Uuid, Vec<Entry>>> {
    let sql = "SELECT e.transaction_id, e.currency, e.amount_minor, a.kind, a.partner_id FROM ledger_entry e \
         JOIN ledger_account a ON a.id = e.account_id WHERE e.transaction_id > $1 AND e.transaction_id <= $2";
    let rows =
        Statement::from_sql_and_values(db.get_database_backend(), sql, [after.into(), last.into()]);
    let mut by_transaction: HashMap<Uuid, Vec<Entry>> = HashMap::new();
    for entry in Entry::find_by_statement(rows).all(db).await? {
        by_transaction
            .entry(entry.transaction_id)
            .or_default()
            .push(entry);
    }
    Ok(by_transaction)
}

fn is_as_posted(row: &ledger_transaction::Model, entries: &[Entry]) -> bool {
    let Some(currency) = entries.first().map(|entry| entry.currency) else {
        return false;
    };
    let posting = |entry: &Entry| Posting {
        account: entry.kind,
        owner: entry.partner_id,
        amount_minor: entry.amount_minor,
    };
    let postings: Vec<Posting> = entries.iter().map(posting).collect();
    let content = Content {
        kind: row.kind,
        subject_type: &row.subject_type,
        subject_id: row.subject_id,
        effective_at: row.effective_at,
        currency,
        postings: &postings,
        key: &row.transaction_key,
        recorded_at: row.recorded_at,
        period: &row.period,
        reverses: row.reverses_id,
    };
    entries.iter().all(|entry| entry.currency == currency) && content.is(&row.input_hash)
}
