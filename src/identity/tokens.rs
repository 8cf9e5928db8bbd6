//! The tokens that people carry: access and refresh tokens of a session, and the single-use tickets of
//! invitations and password resets. None of them is stored; each is derived anew from the id of its row.

use chrono::{DateTime, SubsecRound, Utc};
use secrecy::SecretString;

use crate::{
    app::App,
    entity::{
        ids::{RefreshTokenId, SessionId, UserId, UserTokenId},
        user_token::TokenPurpose,
    },
    error::{Code, Error, Refusal, Result},
    platform::{
        auth::opaque::{self, OpaqueTokens, Purpose},
        ids::TypedId,
    },
};

/// Refresh tokens.
pub const REFRESH: Purpose = Purpose::new("ens_rt_");
const INVITATION: Purpose = Purpose::new("ens_in_");
const PASSWORD_RESET: Purpose = Purpose::new("ens_pr_");

/// The kind of token behind a ticket.
#[must_use]
pub const fn kind(purpose: TokenPurpose) -> Purpose {
    match purpose {
        TokenPurpose::Invitation => INVITATION,
        TokenPurpose::PasswordReset => PASSWORD_RESET,
    }
}

/// A session as a sign-in or a refresh left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whose it is.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
    /// The refresh token that continues it.
    pub refresh_id: RefreshTokenId,
    /// The hash that its row keeps.
    pub refresh_hash: String,
}

/// What a signed-in client carries.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Sent with every request.
    pub access: SecretString,
    /// Exchanged, once, for the next pair.
    pub refresh: SecretString,
    /// When the access token ends.
    pub expires_at: DateTime<Utc>,
}

/// Writes out the tokens of a session.
///
/// # Errors
/// `INTERNAL` when the secret changed twice since the refresh token was made, or signing failed.
pub fn issue(app: &App, opened: &Opened) -> Result<Tokens> {
    let refresh = app
        .tokens()
        .recover(REFRESH, opened.refresh_id.uuid(), &opened.refresh_hash)
        .ok_or_else(|| Error::internal("a refresh token cannot be derived any more"))?;
    let (access, until) = app
        .keys()
        .sign(
            opened.user_id.uuid(),
            opened.session_id.uuid(),
            app.clock().now(),
        )
        .map_err(|fault| Error::Internal(Box::new(fault)))?;
    // The token counts in whole seconds.
    Ok(Tokens {
        access: access.into(),
        refresh,
        expires_at: until.trunc_subsecs(0),
    })
}

/// A genuine invitation or reset, as presented; whether it is still good is for its row to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its row.
    pub id: UserTokenId,
    /// What it is for.
    pub purpose: TokenPurpose,
    /// The hash that the row must hold.
    pub hash: String,
}

impl Ticket {
    /// Reads a presented token.
    ///
    /// # Errors
    /// `INVALID_TOKEN` at `token` for anything that was not made here.
    pub fn read(tokens: &OpaqueTokens, purpose: TokenPurpose, text: &str) -> Result<Self, Refusal> {
        let id = tokens
            .open(kind(purpose), text)
            .ok_or_else(Self::not_good)?;
        Ok(Self {
            id: UserTokenId::of(id),
            purpose,
            hash: opaque::hash(text),
        })
    }

    /// The one refusal for tickets that are forged, used or past their time.
    #[must_use]
    pub fn not_good() -> Refusal {
        Refusal::new(
            Code::InvalidToken,
            "The link is unknown, used or expired; ask for a new one.",
        )
        .at("token")
    }
}
