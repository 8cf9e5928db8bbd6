//! Signing out.

use super::{sessions, status::SessionEnd};
use crate::{
    access::Actor,
    error::{Error, Result},
    tx::Tx,
};

/// Ends the session with which the caller signed in, or all of the caller's sessions. Records
/// `session.ended`; a session that has ended already stays so.
///
/// # Errors
/// `UNAUTHENTICATED` when nobody signed in.
pub async fn logout(tx: &Tx, everywhere: bool) -> Result<()> {
    tx.actor().person()?;
    let Actor::User(user) = tx.actor() else {
        return Err(Error::forbidden());
    };
    if everywhere {
        sessions::end_all(tx, user.user_id, SessionEnd::SignedOut).await
    } else {
        sessions::end(tx, user.user_id, user.session_id, SessionEnd::SignedOut).await
    }
}
