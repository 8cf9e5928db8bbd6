//! Every value can be read: what a client writes past the types and words of a table is named by its row and column. The
//! checks that follow read the same values and say when they cannot.

use std::{collections::BTreeMap, str::FromStr};

use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IdenStatic, Iterable,
    Statement, TryGetable, sea_query::ColumnType,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Finding, NAMED, count};
use crate::{
    entity,
    error::Result,
    incentives,
    platform::{ids, money::Currency},
    programs::rules::Part,
    rules::Documents,
    settings::ProgramSettings,
};

/// A table whose values are read.
struct Table {
    name: &'static str,
    /// The prefix of its ids.
    prefix: &'static str,
    /// The column that tells its rows apart, or as good as that.
    key: &'static str,
    columns: Vec<Column>,
    /// Columns of words, each with what reads it.
    words: BTreeMap<&'static str, fn(&str) -> bool>,
    /// Columns of documents that are more than any JSON.
    documents: BTreeMap<&'static str, fn(serde_json::Value) -> bool>,
}

struct Column {
    name: String,
    kind: ColumnType,
    may_be_null: bool,
}

/// The words of an enumeration.
fn word<E: ActiveEnum<Value = String>>(text: &str) -> bool {
    E::try_from_value(&text.to_owned()).is_ok()
}

fn currency(text: &str) -> bool {
    Currency::from_str(text).is_ok()
}

fn document<D: DeserializeOwned>(value: serde_json::Value) -> bool {
    serde_json::from_value::<D>(value).is_ok()
}

/// The documents of all domains that rules consist of.
fn settings(value: serde_json::Value) -> bool {
    serde_json::from_value::<Documents>(value)
        .is_ok_and(|documents| ProgramSettings::read(&documents).is_ok())
}

impl Table {
    fn of<E: EntityTrait>(prefix: &'static str, key: &'static str) -> Self {
        let column = |column: E::Column| {
            let def = column.def();
            Column {
                name: column.as_str().to_owned(),
                kind: def.get_column_type().clone(),
                may_be_null: def.is_null(),
            }
        };
        let mut words: BTreeMap<&'static str, fn(&str) -> bool> = BTreeMap::new();
        for column in E::Column::iter() {
            if ["currency", "from_currency", "to_currency"].contains(&column.as_str()) {
                words.insert(column.as_str(), currency);
            }
        }
        Self {
            name: E::default().table_name(),
            prefix,
            key,
            columns: E::Column::iter().map(column).collect(),
            words,
            documents: BTreeMap::new(),
        }
    }

    fn with(mut self, column: &'static str, word: fn(&str) -> bool) -> Self {
        self.words.insert(column, word);
        self
    }

    fn of_document(mut self, column: &'static str, reads: fn(serde_json::Value) -> bool) -> Self {
        self.documents.insert(column, reads);
        self
    }
}

/// The tables that the other checks read.
fn tables() -> Vec<Table> {
    vec![
        Table::of::<entity::accrual::Entity>("accrual", "id")
            .with("kind", word::<entity::accrual::AccrualKind>),
        Table::of::<entity::attribution_credit::Entity>("credit", "id"),
        Table::of::<entity::attribution_run::Entity>("attribution", "id")
            .with("model", word::<entity::attribution_run::AttributionModel>)
            .with("basis", word::<entity::attribution_run::AttributionBasis>),
        Table::of::<entity::audit_event::Entity>("audit", "id"),
        Table::of::<entity::audit_seal::Entity>("position", "position"),
        Table::of::<entity::deal::Entity>("deal", "id")
            .with("business", word::<entity::deal::DealBusiness>)
            .with("status", word::<entity::deal::SalesStatus>)
            .with("loss_reason", word::<entity::deal::LossReason>),
        Table::of::<entity::deal_participant::Entity>("participant", "id")
            .with("role", word::<entity::deal_participant::ParticipantRole>)
            .with(
                "status",
                word::<entity::deal_participant::ParticipantStatus>,
            ),
        Table::of::<entity::deal_refund::Entity>("refund", "id"),
        Table::of::<entity::exchange_rate::Entity>("rate", "id"),
        Table::of::<entity::incentive_plan::Entity>("plan", "id")
            .with("status", word::<entity::incentive_plan::PlanStatus>)
            .of_document("terms", document::<incentives::PlanTerms>),
        Table::of::<entity::ledger_account::Entity>("account", "id")
            .with("kind", word::<entity::ledger_account::LedgerAccountKind>),
        Table::of::<entity::ledger_entry::Entity>("entry", "id"),
        Table::of::<entity::ledger_transaction::Entity>("transaction", "id").with(
            "kind",
            word::<entity::ledger_transaction::LedgerTransactionKind>,
        ),
        Table::of::<entity::partner_statement::Entity>("statement", "id"),
        Table::of::<entity::payment_details::Entity>("paymentdetails", "id")
            .with("kind", word::<entity::payment_details::PaymentAccountKind>),
        Table::of::<entity::payout::Entity>("payout", "id")
            .with("status", word::<entity::payout::PayoutStatus>),
        Table::of::<entity::payout_exception::Entity>("exception", "id")
            .with("reason", word::<entity::payout_exception::ExceptionReason>),
        Table::of::<entity::payout_run::Entity>("payoutrun", "id")
            .with("status", word::<entity::payout_run::RunStatus>),
        Table::of::<entity::program_version::Entity>("programversion", "id")
            .of_document("settings", settings),
        Table::of::<entity::rebate_entry::Entity>("rebate", "id"),
        Table::of::<entity::rebate_volume::Entity>("partner", "partner_id"),
        Table::of::<entity::row_fingerprint::Entity>("row", "row_id"),
        Table::of::<entity::touchpoint::Entity>("touchpoint", "id")
            .with("kind", word::<entity::touchpoint::TouchpointKind>)
            .with("phase", word::<entity::touchpoint::JourneyPhase>)
            .with("milestone", word::<entity::touchpoint::DealMilestone>)
            .with("status", word::<entity::touchpoint::TouchpointStatus>),
    ]
}

pub(super) async fn looked_at<C: ConnectionTrait>(db: &C) -> Result<Finding> {
    let mut finding = Finding::new(
        "every value is one that Ensemble can read: a number, a day, an id or a word it knows",
        0,
    );
    for table in tables() {
        finding.rows += count(db, &format!("SELECT COUNT(*) FROM \"{}\"", table.name)).await?;
        for (column, key) in table.unreadable(db).await? {
            finding.name(format!(
                "{} in {}: {column} cannot be read",
                table.name_of(&key),
                table.name
            ));
        }
    }
    Ok(finding)
}

impl Table {
    fn name_of(&self, key: &str) -> String {
        match Uuid::parse_str(key) {
            Ok(id) => ids::encode(self.prefix, id),
            Err(_) => format!("{} {key}", self.prefix),
        }
    }

    /// Rows with a value that cannot be read: the column and the key as text, some of each column.
    async fn unreadable<C: ConnectionTrait>(&self, db: &C) -> Result<Vec<(String, String)>> {
        let backend = db.get_database_backend();
        let mut found = Vec::new();
        if let Some(sql) = self.of_wrong_types(backend) {
            found.extend(pairs(db, sql).await?);
        }
        for (column, reads) in &self.words {
            let distinct = format!(
                "SELECT DISTINCT CAST({column} AS TEXT) AS one, '' AS two FROM \"{}\" WHERE {column} IS NOT NULL",
                self.name
            );
            for (text, _) in pairs(db, distinct).await? {
                if !reads(&text) {
                    let quoted = text.replace('\'', "''");
                    let sql = format!(
                        "SELECT '{column}' AS one, {} AS two FROM \"{}\" \
                         WHERE CAST({column} AS TEXT) = '{quoted}' LIMIT {}",
                        self.key_as_text(backend),
                        self.name,
                        NAMED + 1
                    );
                    found.extend(pairs(db, sql).await?);
                }
            }
        }
        for (column, reads) in &self.documents {
            let sql = format!(
                "SELECT CAST({column} AS TEXT) AS one, {} AS two FROM \"{}\"",
                self.key_as_text(backend),
                self.name
            );
            for (text, key) in pairs(db, sql).await? {
                let value = serde_json::from_str(&text);
                if !value.is_ok_and(reads) {
                    found.push(((*column).to_owned(), key));
                }
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn key_as_text(&self, backend: DbBackend) -> String {
        let key = self.key;
        match backend {
            DbBackend::Postgres => format!("CAST({key} AS TEXT)"),
            _ => format!(
                "CASE typeof({key}) WHEN 'blob' THEN lower(hex({key})) ELSE COALESCE(CAST({key} AS TEXT), 'NULL') END"
            ),
        }
    }

    /// A statement that selects column and key of values of another type than their column has. PostgreSQL keeps the types
    /// itself.
    fn of_wrong_types(&self, backend: DbBackend) -> Option<String> {
        let mut cases = String::new();
        for column in &self.columns {
            let name = format!("\"{}\"", column.name);
            let mut wrong = Vec::new();
            if backend == DbBackend::Sqlite {
                wrong.push(format!(
                    "({name} IS NOT NULL AND NOT ({}))",
                    is_of(&column.kind, &name)
                ));
            }
            if !column.may_be_null {
                wrong.push(format!("{name} IS NULL"));
            }
            if !wrong.is_empty() {
                cases.push_str(&format!(
                    " WHEN {} THEN '{}'",
                    wrong.join(" OR "),
                    column.name
                ));
            }
        }
        (!cases.is_empty()).then(|| {
            format!(
                "SELECT one, two FROM (SELECT CASE{cases} END AS one, {} AS two FROM \"{}\") s \
                 WHERE one IS NOT NULL LIMIT {}",
                self.key_as_text(backend),
                self.name,
                NAMED + 1
            )
        })
    }
}

/// Whether a value that SQLite holds is one of a column's type.
fn is_of(kind: &ColumnType, name: &str) -> String {
    match kind {
        ColumnType::Uuid => format!("typeof({name}) = 'blob' AND length({name}) = 16"),
        ColumnType::BigInteger => format!("typeof({name}) = 'integer'"),
        ColumnType::Integer => {
            format!("typeof({name}) = 'integer' AND {name} BETWEEN -2147483648 AND 2147483647")
        }
        ColumnType::Boolean => format!("typeof({name}) = 'integer' AND {name} IN (0, 1)"),
        ColumnType::TimestampWithTimeZone => format!(
            "typeof({name}) = 'text' AND {name} GLOB '[0-9][0-9][0-9][0-9]-*' AND julianday({name}) IS NOT NULL"
        ),
        ColumnType::Date => format!("typeof({name}) = 'text' AND date({name}) IS {name}"),
        ColumnType::Json | ColumnType::JsonBinary => {
            format!("typeof({name}) IN ('text', 'blob') AND json_valid({name})")
        }
        _ => format!("typeof({name}) = 'text'"),
    }
}

async fn pairs<C: ConnectionTrait>(db: &C, sql: String) -> Result<Vec<(String, String)>> {
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await?;
    let pair = |row: &sea_orm::QueryResult| {
        let text = |column| String::try_get_by(row, column).map_err(sea_orm::DbErr::from);
        Ok((text("one")?, text("two")?))
    };
    rows.iter().map(pair).collect()
}
