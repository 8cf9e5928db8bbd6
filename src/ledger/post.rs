//! Posting: balanced transactions, each once, with their accounts' balances.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{
    Posting, accounts,
    content::{self, Content},
    rules,
};
use crate::{
    entity::{
        ids::{LedgerAccountId, LedgerTransactionId, PartnerId},
        ledger_entry,
        ledger_transaction::{self, LedgerTransactionKind},
    },
    error::{Error, Result},
    platform::{
        ids::TypedId,
        money::{Currency, MAX_SUM},
        sql,
    },
    tx::{CHUNK, Tx},
};

/// A transaction to be posted, in one currency.
#[derive(Clone, Debug)]
pub struct NewTransaction {
    /// What happened.
    pub kind: LedgerTransactionKind,
    /// Posted once under this text, for ever: `deal:<id>:commission`.
    pub key: String,
    /// The type prefix of the subject: `deal`, `payout`.
    pub subject_type: &'static str,
    /// The object it is about.
    pub subject_id: Uuid,
    /// When it happened in the business.
    pub effective_at: DateTime<Utc>,
    /// The currency of every posting.
    pub currency: Currency,
    /// Debits (positive) and credits (negative); they sum to zero. Zero amounts are left out.
    pub postings: Vec<Posting>,
}

/// Posts transactions in bulk and brings the cached balances forward in account order. A key that was posted
/// before with the same content is left alone and yields the stored id; with other content it is a fault. The ids
/// come in the order of the transactions.
///
/// # Errors
/// Postings that do not balance or exceed the bounds of money, a key used with other content, the database.
pub async fn post(tx: &Tx, transactions: Vec<NewTransaction>) -> Result<Vec<LedgerTransactionId>> {
    record(tx, transactions, None).await
}

/// The same for transactions that undo `reverses`.
pub(super) async fn record(
    tx: &Tx,
    transactions: Vec<NewTransaction>,
    reverses: Option<LedgerTransactionId>,
) -> Result<Vec<LedgerTransactionId>> {
    let mut drafts = Vec::with_capacity(transactions.len());
    for transaction in transactions {
        drafts.push(Draft::check(tx, transaction, reverses)?);
    }
    let ids = insert_headers(tx, &drafts).await?;
    let fresh: Vec<&Draft> = drafts
        .iter()
        .zip(&ids)
        .filter(|(draft, id)| draft.id == **id)
        .map(|(draft, _)| draft)
        .collect();
    insert_entries(tx, &fresh).await?;
    Ok(ids)
}

/// A transaction that may be recorded, with the id it gets if its key is new.
struct Draft {
    id: LedgerTransactionId,
    period: String,
    reverses: Option<LedgerTransactionId>,
    new: NewTransaction,
}

impl Draft {
    fn check(
        tx: &Tx,
        mut new: NewTransaction,
        reverses: Option<LedgerTransactionId>,
    ) -> Result<Self> {
        new.postings.retain(|posting| posting.amount_minor != 0);
        let bounded =
            |posting: &Posting| posting.amount_minor.unsigned_abs() <= MAX_SUM.unsigned_abs();
        if !rules::balanced(&new.postings) || !new.postings.iter().all(bounded) {
            return Err(Error::internal(format!(
                "the postings of {} do not balance within bounds",
                new.key
            )));
        }
        Ok(Self {
            id: tx.id(),
            period: content::period(new.effective_at),
            reverses,
            new,
        })
    }

    /// What it says, had it been recorded at this instant.
    fn content(&self, recorded_at: DateTime<Utc>) -> Content<'_> {
        Content {
            kind: self.new.kind,
            subject_type: self.new.subject_type,
            subject_id: self.new.subject_id,
            effective_at: self.new.effective_at,
            currency: self.new.currency,
            postings: &self.new.postings,
            key: &self.new.key,
            recorded_at,
            period: &self.period,
            reverses: self.reverses,
        }
    }

    fn row(&self, tx: &Tx) -> ledger_transaction::ActiveModel {
        ledger_transaction::ActiveModel {
            id: Set(self.id),
            kind: Set(self.new.kind),
            transaction_key: Set(self.new.key.clone()),
            input_hash: Set(self.content(tx.now()).hash()),
            subject_type: Set(self.new.subject_type.to_owned()),
            subject_id: Set(self.new.subject_id),
            effective_at: Set(self.new.effective_at),
            recorded_at: Set(tx.now()),
            period: Set(self.period.clone()),
            reverses_id: Set(self.reverses),
        }
    }

    fn entries(&self) -> impl Iterator<Item = (accounts::Key, i64)> {
        let key = |posting: &Posting| {
            (
                posting.account,
                posting.owner.map(PartnerId::of),
                self.new.currency,
            )
        };
        self.new
            .postings
            .iter()
            .map(move |posting| (key(posting), posting.amount_minor))
    }
}

/// Writes the transactions whose keys are new; returns the id stored under each key.
async fn insert_headers(tx: &Tx, drafts: &[Draft]) -> Result<Vec<LedgerTransactionId>> {
    let rows = drafts.iter().map(|draft| draft.row(tx));
    if tx.insert_all_new(rows).await? == sql::count(drafts.len()) {
        return Ok(drafts.iter().map(|draft| draft.id).collect());
    }
    let mut ids = Vec::with_capacity(drafts.len());
    for chunk in drafts.chunks(CHUNK) {
        let stored = stored(tx, chunk).await?;
        for draft in chunk {
            match stored.get(&draft.new.key) {
                Some(stored) if draft.content(stored.recorded_at).is(&stored.hash) => {
                    ids.push(stored.id);
                }
                _ => {
                    return Err(Error::internal(format!(
                        "the ledger holds other content under {}",
                        draft.new.key
                    )));
                }
            }
        }
    }
    Ok(ids)
}

/// A transaction that is posted, as far as a second posting has to know it.
struct Stored {
    id: LedgerTransactionId,
    hash: String,
    recorded_at: DateTime<Utc>,
}

async fn stored(tx: &Tx, drafts: &[Draft]) -> Result<HashMap<String, Stored>> {
    use ledger_transaction::Column;
    type Row = (String, LedgerTransactionId, String, DateTime<Utc>);
    let rows: Vec<Row> = ledger_transaction::Entity::find()
        .select_only()
        .columns([
            Column::TransactionKey,
            Column::Id,
            Column::InputHash,
            Column::RecordedAt,
        ])
        .filter(Column::TransactionKey.is_in(drafts.iter().map(|draft| draft.new.key.as_str())))
        .into_tuple()
        .all(tx)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(key, id, hash, recorded_at)| {
            let stored = Stored {
                id,
                hash,
                recorded_at,
            };
            (key, stored)
        })
        .collect())
}

async fn insert_entries(tx: &Tx, drafts: &[&Draft]) -> Result<()> {
    // A key that comes twice in one call yields the same id twice, but its entries only once.
    let mut seen = BTreeSet::new();
    let drafts: Vec<&&Draft> = drafts
        .iter()
        .filter(|draft| seen.insert(draft.id))
        .collect();
    let keys: BTreeSet<accounts::Key> = drafts
        .iter()
        .flat_map(|draft| draft.entries().map(|(key, _)| key))
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let accounts = accounts::find_or_open(tx, &keys).await?;
    let mut rows = Vec::new();
    let mut changes: BTreeMap<LedgerAccountId, i64> = BTreeMap::new();
    for draft in drafts {
        for (key, amount) in draft.entries() {
            let account = *accounts
                .get(&key)
                .ok_or_else(|| Error::internal("an account was not opened"))?;
            let change = changes.entry(account).or_default();
            // Beyond 64 bits it is beyond what an account can hold, too, and refused as that.
            *change = change.saturating_add(amount);
            rows.push(ledger_entry::ActiveModel {
                id: Set(tx.id()),
                transaction_id: Set(draft.id),
                account_id: Set(account),
                currency: Set(draft.new.currency),
                amount_minor: Set(amount),
            });
        }
    }
    // Before the entries: their foreign keys share-lock the accounts in the order in which they come.
    accounts::bring_forward(tx, &changes).await?;
    tx.insert_all(rows).await
}
