//! A new password for somebody who lost the old one.
//!
//! Everybody who asks gets the same answer, byte for byte. The work differs in one thing: for an active user a ticket, an
//! audit row and a job more are written in the transaction. To tell that from what an answer takes anyway, somebody must
//! ask many times; but an address shows it three times in 15 minutes and then costs what an unknown one does, a network
//! is heard a hundred times in these minutes, and whoever is active gets a mail each time. So it is no quiet way to try a
//! list of addresses.

use chrono::TimeDelta;

use super::{
    email::Email,
    invite::hand_out,
    login, sessions,
    status::SessionEnd,
    store,
    throttle::{self, Key, RESET_LIMIT},
    tokens::Ticket,
};
use crate::{
    entity::{ids::UserId, user::UserStatus, user_token::TokenPurpose},
    error::{Error, Faults, Result},
    events::Event,
    platform::auth::{opaque::OpaqueTokens, password},
    tx::Tx,
};

/// How long a link for a new password is good.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(30);

/// Somebody asks for a new password. Only an active user gets a ticket, and three at most in 15 minutes;
/// the answer is the same for everybody. Records `user.password_reset_requested`.
///
/// # Errors
/// `THROTTLED` after a hundred requests from the network address in 15 minutes.
pub async fn request(tx: &Tx, tokens: &OpaqueTokens, email: &str, address: &str) -> Result<()> {
    let key = Key::reset(email, address);
    store::serialise_attempts(tx, &key).await?;
    login::admit_address(tx, &key, tx.now()).await?;
    let recent = store::attempts_on_account(tx, &key.account, RESET_LIMIT, tx.now()).await?;
    let flooded = throttle::wait(&recent, RESET_LIMIT, tx.now()).is_some();
    store::insert_attempt(tx, &key).await?;
    let user = match email.parse::<Email>() {
        Ok(email) => store::user_by_email(tx, email.as_str()).await?,
        Err(_) => None,
    };
    if let Some(user) = user
        && user.status == UserStatus::Active
        && !flooded
    {
        let purpose = TokenPurpose::PasswordReset;
        let token_id = hand_out(tx, tokens, user.id, purpose, LIFETIME).await?;
        tx.record(Event::PasswordResetRequested {
            user_id: user.id,
            token_id,
        });
    }
    Ok(())
}

/// Checks what can be checked before the password is hashed, all faults at once.
///
/// # Errors
/// `INVALID_TOKEN` for a forged token, `BAD_USER_INPUT` for the password.
pub fn check(tokens: &OpaqueTokens, token: &str, password: &str) -> Result<Ticket> {
    let ticket = Ticket::read(tokens, TokenPurpose::PasswordReset, token)?;
    let mut faults = Faults::default();
    faults.take("password", password::check_rule(password));
    faults.check().map(|()| ticket)
}

/// Sets the new password: every session and every other link ends, and wrong passwords are forgotten.
/// Records `user.password_changed` and `session.ended` for each session.
///
/// # Errors
/// `INVALID_TOKEN` when the link was used, is past its time, or the user was deactivated meanwhile.
pub async fn reset(tx: &Tx, ticket: &Ticket, password_hash: &str) -> Result<UserId> {
    let user_id = store::redeem(tx, ticket)
        .await?
        .ok_or_else(Ticket::not_good)?;
    if !store::set_password(tx, user_id, UserStatus::Active, password_hash, None).await? {
        return Err(Ticket::not_good().into());
    }
    store::spend_tickets(tx, user_id, [TokenPurpose::PasswordReset]).await?;
    sessions::end_all(tx, user_id, SessionEnd::PasswordReset).await?;
    let user = store::user(tx, user_id).await?;
    let user = user.ok_or_else(|| Error::internal("a user vanished"))?;
    store::clear_attempts(tx, &throttle::sign_in_account(&user.email)).await?;
    tx.record(Event::PasswordChanged { user_id });
    Ok(user_id)
}
