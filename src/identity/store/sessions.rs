//! Sessions and their refresh tokens.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, JoinType,
    QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait, sea_query::Expr,
};

use crate::{
    entity::{
        ids::{RefreshTokenId, SessionId, UserId},
        refresh_token, session,
        user::{self, UserStatus},
    },
    error::Result,
    identity::SessionEnd,
    tx::{CHUNK, Tx},
};

/// A session with what its user is at this moment.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whose session it is.
    pub user: user::Model,
    /// When the session ends.
    pub expires_at: DateTime<Utc>,
    /// When it was ended.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Standing {
    /// Whether the session still lets its user in.
    #[must_use]
    pub fn lets_in(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && now < self.expires_at && self.user.status == UserStatus::Active
    }
}

impl FromQueryResult for Standing {
    fn from_query_result(row: &QueryResult, prefix: &str) -> std::result::Result<Self, DbErr> {
        Ok(Self {
            user: user::Model::from_query_result(row, prefix)?,
            expires_at: row.try_get(prefix, "expires_at")?,
            revoked_at: row.try_get(prefix, "revoked_at")?,
        })
    }
}

/// A session and its user, in one query.
pub async fn standing(db: &impl ConnectionTrait, id: SessionId) -> Result<Option<Standing>> {
    let to_session = user::Entity::belongs_to(session::Entity)
        .from(user::Column::Id)
        .to(session::Column::UserId)
        .into();
    let query = user::Entity::find()
        .column(session::Column::ExpiresAt)
        .column(session::Column::RevokedAt)
        .join(JoinType::InnerJoin, to_session)
        .filter(session::Column::Id.eq(id));
    Ok(query.into_model::<Standing>().one(db).await?)
}

/// Ends a session, unless it was ended before; says whether this did it.
pub async fn end_session(tx: &Tx, id: SessionId, reason: SessionEnd) -> Result<bool> {
    let update = session::Entity::update_many()
        .col_expr(session::Column::RevokedAt, Expr::value(tx.now()))
        .col_expr(
            session::Column::RevokeReason,
            Expr::value(reason.to_value()),
        )
        .filter(session::Column::Id.eq(id))
        .filter(session::Column::RevokedAt.is_null());
    Ok(update.exec(tx).await?.rows_affected == 1)
}

/// The sessions of a user that still run, oldest first.
pub async fn running_sessions(tx: &Tx, user_id: UserId) -> Result<Vec<SessionId>> {
    let sessions = session::Entity::find()
        .filter(session::Column::UserId.eq(user_id))
        .filter(session::Column::RevokedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(tx.now()))
        .order_by_asc(session::Column::Id)
        .lock_exclusive()
        .all(tx)
        .await?;
    Ok(sessions.into_iter().map(|session| session.id).collect())
}

/// Ends all these sessions.
pub async fn end_sessions(tx: &Tx, ids: &[SessionId], reason: SessionEnd) -> Result<()> {
    for chunk in ids.chunks(CHUNK) {
        session::Entity::update_many()
            .col_expr(session::Column::RevokedAt, Expr::value(tx.now()))
            .col_expr(
                session::Column::RevokeReason,
                Expr::value(reason.to_value()),
            )
            .filter(session::Column::Id.is_in(chunk.iter().copied()))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// A refresh token.
pub async fn refresh_token(
    db: &impl ConnectionTrait,
    id: RefreshTokenId,
) -> Result<Option<refresh_token::Model>> {
    Ok(refresh_token::Entity::find_by_id(id).one(db).await?)
}

/// Uses a refresh token up; says whether it was unused.
pub async fn use_refresh_token(
    tx: &Tx,
    id: RefreshTokenId,
    successor: RefreshTokenId,
) -> Result<bool> {
    let update = refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::value(tx.now()))
        .col_expr(refresh_token::Column::SuccessorId, Expr::value(successor))
        .filter(refresh_token::Column::Id.eq(id))
        .filter(refresh_token::Column::UsedAt.is_null());
    Ok(update.exec(tx).await?.rows_affected == 1)
}

/// Removes sessions that expired before an instant, with their refresh tokens.
pub async fn delete_sessions(tx: &Tx, before: DateTime<Utc>) -> Result<()> {
    let expired = session::Entity::find()
        .select_only()
        .column(session::Column::Id)
        .filter(session::Column::ExpiresAt.lt(before));
    refresh_token::Entity::delete_many()
        .filter(refresh_token::Column::SessionId.in_subquery(expired.into_query()))
        .exec(tx)
        .await?;
    session::Entity::delete_many()
        .filter(session::Column::ExpiresAt.lt(before))
        .exec(tx)
        .await?;
    Ok(())
}
