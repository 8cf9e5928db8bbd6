//! The links that mails carry. A mail job knows only the token's row; the link is written anew each time and
//! kept nowhere.

use secrecy::{ExposeSecret, SecretString};

use super::tokens::kind;
use crate::{
    app::App,
    entity::{ids::UserTokenId, user_token::TokenPurpose},
    platform::ids::TypedId,
};

/// Where an invited person chooses a password: `{public_url}/invitation?token=…`. `stored_hash` is the one in
/// the token's row; nothing when the secret that made it is gone.
#[must_use]
pub fn invitation(app: &App, id: UserTokenId, stored_hash: &str) -> Option<SecretString> {
    link(app, TokenPurpose::Invitation, "invitation", id, stored_hash)
}

/// Where somebody chooses a new password: `{public_url}/password-reset?token=…`, as [`invitation`].
#[must_use]
pub fn password_reset(app: &App, id: UserTokenId, stored_hash: &str) -> Option<SecretString> {
    link(
        app,
        TokenPurpose::PasswordReset,
        "password-reset",
        id,
        stored_hash,
    )
}

fn link(
    app: &App,
    purpose: TokenPurpose,
    page: &str,
    id: UserTokenId,
    stored_hash: &str,
) -> Option<SecretString> {
    let token = app
        .tokens()
        .recover(kind(purpose), id.uuid(), stored_hash)?;
    let (site, token) = (&app.site().public_url, token.expose_secret());
    Some(format!("{site}/{page}?token={token}").into())
}
