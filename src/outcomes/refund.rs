//! Money goes back to a customer, and commission with it.

use crate::{
    access::Held,
    deals::refund::{self, Refund},
    entity::deal,
    error::Result,
    incentives::accrue,
    tx::Tx,
};

/// Notes a refund and takes back the commission that its plans take back.
///
/// # Errors
/// As [`refund::refund`].
pub async fn refund(tx: &Tx, command: Refund) -> Result<Held<deal::Entity>> {
    let (deal, row) = refund::refund(tx, command).await?;
    accrue::refunded(tx, &deal, &row).await?;
    Ok(deal)
}
