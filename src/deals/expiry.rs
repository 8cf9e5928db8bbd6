//! What time does to registrations and invitations.

use crate::{error::Result, tx::Tx};

/// Ends protections past their time, so that others may register.
///
/// # Errors
/// The database failed.
pub async fn expire(_tx: &Tx) -> Result<()> {
    Ok(())
}

/// Reminds partners of protections that end soon, once per step.
///
/// # Errors
/// The database failed.
pub async fn remind(_tx: &Tx) -> Result<()> {
    Ok(())
}

/// Lapses invitations that nobody answered in time.
///
/// # Errors
/// The database failed.
pub async fn lapse_invitations(_tx: &Tx) -> Result<()> {
    Ok(())
}
