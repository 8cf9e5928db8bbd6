//! Fingerprints of rows that decide money: what a row said when it was written, kept beside it.
//!
//! A fingerprint is taken from the columns of a row that never change after it was written, at the one place where rows
//! are written, and stored in the same transaction. `ensemble verify` reads the rows again and names each that says
//! something else, each without a fingerprint, and each fingerprint without its row. Columns that are NULL are left
//! out, so a column can be added later. A fingerprint is no secret: it shows a change made past Ensemble, not one made
//! by a person who also recomputes it.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    sync::LazyLock,
};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DbErr, EntityName, EntityTrait,
    IdenStatic, Iterable, QueryResult, Statement, Value, sea_query::ColumnType,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::audit::canonical;
use crate::entity::{self, row_fingerprint};

/// Ids that one statement asks for.
const CHUNK: usize = 500;

/// Columns that are not in a fingerprint, each with the reason.
pub type LeftOut = &'static [(&'static str, &'static str)];

/// A table whose rows have fingerprints.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The prefix of the ids of its rows.
    pub prefix: &'static str,
    /// What is not in the fingerprint, and why.
    pub left_out: LeftOut,
    /// Where fingerprints are stored.
    pub kept: Kept,
    columns: Vec<(String, Kind)>,
}

/// Where the fingerprints of a table are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In a separate table, one row each, so a deleted row is detected.
    Beside,
    /// In a column of the table, where every change would otherwise write an extra row.
    InTheRow,
    /// In both: the rows may change later, and a deleted row is detected.
    Both,
}

/// What a column holds, as far as reading it differs.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Id,
    Text,
    Big,
    Int,
    Truth,
    Instant,
    Day,
    Document,
}

/// Why a row has no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} has a type that no fingerprint covers")]
pub struct Foreign(String);

/// A row as it is, and as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The row.
    pub id: Uuid,
    /// What it says now; nothing when a column holds what no Ensemble wrote.
    pub now: Option<Uuid>,
    /// What it said when it was written: nothing recorded, older than fingerprints, or this.
    pub written: Option<Option<Uuid>>,
}

/// What a column held when its row was written, and what the last recorded event left in it.
pub type Moved = (Option<Uuid>, Option<Uuid>);

/// A column of ids that may change by a recorded event: what it held before the first one, and holds since the last, by
/// row.
#[derive(Debug, Default)]
pub struct Before {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// By row.
    pub rows: HashMap<Uuid, Moved>,
}

/// The columns of a deal that may change without a new fingerprint. Its value, parties, rules, and how and when it
/// ended are in the fingerprint.
const DEAL: LeftOut = &[
    ("external_id", "the number of another system"),
    ("number", "for people"),
    ("name", "for people"),
    (
        "customer_id",
        "whose deal it is decides no amount and no payee",
    ),
    (
        "stage",
        "moves until the deal is closed; the status says that",
    ),
    ("time_zone", "of the protection; decides no money"),
    ("expected_close_on", "a forecast"),
    ("opened_at", "decides no money"),
    ("loss_reason", "of deals that pay nothing"),
    ("loss_detail", "of deals that pay nothing"),
    ("competitor", "decides no money"),
    ("refunded_minor", "moves; compared with the refunds"),
    ("version", "counts changes"),
    ("created_at", "shown only"),
    ("updated_at", "shown only"),
    ("fingerprint", "the fingerprint itself"),
];

/// Every table whose rows have fingerprints.
pub static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    const COUNTS: (&str, &str) = ("version", "counts changes of the columns below");
    const TOUCHED: (&str, &str) = ("updated_at", "shown only; nothing is computed from it");
    vec![
        Table::of::<entity::accrual::Entity>(
            "accrual",
            &[(
                "payout_id",
                "set when a payout claims the line; every payout is compared with the sum of its lines",
            )],
        ),
        Table::of::<entity::attribution_credit::Entity>("credit", &[]),
        Table::of::<entity::attribution_run::Entity>(
            "attribution",
            &[(
                "superseded_at",
                "set when another result takes its place; every deal with results is checked to have one that counts",
            )],
        ),
        Table {
            kept: Kept::InTheRow,
            ..Table::of::<entity::audit_event::Entity>(
                "audit",
                &[("fingerprint", "the fingerprint itself")],
            )
        },
        Table {
            kept: Kept::InTheRow,
            ..Table::of::<entity::deal::Entity>("deal", DEAL)
        },
        Table {
            kept: Kept::Both,
            ..Table::of::<entity::deal_participant::Entity>(
                "participant",
                &[
                    ("scope", "for people"),
                    ("end_reason", "for people"),
                    ("created_at", "shown only"),
                    COUNTS,
                    TOUCHED,
                    ("fingerprint", "the fingerprint itself"),
                ],
            )
        },
        Table::of::<entity::deal_refund::Entity>("refund", &[]),
        Table::of::<entity::exchange_rate::Entity>("rate", &[]),
        Table::of::<entity::incentive_plan::Entity>(
            "plan",
            &[
                ("status", "moves; compared with the audit trail"),
                (
                    "effective_to",
                    "moves when a later number takes over; computed again from the audit trail",
                ),
                ("activated_by", "set later; compared with the audit trail"),
                ("activated_at", "set later; compared with the audit trail"),
                COUNTS,
                TOUCHED,
            ],
        ),
        Table::of::<entity::partner_statement::Entity>("statement", &[]),
        Table::of::<entity::payment_details::Entity>(
            "paymentdetails",
            &[
                (
                    "sealed",
                    "sealed again when the secret changes; authenticated encryption, bound to the row, does not open when altered",
                ),
                (
                    "replaced_at",
                    "set when another account takes its place; compared with the accounts that followed",
                ),
            ],
        ),
        Table::of::<entity::payout::Entity>(
            "payout",
            &[
                (
                    "status",
                    "moves; compared with the accounts of the ledger and with its run",
                ),
                (
                    "provider",
                    "where the payment was handed over; decides no amount and no payee",
                ),
                (
                    "provider_reference",
                    "set when the payment is settled; compared with the audit trail",
                ),
                ("failure", "the provider's words; decides nothing"),
                (
                    "attempt",
                    "counted up by a retry; compared with the audit trail",
                ),
                (
                    "paid_at",
                    "set later; compared with the ledger transaction of the settlement",
                ),
                COUNTS,
                TOUCHED,
            ],
        ),
        Table::of::<entity::payout_exception::Entity>("exception", &[]),
        Table {
            kept: Kept::Both,
            ..Table::of::<entity::payout_export::Entity>(
                "payoutexport",
                &[("fingerprint", "the fingerprint itself")],
            )
        },
        Table::of::<entity::payout_run::Entity>(
            "payoutrun",
            &[
                ("status", "moves; compared with the audit trail"),
                (
                    "after_partner_id",
                    "how far a calculation came; what it left out is found by the check of unpaid lines",
                ),
                ("approved_by", "set later; compared with the audit trail"),
                ("approved_at", "set later; compared with the audit trail"),
                ("executed_by", "set later; compared with the audit trail"),
                ("executed_at", "set later; compared with the audit trail"),
                (
                    "completed_at",
                    "shown only; its payments and the ledger say what was paid, and when",
                ),
                COUNTS,
                TOUCHED,
            ],
        ),
        Table::of::<entity::program_version::Entity>("programversion", &[]),
        Table::of::<entity::rebate_entry::Entity>("rebate", &[]),
        Table {
            kept: Kept::Both,
            ..Table::of::<entity::touchpoint::Entity>(
                "touchpoint",
                &[COUNTS, ("fingerprint", "the fingerprint itself")],
            )
        },
    ]
});

/// The table of this name, if its rows have fingerprints.
#[must_use]
pub fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

impl Table {
    fn of<E: EntityTrait>(prefix: &'static str, left_out: LeftOut) -> Self {
        let columns = E::Column::iter().filter_map(|column| {
            let name = column.as_str();
            let included = !left_out.iter().any(|(left_out, _)| *left_out == name);
            let kind = Kind::of(column.def().get_column_type());
            included.then(|| (name.to_owned(), kind))
        });
        let mut columns: Vec<_> = columns.collect();
        columns.sort_by(|one, other| one.0.cmp(&other.0));
        Self {
            name: E::default().table_name(),
            prefix,
            left_out,
            kept: Kept::Beside,
            columns,
        }
    }
}

impl Table {
    /// The names of the columns that a fingerprint covers.
    pub fn covered(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// Reads rows after an id, in the order of their ids.
    ///
    /// # Errors
    /// The database failed.
    pub async fn read<C: ConnectionTrait>(
        &self,
        db: &C,
        after: Uuid,
        limit: u64,
        before: &Before,
    ) -> Result<Vec<Read>, DbErr> {
        let mut select = String::new();
        for (name, _) in &self.columns {
            let _ = write!(select, "t.\"{name}\", ");
        }
        let (own, known) = match self.kept {
            Kept::Beside => ("f.fingerprint", "(f.row_id IS NOT NULL)"),
            Kept::InTheRow => (
                "t.fingerprint",
                "(t.fingerprint IS NOT NULL OR f.row_id IS NOT NULL)",
            ),
            // The separate one is from creation: a row without its own fingerprint was altered; it is not an older row.
            Kept::Both => (
                "COALESCE(t.fingerprint, f.fingerprint)",
                "(f.row_id IS NOT NULL)",
            ),
        };
        let sql = format!(
            "SELECT {select}t.id AS id_of_row, {own} AS written, {known} AS known FROM \"{table}\" t \
             LEFT JOIN row_fingerprint f ON f.row_id = t.id AND f.table_name = '{table}' \
             WHERE t.id > $1 ORDER BY t.id LIMIT {limit}",
            table = self.name,
        );
        let backend = db.get_database_backend();
        let rows = Statement::from_sql_and_values(backend, sql, [after.into()]);
        let rows = db.query_all_raw(rows).await?;
        rows.iter().map(|row| self.read_row(row, before)).collect()
    }

    fn read_row(&self, row: &QueryResult, before: &Before) -> Result<Read, DbErr> {
        let last = self.columns.len();
        let known: bool = row.try_get_by_index(last + 2)?;
        // What cannot be read is none that was taken.
        let written: Option<Uuid> = row.try_get_by_index(last + 1).unwrap_or(Some(Uuid::nil()));
        let id = row.try_get_by_index(last)?;
        let moved = before.rows.get(&id).filter(|_| before.table == self.name);
        Ok(Read {
            id,
            now: self
                .digest_of(row, moved.map(|moved| (before.column, moved)))
                .ok()
                .flatten(),
            written: known.then_some(written),
        })
    }

    /// Nothing when a column that may change holds something else than the last recorded event says.
    fn digest_of(
        &self,
        row: &QueryResult,
        moved: Option<(&str, &Moved)>,
    ) -> Result<Option<Uuid>, DbErr> {
        let mut print = Print::of(self);
        for (place, (name, kind)) in self.columns.iter().enumerate() {
            match kind {
                Kind::Id => {
                    let id: Option<Uuid> = row.try_get_by_index(place)?;
                    match moved.filter(|(column, _)| column == name) {
                        Some((_, (_, last))) if *last != id => return Ok(None),
                        Some((_, (first, _))) => print.add(name, first.map(Uuid::into_bytes)),
                        None => print.add(name, id.map(Uuid::into_bytes)),
                    }
                }
                Kind::Text => print.add(name, row.try_get_by_index::<Option<String>>(place)?),
                Kind::Big => {
                    let number = row.try_get_by_index::<Option<i64>>(place)?;
                    print.add(name, number.map(i64::to_le_bytes));
                }
                Kind::Int => {
                    let number = row.try_get_by_index::<Option<i32>>(place)?;
                    print.add(name, number.map(i32::to_le_bytes));
                }
                Kind::Truth => {
                    let truth = row.try_get_by_index::<Option<bool>>(place)?;
                    print.add(name, truth.map(|truth| [u8::from(truth)]));
                }
                Kind::Instant => {
                    let at = row.try_get_by_index::<Option<DateTime<Utc>>>(place)?;
                    print.add(name, at.map(instant));
                }
                Kind::Day => {
                    print.add(
                        name,
                        row.try_get_by_index::<Option<NaiveDate>>(place)?.map(day),
                    );
                }
                Kind::Document => {
                    let document = row.try_get_by_index::<Option<serde_json::Value>>(place)?;
                    print.add(name, document.as_ref().map(canonical));
                }
            }
        }
        Ok(Some(print.finished()))
    }
}

/// A change to a row that was read, with the fingerprint that the row carries then.
///
/// # Errors
/// As [`of`].
pub fn changed<A: ActiveModelTrait>(read: A, mut change: A) -> Result<A, Foreign> {
    let mut after = read;
    for column in <A::Entity as EntityTrait>::Column::iter() {
        if let ActiveValue::Set(value) = change.get(column) {
            after.set(column, value);
        }
    }
    let after = carried(after)?;
    for column in <A::Entity as EntityTrait>::Column::iter() {
        if column.as_str() == "fingerprint"
            && let ActiveValue::Set(value) = after.get(column)
        {
            change.set(column, value);
        }
    }
    Ok(change)
}

impl Kind {
    /// Texts of every kind are texts; what no table of ours has is read as one, and then refused.
    const fn of(kind: &ColumnType) -> Self {
        match kind {
            ColumnType::Uuid => Self::Id,
            ColumnType::BigInteger => Self::Big,
            ColumnType::Integer => Self::Int,
            ColumnType::Boolean => Self::Truth,
            ColumnType::TimestampWithTimeZone => Self::Instant,
            ColumnType::Date => Self::Day,
            ColumnType::Json | ColumnType::JsonBinary => Self::Document,
            _ => Self::Text,
        }
    }
}

/// The fingerprint of a row that is about to be written, with its id.
///
/// # Errors
/// A column has a type that no table with fingerprints has.
pub fn of<A: ActiveModelTrait>(table: &Table, row: &A) -> Result<(Uuid, Uuid), Foreign> {
    let mut values: Vec<(&'static str, Value)> = Vec::with_capacity(table.columns.len());
    for column in <A::Entity as EntityTrait>::Column::iter() {
        if let ActiveValue::Set(value) | ActiveValue::Unchanged(value) = row.get(column) {
            values.push((column.as_str(), value));
        }
    }
    values.sort_unstable_by_key(|(name, _)| *name);
    let mut id = None;
    let mut print = Print::of(table);
    for (name, value) in values {
        if table.left_out.iter().any(|(left_out, _)| *left_out == name) {
            continue;
        }
        if let ("id", Value::Uuid(Some(value))) = (name, &value) {
            id = Some(*value);
        }
        match value {
            Value::Uuid(value) => print.add(name, value.map(Uuid::into_bytes)),
            Value::String(value) => print.add(name, value),
            Value::BigInt(value) => print.add(name, value.map(i64::to_le_bytes)),
            Value::Int(value) => print.add(name, value.map(i32::to_le_bytes)),
            Value::Bool(value) => print.add(name, value.map(|truth| [u8::from(truth)])),
            Value::ChronoDateTimeUtc(value) => print.add(name, value.map(instant)),
            Value::ChronoDate(value) => print.add(name, value.map(day)),
            Value::Json(value) => print.add(name, value.as_deref().map(canonical)),
            _ => return Err(Foreign(format!("{}.{name}", table.name))),
        }
    }
    let id = id.ok_or_else(|| Foreign(format!("{}.id", table.name)))?;
    Ok((id, print.finished()))
}

/// A row that is about to be written with the fingerprint that it carries itself; as it is in a table whose rows carry none.
///
/// # Errors
/// As [`of`].
pub fn carried<A: ActiveModelTrait>(mut row: A) -> Result<A, Foreign> {
    let table = table(A::Entity::default().table_name()).filter(|one| one.kept != Kept::Beside);
    let column =
        <A::Entity as EntityTrait>::Column::iter().find(|column| column.as_str() == "fingerprint");
    if let Some((table, column)) = table.zip(column) {
        let (_, print) = of(table, &row)?;
        row.set(column, Value::Uuid(Some(print)));
    }
    Ok(row)
}

/// The fingerprints of rows that are about to be written; nothing for a table without.
///
/// # Errors
/// As [`of`].
pub fn of_all<A: ActiveModelTrait>(rows: &[A]) -> Result<Vec<row_fingerprint::Model>, Foreign> {
    let Some(table) =
        table(A::Entity::default().table_name()).filter(|one| one.kept != Kept::InTheRow)
    else {
        return Ok(Vec::new());
    };
    let mut prints = Vec::with_capacity(rows.len());
    for row in rows {
        let (row_id, fingerprint) = of(table, row)?;
        prints.push(row_fingerprint::Model {
            row_id,
            table_name: table.name.to_owned(),
            fingerprint: Some(fingerprint),
        });
    }
    Ok(prints)
}

/// Those of fingerprints whose rows are there: others had their place already.
///
/// # Errors
/// The database failed.
pub async fn of_rows_that_exist<C: ConnectionTrait>(
    db: &C,
    prints: Vec<row_fingerprint::Model>,
) -> Result<Vec<row_fingerprint::Model>, DbErr> {
    let mut existing = Vec::with_capacity(prints.len());
    for chunk in prints.chunks(CHUNK) {
        let Some(table) = chunk.first().map(|print| print.table_name.as_str()) else {
            continue;
        };
        let places: Vec<_> = (1..=chunk.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT id FROM \"{table}\" WHERE id IN ({})",
            places.join(",")
        );
        let ids = chunk.iter().map(|print| print.row_id.into());
        let rows = Statement::from_sql_and_values(db.get_database_backend(), sql, ids);
        let mut found = HashSet::new();
        for row in db.query_all_raw(rows).await? {
            found.insert(row.try_get_by_index::<Uuid>(0)?);
        }
        let there = |print: &&row_fingerprint::Model| found.contains(&print.row_id);
        existing.extend(chunk.iter().filter(there).cloned());
    }
    Ok(existing)
}

/// What a row says as bytes, column by column: each with its name and its length, so that no two rows give the same. A
/// million rows are read again by a verification, so nothing is written as text that is none.
struct Print(Vec<u8>);

impl Print {
    fn of(table: &Table) -> Self {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(table.name.as_bytes());
        Self(bytes)
    }

    fn add(&mut self, name: &str, value: Option<impl AsRef<[u8]>>) {
        if let Some(value) = value {
            let value = value.as_ref();
            self.0.push(0);
            self.0.extend_from_slice(name.as_bytes());
            self.0.push(0);
            let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
            self.0.extend_from_slice(&length.to_le_bytes());
            self.0.extend_from_slice(value);
        }
    }

    fn finished(self) -> Uuid {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::digest(&self.0)[..16]);
        Uuid::from_bytes(bytes)
    }
}

/// The microsecond of an instant: what both databases keep.
fn instant(at: DateTime<Utc>) -> [u8; 8] {
    at.timestamp_micros().to_le_bytes()
}

fn day(day: NaiveDate) -> [u8; 4] {
    day.num_days_from_ce().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::deal_refund;
    use sea_orm::ActiveValue::Set;

    fn refund(id: u128, amount_minor: i64, reason: &str) -> deal_refund::ActiveModel {
        deal_refund::ActiveModel {
            id: Set(entity::ids::DealRefundId(Uuid::from_u128(id))),
            amount_minor: Set(amount_minor),
            reason: Set(reason.to_owned()),
            ..Default::default()
        }
    }

    fn print(row: &deal_refund::ActiveModel) -> Uuid {
        of(table("deal_refund").unwrap(), row).unwrap().1
    }

    #[test]
    fn a_fingerprint_covers_every_value_and_its_place() {
        let row = print(&refund(1, 5, "returned"));
        assert_eq!(row, print(&refund(1, 5, "returned")));
        assert_ne!(row, print(&refund(2, 5, "returned")));
        assert_ne!(row, print(&refund(1, 6, "returned")));
        assert_ne!(row, print(&refund(1, 5, "returned;")));
    }

    #[test]
    fn a_column_that_is_null_changes_nothing() {
        let mut row = refund(1, 5, "returned");
        row.actor_id = Set(None);
        assert_eq!(print(&row), print(&refund(1, 5, "returned")));
    }

    #[test]
    fn every_column_that_is_left_out_exists_and_has_a_reason() {
        for table in TABLES.iter() {
            for (column, reason) in table.left_out {
                assert!(!reason.is_empty(), "{}.{column}", table.name);
                assert!(table.covered().all(|covered| covered != *column));
            }
        }
    }
}
