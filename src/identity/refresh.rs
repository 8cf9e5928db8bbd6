//! Continuing a session: a refresh token is exchanged for the next pair of tokens, once.
//!
//! A client whose answer was lost may ask again within a few seconds and gets the same successor. A token
//! that comes back later was copied: the thief and the owner cannot be told apart, so the session ends.

use chrono::TimeDelta;

use super::{
    sessions,
    status::SessionEnd,
    store,
    tokens::{Opened, REFRESH},
};
use crate::{
    entity::{
        ids::{RefreshTokenId, UserId},
        refresh_token,
    },
    error::{Code, Error, Refusal, Result},
    platform::{
        auth::opaque::{self, OpaqueTokens},
        ids::TypedId,
    },
    tx::Tx,
};

/// How long a used token still gives its successor.
pub const GRACE: TimeDelta = TimeDelta::seconds(10);

/// Exchanges a refresh token. Nothing comes back when the token was used before and the session was ended
/// for it; that is committed, and recorded as `session.ended`.
///
/// # Errors
/// `UNAUTHENTICATED` when the token is forged, or its session is over.
pub async fn refresh(tx: &Tx, tokens: &OpaqueTokens, presented: &str) -> Result<Option<Opened>> {
    let row = genuine(tx, tokens, presented).await?.ok_or_else(over)?;
    let standing = store::standing(tx, row.session_id).await?;
    let standing = standing
        .filter(|standing| standing.lets_in(tx.now()))
        .ok_or_else(over)?;
    let (next, hash) = sessions::new_refresh_token(tx, tokens);
    if store::use_refresh_token(tx, row.id, next).await? {
        tx.insert(sessions::row(
            tx,
            next,
            row.session_id,
            &hash,
            standing.expires_at,
        ))
        .await?;
        return Ok(Some(opened(standing.user.id, &row, next, hash)));
    }
    repeated(tx, standing.user.id, row.id).await
}

/// The one refusal: sign in again.
#[must_use]
pub fn over() -> Error {
    Refusal::new(Code::Unauthenticated, "The session is over; sign in again.").into()
}

async fn genuine(
    tx: &Tx,
    tokens: &OpaqueTokens,
    presented: &str,
) -> Result<Option<refresh_token::Model>> {
    let Some(id) = tokens.open(REFRESH, presented) else {
        return Ok(None);
    };
    let row = store::refresh_token(tx, RefreshTokenId::of(id)).await?;
    Ok(row.filter(|row| opaque::same(&row.token_hash, &opaque::hash(presented))))
}

/// Somebody was first with this token: the same client a moment ago, or somebody else.
async fn repeated(tx: &Tx, user_id: UserId, used: RefreshTokenId) -> Result<Option<Opened>> {
    let row = store::refresh_token(tx, used).await?.ok_or_else(over)?;
    let recent = row.used_at.is_some_and(|at| tx.now() - at <= GRACE);
    if recent && let Some(successor) = row.successor_id {
        let successor = store::refresh_token(tx, successor)
            .await?
            .ok_or_else(over)?;
        return Ok(Some(opened(
            user_id,
            &row,
            successor.id,
            successor.token_hash,
        )));
    }
    sessions::end(tx, user_id, row.session_id, SessionEnd::RefreshTokenReused).await?;
    Ok(None)
}

fn opened(
    user_id: UserId,
    row: &refresh_token::Model,
    refresh_id: RefreshTokenId,
    refresh_hash: String,
) -> Opened {
    Opened {
        user_id,
        session_id: row.session_id,
        refresh_id,
        refresh_hash,
    }
}
