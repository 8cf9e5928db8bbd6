//! A deal is won, and its partners earn.

use crate::{
    access::Held,
    attribution::{attribute, confirm},
    deals::close::{self, Win, Won},
    entity::deal,
    error::Result,
    incentives::accrue,
    tx::Tx,
};

/// Wins a deal: touchpoints after its close wait for approval, credit is computed by the model that pays, and commission
/// is booked in the ledger.
///
/// # Errors
/// As [`close::win`].
pub async fn win(tx: &Tx, command: Win) -> Result<Held<deal::Entity>> {
    let Won { deal, zone } = close::win(tx, command).await?;
    confirm::after_close(tx, &deal, zone).await?;
    let attributed = attribute::won(tx, std::slice::from_ref(&*deal)).await?;
    accrue::won(tx, &attributed).await?;
    Ok(deal)
}
