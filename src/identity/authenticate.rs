//! Who a request comes from. The access token names user and session and nothing else; what the user is and
//! may do is read from the database each time, so a change of role or a deactivation holds at once.

use chrono::{DateTime, Utc};

use super::store;
use crate::{
    access::{Actor, SignedIn},
    app::App,
    entity::{
        ids::{SessionId, UserId},
        user,
    },
    error::Error,
    platform::{auth::token::TokenFault, ids::TypedId},
};

/// Why a bearer token lets nobody in. The bearer is told only that he must sign in, or wait.
#[derive(Debug, thiserror::Error)]
pub enum AuthFault {
    /// The token is expired, forged or not one of ours.
    #[error("the access token is not accepted: {0}")]
    Token(#[from] TokenFault),
    /// The session was ended or is past its time, or its user was deactivated.
    #[error("the session is over")]
    Over,
    /// It cannot be found out at present.
    #[error("the session cannot be read")]
    Unavailable(#[source] Error),
}

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// Who it is.
    pub actor: Actor,
    /// When the access token ends; long-lived connections end with it.
    pub until: DateTime<Utc>,
    /// The user, as read at this moment.
    pub user: user::Model,
}

/// Who carries this access token.
///
/// # Errors
/// See [`AuthFault`].
pub async fn authenticate(app: &App, bearer: &str) -> Result<Actor, AuthFault> {
    admit(app, bearer).await.map(|admitted| admitted.actor)
}

/// The same, with the end of the token.
///
/// # Errors
/// See [`AuthFault`].
pub async fn admit(app: &App, bearer: &str) -> Result<Admitted, AuthFault> {
    let now = app.clock().now();
    let claims = app.keys().verify(bearer, now)?;
    let session_id = SessionId::of(claims.sid);
    let standing = store::standing(&app.db().reading(), session_id)
        .await
        .map_err(AuthFault::Unavailable)?
        .filter(|standing| standing.lets_in(now) && standing.user.id == UserId::of(claims.sub))
        .ok_or(AuthFault::Over)?;
    let actor = Actor::User(SignedIn {
        user_id: standing.user.id,
        role: standing.user.role,
        partner_id: standing.user.partner_id,
        session_id,
    });
    let until = DateTime::from_timestamp(claims.exp, 0).ok_or(AuthFault::Over)?;
    Ok(Admitted {
        actor,
        until,
        user: standing.user,
    })
}
