//! A client of the database with every right, past all that guards its rows.

use std::collections::BTreeSet;

use ensemble::platform::ids;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use uuid::Uuid;

use crate::{durability::account::observer, support::TestApp};

/// An id of no row, for columns of ids.
pub const FOREIGN: u128 = 0x0190_0000_0000_7000_8000_0000_0000_0bad;

/// A client with every right, past all triggers, references and checks.
pub struct Client {
    pub db: DatabaseConnection,
}

impl Client {
    pub async fn open(t: &TestApp) -> Self {
        let client = Self {
            db: observer(t.url()).await,
        };
        match client.db.get_database_backend() {
            DbBackend::Postgres => {
                client.run("SET session_replication_role = replica").await;
                let checks = "SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || conname AS name \
                     FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0";
                for sql in client.texts(checks).await {
                    client.run(&sql).await;
                }
            }
            _ => {
                client.run("PRAGMA foreign_keys = OFF").await;
                client.run("PRAGMA ignore_check_constraints = ON").await;
                let triggers = "SELECT 'DROP TRIGGER ' || name AS name FROM sqlite_master WHERE type = 'trigger'";
                for sql in client.texts(triggers).await {
                    client.run(&sql).await;
                }
            }
        }
        client
    }

    pub async fn run(&self, sql: &str) -> u64 {
        let done = self.db.execute_unprepared(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"))
            .rows_affected()
    }

    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = Statement::from_string(self.db.get_database_backend(), sql);
        let rows = self.db.query_all_raw(rows).await.unwrap();
        let text = |row: &sea_orm::QueryResult| row.try_get("", "name").unwrap();
        rows.iter().map(text).collect()
    }

    pub fn is_postgres(&self) -> bool {
        self.db.get_database_backend() == DbBackend::Postgres
    }

    pub async fn tables(&self) -> BTreeSet<String> {
        let sql = if self.is_postgres() {
            "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public'"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        };
        self.texts(sql).await.into_iter().collect()
    }

    pub async fn columns(&self, table: &str) -> Vec<String> {
        let sql = if self.is_postgres() {
            format!(
                "SELECT column_name::text AS name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
            )
        } else {
            format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid")
        };
        self.texts(&sql).await
    }

    /// The ids in one row of a table, as they are named without their prefix.
    pub async fn names(&self, table: &str, row: &str) -> Vec<String> {
        let mut names = Vec::new();
        for column in self.columns(table).await {
            if column != "id" && !column.ends_with("_id") && column != "row_id" {
                continue;
            }
            let hex = if self.is_postgres() {
                format!("COALESCE(replace({column}::text, '-', ''), '')")
            } else {
                format!("COALESCE(lower(hex({column})), '')")
            };
            let sql = format!("SELECT {hex} AS name FROM \"{table}\" WHERE {row}");
            let texts = self.texts(&sql).await;
            assert_eq!(texts.len(), 1, "{sql}");
            names.extend(texts.iter().filter_map(|text| Uuid::parse_str(text).ok()));
        }
        names.iter().map(|id| ids::encode("", *id)).collect()
    }

    /// Another value than the one that a row has.
    pub fn other(&self, table: &str, column: &str) -> String {
        let fixed = match (table, column) {
            ("ledger_transaction", "kind") => Some("'HOLDBACK_RELEASE'"),
            ("ledger_account", "kind") => Some("'CASH'"),
            ("payout_run", "status") => Some("'REVIEW'"),
            ("incentive_plan", "status") => Some("'RETIRED'"),
            ("payout", "status") => Some("'APPROVED'"),
            ("deal", "status") => Some("'LOST'"),
            (_, "currency" | "from_currency" | "to_currency") => Some("'CHF'"),
            (_, "country") => Some("'XX'"),
            ("audit_seal", "position") => Some("position + 1000000"),
            (_, "period") => Some("'1999-01'"),
            (_, "official") => Some("NOT official"),
            (_, "period_start" | "period_end" | "rate_on") => Some("'1999-01-01'"),
            (_, "at" | "as_of" | "effective_from" | "effective_to") => {
                Some("'1999-01-01 00:00:00+00:00'")
            }
            _ => None,
        };
        if let Some(fixed) = fixed {
            return fixed.to_owned();
        }
        if column.ends_with("_at") {
            return "'1999-01-01 00:00:00+00:00'".to_owned();
        }
        if ["terms", "settings", "details"].contains(&column) {
            return if self.is_postgres() {
                format!("jsonb_set({column}, '{{clawback_days}}', '7')")
            } else {
                format!("json_set({column}, '$.clawback_days', 7)")
            };
        }
        let is_id = column == "id"
            || column.ends_with("_id") && column != "external_id"
            || column.ends_with("_by")
            || column == "recorded_by_partner"
            || (table, column) == ("row_fingerprint", "fingerprint");
        if is_id {
            return self.id(FOREIGN);
        }
        let is_number = column.ends_with("_minor")
            || column.ends_with("_ppm")
            || [
                "component",
                "weight",
                "position",
                "touches",
                "number",
                "line_count",
                "payments",
                "attempt",
            ]
            .contains(&column)
                && !(column == "number" && table.starts_with("payout"));
        if is_number {
            format!("COALESCE({column}, 0) + 1")
        } else {
            format!("COALESCE({column}, '') || 'x'")
        }
    }

    pub fn id(&self, id: u128) -> String {
        let id = Uuid::from_u128(id);
        if self.is_postgres() {
            format!("'{id}'")
        } else {
            format!("x'{}'", id.simple())
        }
    }

    /// Which row of a table is altered: one that was paid, or taken back, where there are several.
    pub fn row(&self, table: &str) -> String {
        let first = |key: &str, only: &str| {
            format!("{key} = (SELECT {key} FROM \"{table}\" WHERE {only} ORDER BY {key} LIMIT 1)")
        };
        match table {
            "accrual" => first("id", "payout_id IS NOT NULL"),
            "attribution_run" => first("id", "official"),
            "deal" => first("id", "refunded_minor > 0"),
            "payout" => first("id", "status = 'PAID'"),
            "payout_run" => first("id", "status = 'COMPLETED'"),
            "incentive_plan" => first("id", "activated_at IS NOT NULL"),
            "ledger_account" => first("id", "partner_id IS NOT NULL AND balance_minor <> 0"),
            "audit_event" => first("id", "id IN (SELECT audit_event_id FROM audit_seal)"),
            "audit_seal" => first("position", "position > 2"),
            "row_fingerprint" => first("row_id", "table_name = 'accrual'"),
            "rebate_volume" => "volume_minor > 0".to_owned(),
            _ => first("id", "TRUE"),
        }
    }

    pub async fn keep(&self, table: &str) {
        self.run(&format!(
            "CREATE TABLE kept_{table} AS SELECT * FROM \"{table}\""
        ))
        .await;
    }

    pub async fn restore(&self, table: &str) {
        self.run(&format!("DELETE FROM \"{table}\"")).await;
        self.run(&format!(
            "INSERT INTO \"{table}\" SELECT * FROM kept_{table}"
        ))
        .await;
        self.run(&format!("DROP TABLE kept_{table}")).await;
    }

    pub async fn alter(&self, table: &str, column: &str) {
        let sql = format!(
            "UPDATE \"{table}\" SET {column} = {} WHERE {}",
            self.other(table, column),
            self.row(table)
        );
        assert_eq!(self.run(&sql).await, 1, "{sql}");
    }
}
