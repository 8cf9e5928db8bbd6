//! Mails about a person's own sign-in.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::links;
use crate::{
    entity::{
        ids::UserTokenId,
        user_token::{self, TokenPurpose},
    },
    error::Result,
    events::Event,
    mails,
    notifications::mail::{Concerned, Mail, Mails, View, moment},
    tx::Tx,
};

/// The mails.
pub struct IdentityMails;

#[async_trait]
impl Mails for IdentityMails {
    fn mails(&self) -> &'static [Mail] {
        mails! {
            "invitation" on "user.invited" to [Invited] in ["en", "de"];
            "password_reset" on "user.password_reset_requested" to [Person] in ["en", "de"];
            "password_changed" on "user.password_changed" to [Person] in ["en", "de"];
        }
    }

    async fn concerned(&self, _: &Tx, event: &Event) -> Result<Option<Concerned>> {
        Ok(match event {
            Event::UserInvited { user_id, .. }
            | Event::PasswordResetRequested { user_id, .. }
            | Event::PasswordChanged { user_id } => Some(Concerned::person(*user_id)),
            _ => None,
        })
    }

    async fn facts(&self, view: &View<'_>, event: &Event) -> Result<Option<Value>> {
        match event {
            Event::UserInvited { token_id, .. }
            | Event::PasswordResetRequested { token_id, .. } => link(view, *token_id).await,
            Event::PasswordChanged { .. } => Ok(Some(json!({ "url": view.home() }))),
            _ => Ok(None),
        }
    }
}

/// The link of an invitation or a password reset: made anew from the row of its token.
async fn link(view: &View<'_>, id: UserTokenId) -> Result<Option<Value>> {
    let Some(row) = live_token(view.db, id, view.app.clock().now()).await? else {
        return Ok(None);
    };
    let url = match row.purpose {
        TokenPurpose::Invitation => links::invitation(view.app, id, &row.token_hash),
        TokenPurpose::PasswordReset => links::password_reset(view.app, id, &row.token_hash),
    };
    let Some(url) = url else { return Ok(None) };
    let partner = match view.own {
        Some(own) => view.partner(own).await?,
        None => Value::Null,
    };
    let expires = moment(row.expires_at, Tz::UTC);
    Ok(Some(
        json!({ "url": url.expose_secret(), "expires": expires, "partner": partner }),
    ))
}

/// The token of an invitation or a password reset, as long as it can be used at this instant.
///
/// # Errors
/// The database failed.
async fn live_token(
    db: &impl ConnectionTrait,
    id: UserTokenId,
    now: DateTime<Utc>,
) -> Result<Option<user_token::Model>> {
    Ok(user_token::Entity::find_by_id(id)
        .filter(user_token::Column::UsedAt.is_null())
        .filter(user_token::Column::ExpiresAt.gt(now))
        .one(db)
        .await?)
}
