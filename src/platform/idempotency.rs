//! Idempotency keys: the same key and arguments give the same result, other arguments are refused.
//!
//! The row is inserted first, in the transaction of the effect, so that parallel callers of one key wait for
//! the first and then see its result. A refused call leaves no row: it may be corrected and repeated.

use chrono::TimeDelta;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    entity::idempotency as table,
    error::{Code, Refusal, Result},
    tx::Tx,
};

/// A caller's key with the hash of the arguments it came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The caller's text, 1 to 255 characters.
    pub text: String,
    /// SHA-256 of the canonical arguments.
    pub input_hash: String,
    /// How long the result is kept.
    pub kept_for: TimeDelta,
}

/// What a key turned out to be.
#[derive(Debug)]
pub enum Claim {
    /// The first use: do the work.
    New,
    /// A repetition: this is what the first use returned.
    Replay(Value),
}

/// Takes the key, or finds what it returned before.
///
/// # Errors
/// `IDEMPOTENCY_KEY_MISMATCH` when it was used with other arguments.
pub async fn claim(tx: &Tx, actor: Uuid, operation: &str, key: &Key) -> Result<Claim> {
    let row = table::ActiveModel {
        actor_id: Set(actor),
        operation: Set(operation.to_owned()),
        idempotency_key: Set(key.text.clone()),
        input_hash: Set(key.input_hash.clone()),
        result: Set(Value::Null),
        created_at: Set(tx.now()),
        expires_at: Set(tx.now() + key.kept_for),
    };
    let identity = [
        table::Column::ActorId,
        table::Column::Operation,
        table::Column::IdempotencyKey,
    ];
    // A key past its time is free again.
    let take_over = OnConflict::columns(identity)
        .update_columns([
            table::Column::InputHash,
            table::Column::Result,
            table::Column::CreatedAt,
            table::Column::ExpiresAt,
        ])
        .action_and_where(Expr::col((table::Entity, table::Column::ExpiresAt)).lte(tx.now()))
        .to_owned();
    let written = table::Entity::insert(row)
        .on_conflict(take_over)
        .exec_without_returning(tx)
        .await?;
    if written == 1 {
        return Ok(Claim::New);
    }
    let stored = table::Entity::find_by_id((actor, operation.to_owned(), key.text.clone()))
        .one(tx)
        .await?;
    match stored {
        Some(stored) if stored.input_hash == key.input_hash => Ok(Claim::Replay(stored.result)),
        _ => Err(Refusal::new(
            Code::IdempotencyKeyMismatch,
            "This key was used before with other arguments.",
        )
        .into()),
    }
}

/// Keeps what the first use returned.
///
/// # Errors
/// The database failed.
pub async fn keep(tx: &Tx, actor: Uuid, operation: &str, key: &Key, result: Value) -> Result<()> {
    table::Entity::update_many()
        .col_expr(table::Column::Result, Expr::value(result))
        .filter(table::Column::ActorId.eq(actor))
        .filter(table::Column::Operation.eq(operation))
        .filter(table::Column::IdempotencyKey.eq(key.text.as_str()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Forgets keys past their time.
///
/// # Errors
/// The database failed.
pub async fn sweep(tx: &Tx) -> Result<u64> {
    let swept = table::Entity::delete_many()
        .filter(table::Column::ExpiresAt.lte(tx.now()))
        .exec(tx)
        .await?;
    Ok(swept.rows_affected)
}
