//! Rows say what they said when they were written, all of them are there, and nobody else wrote any.

use std::{collections::HashMap, fmt::Write as _};

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{Finding, count, offenders};
use crate::{
    entity::{audit_event, ids::PaymentDetailsId},
    error::Result,
    platform::{
        fingerprint::{Before, TABLES},
        ids::{self, TypedId},
    },
};

/// What is promised.
pub(super) const WRITTEN: &str = "every row that decides money says what was written";

/// What is promised.
pub(super) const MISSING: &str = "every row that decided money is still there";

/// Rows read at once.
const CHUNK: u64 = 2_000;

/// What rows say, and how many are older than fingerprints.
pub(super) async fn compared<C: ConnectionTrait>(db: &C) -> Result<(Finding, u64)> {
    let mut written = Finding::new(WRITTEN, 0);
    let mut older = 0;
    let retried = accounts_before_retries(db).await?;
    for table in TABLES.iter() {
        let mut after = Uuid::nil();
        loop {
            let rows = table.read(db, after, CHUNK, &retried).await?;
            let Some(last) = rows.last().map(|row| row.id) else {
                break;
            };
            for row in rows {
                written.rows += 1;
                let id = || ids::encode(table.prefix, row.id);
                match row.written {
                    None => written.name(format!(
                        "{} in {} was not written by Ensemble",
                        id(),
                        table.name
                    )),
                    Some(None) => older += 1,
                    Some(print) if print == row.now => {}
                    Some(_) => {
                        written.name(format!("{} in {} was altered", id(), table.name));
                    }
                }
            }
            after = last;
        }
    }
    Ok((written, older))
}

/// Fingerprints without their row.
pub(super) async fn missing<C: ConnectionTrait>(db: &C) -> Result<Finding> {
    let rows = count(db, "SELECT COUNT(*) FROM row_fingerprint").await?;
    let mut finding = Finding::new(MISSING, rows);
    let mut known = String::new();
    for table in TABLES.iter() {
        let _ = write!(
            known,
            " WHEN '{name}' THEN EXISTS (SELECT 1 FROM {name} t WHERE t.id = f.row_id)",
            name = table.name
        );
    }
    let sql = format!(
        "SELECT f.row_id AS id, f.table_name AS detail FROM row_fingerprint f \
         WHERE NOT CASE f.table_name{known} ELSE FALSE END"
    );
    for row in offenders(db, &sql).await? {
        let table = TABLES.iter().find(|table| table.name == row.detail);
        let prefix = table.map_or("row", |table| table.prefix);
        finding.name(format!(
            "{} is missing from {}",
            ids::encode(prefix, row.id),
            row.detail
        ));
    }
    Ok(finding)
}

/// A failed payment may be sent to another account. The audit trail says which it had when it was written.
async fn accounts_before_retries<C: ConnectionTrait>(db: &C) -> Result<Before> {
    let retries = audit_event::Entity::find()
        .filter(audit_event::Column::Action.eq("payout.retried"))
        .order_by_asc(audit_event::Column::Id)
        .all(db)
        .await?;
    let account = |event: &audit_event::Model, field: &str| {
        let id = event.details.get(field)?.as_str()?;
        PaymentDetailsId::parse(id).map(TypedId::uuid)
    };
    let mut moves: HashMap<Uuid, (Option<Uuid>, Option<Uuid>)> = HashMap::new();
    for event in retries
        .iter()
        .filter(|event| event.details.get("toDetailsId").is_some())
    {
        let to = account(event, "toDetailsId");
        moves
            .entry(event.subject_id)
            .and_modify(|(_, last)| *last = to)
            .or_insert_with(|| (account(event, "fromDetailsId"), to));
    }
    Ok(Before {
        table: "payout",
        column: "payment_details_id",
        rows: moves,
    })
}
