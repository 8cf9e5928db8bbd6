//! From credit to commission: the lines of won deals and of refunds, with their ledger entries.

use crate::{
    attribution::attribute::Attributed,
    entity::{deal, deal_refund},
    error::{Error, Result},
    tx::Tx,
};

/// Books the commission of attributed deals under the plans in force when each was won: commission lines and
/// ledger entries in the same transaction, in bulk. What is booked already stays as it is. Returns the number of lines.
///
/// # Errors
/// The database failed; an amount exceeds the bounds of money.
pub async fn won(_tx: &Tx, _deals: &[Attributed]) -> Result<u64> {
    Err(Error::internal("not built yet"))
}

/// Takes commission back after a refund inside the plan's window: negative lines and ledger entries. `deal`
/// carries `refunded_minor` with this refund included. Returns the number of lines.
///
/// # Errors
/// The database failed.
pub async fn refunded(_tx: &Tx, _deal: &deal::Model, _refund: &deal_refund::Model) -> Result<u64> {
    Err(Error::internal("not built yet"))
}
