//! Money goes back to a customer, and commission with it.

use crate::{
    deals::refund::{self, Refund},
    entity::ids::DealId,
    error::Result,
    incentives::accrue,
    tx::Tx,
};

/// Notes a refund and takes back the commission that its plans take back.
///
/// # Errors
/// As [`refund::refund`].
pub async fn refund(tx: &Tx, command: Refund) -> Result<DealId> {
    let (deal, row) = refund::refund(tx, command).await?;
    accrue::refunded(tx, &deal, &row).await?;
    Ok(deal.id)
}
