//! Which process writes a payment file.

use std::collections::HashMap;

use chrono::TimeDelta;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect,
};
use uuid::Uuid;

use crate::{
    app::App,
    entity::{ids::PayoutRunId, payout_export},
    error::{Error, Result},
    platform::fingerprint,
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
    let claim_id = Uuid::from_u128(rand::random());
    let Some(row) = locked(tx, &wanted.name).await? else {
        let row = payout_export::Model {
            id: tx.id(),
            name: wanted.name,
            run_id: wanted.run,
            store_id: wanted.store,
            claim_id,
            content_hash: wanted.hash,
            payments: i64::try_from(wanted.payments).unwrap_or(i64::MAX),
            claimed_at: tx.now(),
            written_at: None,
            fingerprint: None,
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
    let taken = payout_export::ActiveModel {
        store_id: Set(wanted.store),
        claim_id: Set(claim_id),
        content_hash: Set(wanted.hash),
        payments: Set(i64::try_from(wanted.payments).unwrap_or(i64::MAX)),
        claimed_at: Set(tx.now()),
        ..Default::default()
    };
    change(tx, row, taken).await?;
    Ok(Claim::Ours(claim_id))
}

/// The row of a file, locked until the end of this unit of work.
async fn locked(tx: &Tx, name: &str) -> Result<Option<payout_export::Model>> {
    let of_name = payout_export::Entity::find().filter(payout_export::Column::Name.eq(name));
    Ok(of_name.lock_exclusive().one(tx).await?)
}

/// Saves the changes to a locked row, with its new fingerprint.
async fn change(
    tx: &Tx,
    row: payout_export::Model,
    change: payout_export::ActiveModel,
) -> Result<()> {
    let id = row.id;
    let change = fingerprint::changed(row.into_active_model().reset_all(), change)
        .map_err(|error| Error::Internal(Box::new(error)))?;
    payout_export::Entity::update_many()
        .set(change)
        .filter(payout_export::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Records that the file of a claim is written, with the hash of what it holds; says whether the claim still held.
///
/// # Errors
/// The database failed.
pub(super) async fn keep(app: &App, name: &str, claim: Uuid, hash: String) -> Result<bool> {
    let name = name.to_owned();
    app.write(Call::system("payoutExportKeep"), move |tx| {
        let (name, hash) = (name.clone(), hash.clone());
        Box::pin(async move {
            let held =
                |row: &payout_export::Model| row.claim_id == claim && row.written_at.is_none();
            let Some(row) = locked(tx, &name).await?.filter(held) else {
                return Ok(false);
            };
            let kept = payout_export::ActiveModel {
                written_at: Set(Some(tx.now())),
                content_hash: Set(hash),
                ..Default::default()
            };
            change(tx, row, kept).await?;
            Ok(true)
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
