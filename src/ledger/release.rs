//! Holdbacks that reached their date: from held to accrued.

use super::{post, rules};
use crate::{
    entity::{accrual, ids::AccrualId, ledger_transaction::LedgerTransactionKind},
    error::{Error, Result},
    platform::ids::TypedId,
    tx::Tx,
};

/// Posts the release of these holdback lines, each once for ever, effective at the instant it became available.
/// The caller passes holdback lines whose time has come; those released before are left alone.
///
/// # Errors
/// The database failed.
pub async fn release(tx: &Tx, holdbacks: &[accrual::Model]) -> Result<()> {
    let mut transactions = Vec::with_capacity(holdbacks.len());
    for line in holdbacks {
        let postings = rules::holdback_released(line.partner_id.uuid(), line.amount_minor);
        transactions.push(post::NewTransaction {
            kind: LedgerTransactionKind::HoldbackRelease,
            key: format!("accrual:{}:release", line.id.uuid()),
            subject_type: AccrualId::PREFIX,
            subject_id: line.id.uuid(),
            effective_at: line.available_at,
            currency: line.currency,
            postings: postings.map_err(|error| Error::internal(error.to_string()))?,
        });
    }
    post::post(tx, transactions).await.map(|_| ())
}
