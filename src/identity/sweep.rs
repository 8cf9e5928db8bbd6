//! Forgetting what has run out.

use chrono::TimeDelta;

use super::store;
use crate::{error::Result, tx::Tx};

/// How long a counted attempt is kept; it counts for fifteen minutes.
const ATTEMPTS_KEPT: TimeDelta = TimeDelta::days(1);
/// How long used and expired links and sessions are kept, for questions.
const KEPT: TimeDelta = TimeDelta::days(30);

/// Removes attempts older than a day, links used or expired 30 days ago, and sessions that expired 30 days
/// ago with their refresh tokens.
///
/// # Errors
/// The database failed.
pub async fn sweep(tx: &Tx) -> Result<()> {
    store::delete_attempts(tx, tx.now() - ATTEMPTS_KEPT).await?;
    store::delete_tickets(tx, tx.now() - KEPT).await?;
    store::delete_sessions(tx, tx.now() - KEPT).await
}
