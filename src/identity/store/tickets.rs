//! Single-use tickets: invitations and password resets.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr,
};

use crate::{
    entity::{
        ids::UserId,
        user_token::{self, TokenPurpose},
    },
    error::Result,
    identity::tokens::Ticket,
    tx::Tx,
};

/// Uses a ticket up and tells whose it is; nothing when it was used before or its time is over.
pub async fn redeem(tx: &Tx, ticket: &Ticket) -> Result<Option<UserId>> {
    let update = user_token::Entity::update_many()
        .col_expr(user_token::Column::UsedAt, Expr::value(tx.now()))
        .filter(user_token::Column::Id.eq(ticket.id))
        .filter(user_token::Column::Purpose.eq(ticket.purpose))
        .filter(user_token::Column::TokenHash.eq(ticket.hash.as_str()))
        .filter(user_token::Column::UsedAt.is_null())
        .filter(user_token::Column::ExpiresAt.gt(tx.now()));
    if update.exec(tx).await?.rows_affected != 1 {
        return Ok(None);
    }
    let row = user_token::Entity::find_by_id(ticket.id).one(tx).await?;
    Ok(row.map(|row| row.user_id))
}

/// Makes every unused ticket of a user worthless, of one purpose or of all.
pub async fn spend_tickets(
    tx: &Tx,
    user_id: UserId,
    purposes: impl IntoIterator<Item = TokenPurpose>,
) -> Result<()> {
    user_token::Entity::update_many()
        .col_expr(user_token::Column::UsedAt, Expr::value(tx.now()))
        .filter(user_token::Column::UserId.eq(user_id))
        .filter(user_token::Column::Purpose.is_in(purposes))
        .filter(user_token::Column::UsedAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// Writes the row of a ticket.
pub async fn insert_ticket(
    tx: &Tx,
    user_id: UserId,
    ticket: Ticket,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    tx.insert(user_token::ActiveModel {
        id: Set(ticket.id),
        user_id: Set(user_id),
        purpose: Set(ticket.purpose),
        token_hash: Set(ticket.hash),
        created_at: Set(tx.now()),
        expires_at: Set(expires_at),
        used_at: Set(None),
    })
    .await
}

/// Removes tickets that were used or expired before an instant.
pub async fn delete_tickets(tx: &Tx, before: DateTime<Utc>) -> Result<()> {
    let done = user_token::Column::UsedAt
        .lt(before)
        .or(user_token::Column::ExpiresAt.lt(before));
    user_token::Entity::delete_many()
        .filter(done)
        .exec(tx)
        .await?;
    Ok(())
}
