//! Accepting an invitation: the invited person chooses a password and is signed in.

use super::{
    person, sessions, store,
    tokens::{Opened, Ticket},
};
use crate::{
    entity::{user::UserStatus, user_token::TokenPurpose},
    error::{Faults, Result},
    events::Event,
    platform::auth::{opaque::OpaqueTokens, password},
    tx::Tx,
};

/// What an invited person hands in, checked except for the state of the ticket.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// The invitation.
    pub ticket: Ticket,
    /// The person's own spelling of the name; the one of the invitation stays when absent.
    pub name: Option<String>,
}

/// Checks what can be checked before the password is hashed, all faults at once.
///
/// # Errors
/// `INVALID_TOKEN` for a forged token, `BAD_USER_INPUT` for the password or the name.
pub fn check(
    tokens: &OpaqueTokens,
    token: &str,
    password: &str,
    name: Option<&str>,
) -> Result<Acceptance> {
    let mut faults = Faults::default();
    faults.take("password", password::check_rule(password));
    let name = name.map(|name| person::name(&mut faults, "name", name));
    match Ticket::read(tokens, TokenPurpose::Invitation, token) {
        Ok(ticket) => faults.check().map(|()| Acceptance { ticket, name }),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Makes an invited user active and begins a session. Records `user.activated` and `session.started`.
///
/// # Errors
/// `INVALID_TOKEN` when the invitation was used, is past its time, or the user was deactivated meanwhile.
pub async fn accept(
    tx: &Tx,
    tokens: &OpaqueTokens,
    acceptance: Acceptance,
    password_hash: &str,
    address: &str,
) -> Result<Opened> {
    let user_id = store::redeem(tx, &acceptance.ticket)
        .await?
        .ok_or_else(Ticket::not_good)?;
    let name = acceptance.name;
    if !store::set_password(tx, user_id, UserStatus::Invited, password_hash, name).await? {
        return Err(Ticket::not_good().into());
    }
    tx.record(Event::UserActivated { user_id });
    sessions::start(tx, tokens, user_id, address).await
}
