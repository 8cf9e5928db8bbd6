//! Holdbacks whose time has come become available.

use super::store;
use crate::{error::Result, ledger::release, tx::Tx};

/// How many chunks one turn takes on; the rest waits for the next turn.
const CHUNKS: usize = 20;

/// Moves holdbacks that reached their date from held to accrued, each exactly once: the ledger knows each line's
/// release. Those that a payout took with it were released then.
///
/// # Errors
/// The database failed.
pub async fn due(tx: &Tx) -> Result<()> {
    for _ in 0..CHUNKS {
        let lines = store::held_past_date(tx).await?;
        if lines.is_empty() {
            break;
        }
        release::release(tx, &lines).await?;
    }
    Ok(())
}
