//! The links of invitations and password resets, written anew from the row of their token and kept nowhere.

use chrono::{DateTime, Utc};
use sea_orm::EntityTrait;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::App,
    entity::{ids::UserTokenId, user_token},
    error::Result,
    identity::TokenPurpose,
    platform::{auth::opaque::Purpose, ids::TypedId},
};

/// A link that somebody may still use.
#[derive(Clone, Debug)]
pub struct Link {
    /// The address with the token in it.
    pub url: SecretString,
    /// Until when it works.
    pub expires_at: DateTime<Utc>,
}

/// The link of a token; none when it was used, has run out, or cannot be made any more.
///
/// # Errors
/// The database failed.
pub async fn link(app: &App, id: UserTokenId) -> Result<Option<Link>> {
    let now = app.clock().now();
    let row = user_token::Entity::find_by_id(id)
        .one(app.db().reader())
        .await?;
    let Some(row) = row.filter(|row| row.used_at.is_none() && row.expires_at > now) else {
        return Ok(None);
    };
    let (kind, page) = match row.purpose {
        TokenPurpose::Invitation => (Purpose::new("ens_in_"), "invitation"),
        TokenPurpose::PasswordReset => (Purpose::new("ens_pr_"), "password-reset"),
    };
    let token = app.tokens().recover(kind, id.uuid(), &row.token_hash);
    Ok(token.map(|token| Link {
        url: format!(
            "{}/{page}?token={}",
            app.site().public_url,
            token.expose_secret()
        )
        .into(),
        expires_at: row.expires_at,
    }))
}
