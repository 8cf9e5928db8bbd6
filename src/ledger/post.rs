//! Posting: balanced transactions, each once, with their accounts' balances.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Posting, TransactionKind};
use crate::{
    entity::ids::LedgerTransactionId,
    error::{Error, Result},
    platform::money::Currency,
    tx::Tx,
};

/// A transaction to be posted, in one currency.
#[derive(Clone, Debug)]
pub struct NewTransaction {
    /// What happened.
    pub kind: TransactionKind,
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
/// before with the same content is left alone and yields the stored id; with other content it is a fault.
///
/// # Errors
/// Postings that do not balance, a key used with other content, the database.
pub async fn post(_tx: &Tx, _transactions: Vec<NewTransaction>) -> Result<Vec<LedgerTransactionId>> {
    Err(Error::internal("not built yet"))
}
