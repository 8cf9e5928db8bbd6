//! Sessions: what a sign-in begins, and how it ends before its time.
//!
//! A session lasts thirty days at most, whatever happens in it. Its refresh tokens form one family: each is
//! used once, and ending the session makes all of them, and every access token, worthless at once.

use chrono::TimeDelta;
use sea_orm::{ActiveEnum, ActiveValue::Set};
use secrecy::ExposeSecret;

use super::{
    status::SessionEnd,
    store, throttle,
    tokens::{Opened, REFRESH},
};
use crate::{
    entity::{
        ids::{RefreshTokenId, SessionId, UserId},
        refresh_token, session,
    },
    error::Result,
    events::Event,
    platform::{
        auth::opaque::{self, OpaqueTokens},
        ids::TypedId,
    },
    tx::Tx,
};

/// How long a session lasts from its sign-in.
pub const LIFETIME: TimeDelta = TimeDelta::days(30);

/// Begins a session from a network address. Records `session.started`.
///
/// # Errors
/// The database failed.
pub async fn start(
    tx: &Tx,
    tokens: &OpaqueTokens,
    user_id: UserId,
    address: &str,
) -> Result<Opened> {
    let session_id: SessionId = tx.id();
    let expires_at = tx.now() + LIFETIME;
    tx.insert(session::ActiveModel {
        id: Set(session_id),
        user_id: Set(user_id),
        created_at: Set(tx.now()),
        expires_at: Set(expires_at),
        revoked_at: Set(None),
        revoke_reason: Set(None),
        network_hash: Set(Some(throttle::network_name(address))),
    })
    .await?;
    let (refresh_id, refresh_hash) = new_refresh_token(tx, tokens);
    tx.insert(row(tx, refresh_id, session_id, &refresh_hash, expires_at))
        .await?;
    tx.record(Event::SessionStarted {
        user_id,
        session_id,
    });
    Ok(Opened {
        user_id,
        session_id,
        refresh_id,
        refresh_hash,
    })
}

/// The id and the hash of a refresh token to be written.
#[must_use]
pub fn new_refresh_token(tx: &Tx, tokens: &OpaqueTokens) -> (RefreshTokenId, String) {
    let id: RefreshTokenId = tx.id();
    let token = tokens.derive(REFRESH, id.uuid());
    (id, opaque::hash(token.expose_secret()))
}

/// The row of a refresh token, good as long as its session.
#[must_use]
pub fn row(
    tx: &Tx,
    id: RefreshTokenId,
    session_id: SessionId,
    hash: &str,
    expires_at: chrono::DateTime<chrono::Utc>,
) -> refresh_token::ActiveModel {
    refresh_token::ActiveModel {
        id: Set(id),
        session_id: Set(session_id),
        token_hash: Set(hash.to_owned()),
        created_at: Set(tx.now()),
        expires_at: Set(expires_at),
        used_at: Set(None),
        successor_id: Set(None),
    }
}

/// Ends one session, unless it has ended. Records `session.ended`.
///
/// # Errors
/// The database failed.
pub async fn end(
    tx: &Tx,
    user_id: UserId,
    session_id: SessionId,
    reason: SessionEnd,
) -> Result<()> {
    if store::end_session(tx, session_id, reason).await? {
        tx.record(Event::SessionEnded {
            user_id,
            session_id,
            reason: reason.to_value(),
        });
    }
    Ok(())
}

/// Ends every session of a user. Records `session.ended` for each.
///
/// # Errors
/// The database failed.
pub async fn end_all(tx: &Tx, user_id: UserId, reason: SessionEnd) -> Result<()> {
    let running = store::running_sessions(tx, user_id).await?;
    store::end_sessions(tx, &running, reason).await?;
    for session_id in running {
        tx.record(Event::SessionEnded {
            user_id,
            session_id,
            reason: reason.to_value(),
        });
    }
    Ok(())
}
