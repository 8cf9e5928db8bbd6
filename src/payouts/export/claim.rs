//! Which process writes a payment file.

use std::collections::HashMap;

use chrono::TimeDelta;
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    app::App,
    entity::{ids::PayoutRunId, payout_export},
    error::Result,
    tx::{CHUNK, Call, Tx},
};

/// How long a claim is respected. After that another process may take it over; whichever is recorded as written first
/// is the one, so a clock that is wrong costs a repetition and nothing else.
const RESPECTED: TimeDelta = TimeDelta::seconds(15);

/// A file that somebody wants to write.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Its name.
    pub name: String,
    /// The run that it pays.
    pub run: PayoutRunId,
    /// Where it would be written.
    pub store: Uuid,
    /// The SHA-256 of its content, in hexadecimal digits.
    pub hash: String,
    /// How many payments it holds.
    pub payments: usize,
}

/// Who writes a file.
#[derive(Clone, Debug)]
pub(super) enum Claim {
    /// The caller, under this claim.
    Ours(Uuid),
    /// Another process, just now.
    Theirs,
    /// It is written.
    Written(payout_export::Model),
}

/// Claims a file, unless it is written or another process is writing it.
///
/// # Errors
/// The database failed.
pub(super) async fn take(app: &App, wanted: &Wanted) -> Result<Claim> {
    let wanted = wanted.clone();
    app.write(Call::system("payoutExportClaim"), move |tx| {
        let wanted = wanted.clone();
        Box::pin(async move { claim(tx, wanted).await })
    })
    .await
}

async fn claim(tx: &Tx, wanted: Wanted) -> Result<Claim> {
    use payout_export::Column;
    let claim_id = Uuid::from_u128(rand::random());
    let found = payout_export::Entity::find_by_id(wanted.name.clone())
        .lock_exclusive()
        .one(tx)
        .await?;
    let Some(row) = found else {
        let row = payout_export::Model {
            name: wanted.name,
            run_id: wanted.run,
            store_id: wanted.store,
            claim_id,
            content_hash: wanted.hash,
            payments: i64::try_from(wanted.payments).unwrap_or(i64::MAX),
            claimed_at: tx.now(),
            written_at: None,
        };
        let is_new = tx.insert_new(row.into_active_model()).await?;
        return Ok(if is_new {
            Claim::Ours(claim_id)
        } else {
            Claim::Theirs
        });
    };
    if row.written_at.is_some() {
        return Ok(Claim::Written(row));
    }
    if tx.now() < row.claimed_at + RESPECTED {
        return Ok(Claim::Theirs);
    }
    let taken = payout_export::Entity::update_many()
        .col_expr(Column::StoreId, Expr::value(wanted.store))
        .col_expr(Column::ClaimId, Expr::value(claim_id))
        .col_expr(Column::ContentHash, Expr::value(wanted.hash))
        .col_expr(
            Column::Payments,
            Expr::value(i64::try_from(wanted.payments).unwrap_or(i64::MAX)),
        )
        .col_expr(Column::ClaimedAt, Expr::value(tx.now()))
        .filter(Column::Name.eq(wanted.name))
        .filter(Column::ClaimId.eq(row.claim_id))
        .filter(Column::WrittenAt.is_null())
        .exec(tx)
        .await?;
    Ok(if taken.rows_affected == 1 {
        Claim::Ours(claim_id)
    } else {
        Claim::Theirs
    })
}

/// Records that the file of a claim is written, with the hash of what it holds; says whether the claim still held.
///
/// # Errors
/// The database failed.
pub(super) async fn keep(app: &App, name: &str, claim: Uuid, hash: String) -> Result<bool> {
    use payout_export::Column;
    let name = name.to_owned();
    app.write(Call::system("payoutExportKeep"), move |tx| {
        let (name, hash) = (name.clone(), hash.clone());
        Box::pin(async move {
            let kept = payout_export::Entity::update_many()
                .col_expr(Column::WrittenAt, Expr::value(tx.now()))
                .col_expr(Column::ContentHash, Expr::value(hash))
                .filter(Column::Name.eq(name))
                .filter(Column::ClaimId.eq(claim))
                .filter(Column::WrittenAt.is_null())
                .exec(tx)
                .await?;
            Ok(kept.rows_affected == 1)
        })
    })
    .await
}

/// What is known of files, by name.
///
/// # Errors
/// The database failed.
pub(super) async fn read(
    app: &App,
    names: &[String],
) -> Result<HashMap<String, payout_export::Model>> {
    let db = app.db().reader();
    let mut found = HashMap::with_capacity(names.len());
    for chunk in names.chunks(CHUNK) {
        let of_names = payout_export::Column::Name.is_in(chunk.iter().map(String::as_str));
        let rows = payout_export::Entity::find()
            .filter(of_names)
            .all(db)
            .await?;
        found.extend(rows.into_iter().map(|row| (row.name.clone(), row)));
    }
    Ok(found)
}
