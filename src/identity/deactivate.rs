//! Taking the right to sign in from somebody.

use sea_orm::Iterable;

use super::{sessions, status::SessionEnd, store};
use crate::{
    access::Action,
    entity::{ids::UserId, user::UserStatus, user_token::TokenPurpose},
    error::{Code, Error, Refusal, Result},
    events::Event,
    tx::Tx,
};

/// Whom to shut out.
#[derive(Clone, Copy, Debug)]
pub struct Deactivate {
    /// The user.
    pub user_id: UserId,
    /// The version the caller read.
    pub expected_version: i64,
}

/// Deactivates a user for good: the sessions end at once, open links are worthless. Records
/// `user.deactivated`, and `session.ended` for each session.
///
/// # Errors
/// `FORBIDDEN` for everybody but administrators, `NOT_FOUND`, `SAME_PERSON` for oneself (so that one
/// administrator always remains), `ILLEGAL_TRANSITION` when it was done before, `STALE_OBJECT`.
pub async fn deactivate(tx: &Tx, command: Deactivate) -> Result<UserId> {
    tx.actor().may(Action::UserManage)?;
    let Deactivate {
        user_id,
        expected_version,
    } = command;
    let user = store::user(tx, user_id)
        .await?
        .ok_or_else(|| Error::not_found("userId"))?;
    if tx.actor().user_id() == Some(user_id) {
        let refusal = Refusal::new(Code::SamePerson, "Somebody else has to deactivate you.");
        return Err(refusal.at("userId").into());
    }
    if user.status == UserStatus::Deactivated {
        let refusal = Refusal::new(Code::IllegalTransition, "The user is deactivated already.");
        return Err(refusal.at("userId").into());
    }
    if !store::deactivate(tx, user_id, expected_version).await? {
        return Err(Error::stale());
    }
    store::spend_tickets(tx, user_id, TokenPurpose::iter()).await?;
    sessions::end_all(tx, user_id, SessionEnd::UserDeactivated).await?;
    tx.record(Event::UserDeactivated { user_id });
    Ok(user_id)
}
