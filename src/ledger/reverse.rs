//! Undoing a transaction as a whole: what was posted stays, its opposite is posted beside it.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{Posting, post, rules};
use crate::{
    entity::{
        ids::{LedgerAccountId, LedgerTransactionId},
        ledger_account, ledger_entry,
        ledger_transaction::{self, LedgerTransactionKind},
    },
    error::{Code, Error, Refusal, Result},
    events::Event,
    platform::{ids::TypedId, money::Currency},
    tx::Tx,
};

/// Posts the opposite of every entry of a transaction, effective now. A transaction is reversed at most once, and a
/// reversal not at all: what was reversed by mistake is posted anew by its own use case.
///
/// Records [`Event::LedgerReversed`].
///
/// # Errors
/// `REASON_REQUIRED` for a blank reason, `NOT_FOUND` for an unknown transaction, `ILLEGAL_TRANSITION` when it was
/// reversed before or is a reversal.
pub async fn reverse(
    tx: &Tx,
    transaction_id: LedgerTransactionId,
    reason: &str,
) -> Result<LedgerTransactionId> {
    if reason.trim().is_empty() {
        return Err(
            Refusal::new(Code::ReasonRequired, "Say why the transaction is reversed.")
                .at("reason")
                .into(),
        );
    }
    let original = ledger_transaction::Entity::find_by_id(transaction_id)
        .lock_exclusive()
        .one(tx)
        .await?;
    let original = original.ok_or_else(|| Error::not_found("id"))?;
    let reversals = ledger_transaction::Entity::find()
        .filter(ledger_transaction::Column::ReversesId.eq(transaction_id));
    if original.reverses_id.is_some() || reversals.one(tx).await?.is_some() {
        return Err(Refusal::new(
            Code::IllegalTransition,
            "The transaction was reversed, or is a reversal.",
        )
        .into());
    }
    let (currency, postings) = postings(tx, transaction_id).await?;
    let reversal = post::NewTransaction {
        kind: LedgerTransactionKind::Reversal,
        key: format!("transaction:{}:reversal", transaction_id.uuid()),
        subject_type: LedgerTransactionId::PREFIX,
        subject_id: transaction_id.uuid(),
        effective_at: tx.now(),
        currency,
        postings: rules::reversed(&postings),
    };
    let ids = post::record(tx, vec![reversal], Some(transaction_id)).await?;
    tx.record(Event::LedgerReversed {
        transaction_id,
        reason: reason.trim().to_owned(),
    });
    ids.first()
        .copied()
        .ok_or_else(|| Error::internal("the reversal was not posted"))
}

/// The entries of a transaction as they were posted.
async fn postings(
    tx: &Tx,
    transaction_id: LedgerTransactionId,
) -> Result<(Currency, Vec<Posting>)> {
    let of_transaction = ledger_entry::Column::TransactionId.eq(transaction_id);
    let entries = ledger_entry::Entity::find()
        .filter(of_transaction)
        .all(tx)
        .await?;
    let ids = entries.iter().map(|entry| entry.account_id);
    let accounts = ledger_account::Entity::find()
        .filter(ledger_account::Column::Id.is_in(ids))
        .all(tx)
        .await?;
    let accounts: HashMap<LedgerAccountId, ledger_account::Model> =
        accounts.into_iter().map(|row| (row.id, row)).collect();
    let mut postings = Vec::with_capacity(entries.len());
    for entry in &entries {
        let account = accounts
            .get(&entry.account_id)
            .ok_or_else(|| Error::internal("an entry has no account"))?;
        let owner = account.partner_id.map(TypedId::uuid);
        postings.push(Posting {
            account: account.kind,
            owner,
            amount_minor: entry.amount_minor,
        });
    }
    let currency = entries.first().map(|entry| entry.currency);
    Ok((
        currency.ok_or_else(|| Error::internal("a transaction has no entries"))?,
        postings,
    ))
}
