//! Rows that decide money get a fingerprint beside them, cannot be replaced or removed, and sums have a bound of their own.

use crate::ddl;
use sea_orm_migration::{
    prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, DbBackend, Statement},
};

pub struct Migration;

/// The bound of one amount, and that of a sum of amounts: two sums still fit 64 bits.
const AMOUNT: &str = "1000000000000000";
const SUM: &str = "4000000000000000000";

/// Columns that hold sums of amounts.
const SUMS: [(&str, &[&str]); 7] = [
    ("ledger_account", &["balance_minor"]),
    ("ledger_entry", &["amount_minor"]),
    ("payout", &["amount_minor"]),
    ("payout_exception", &["amount_minor"]),
    ("rebate_volume", &["volume_minor", "rebate_minor"]),
    (
        "rebate_entry",
        &["rebate_minor", "volume_after_minor", "rebate_after_minor"],
    ),
    (
        "partner_statement",
        &[
            "opening_minor",
            "earned_minor",
            "adjustments_minor",
            "paid_minor",
        ],
    ),
];

/// Tables whose rows get a fingerprint; rows of before are listed without one.
const FINGERPRINTED: [&str; 15] = [
    "accrual",
    "attribution_credit",
    "attribution_run",
    "audit_event",
    "deal_refund",
    "exchange_rate",
    "incentive_plan",
    "partner_statement",
    "payment_details",
    "payout",
    "payout_exception",
    "payout_run",
    "program_version",
    "rebate_entry",
    "touchpoint",
];

/// Tables of facts by their keys: an INSERT of a key that exists would replace the row where SQLite is told so.
const KEYS: [(&str, &[&str]); 16] = [
    (
        "accrual",
        &[
            "id = NEW.id",
            "deal_id = NEW.deal_id AND plan_id = NEW.plan_id AND component = NEW.component \
             AND partner_id = NEW.partner_id AND kind = NEW.kind AND kind <> 'CLAWBACK'",
            "refund_id = NEW.refund_id AND plan_id = NEW.plan_id AND component = NEW.component \
             AND partner_id = NEW.partner_id AND available_at = NEW.available_at AND kind = 'CLAWBACK' \
             AND NEW.kind = 'CLAWBACK'",
        ],
    ),
    (
        "attribution_credit",
        &[
            "id = NEW.id",
            "run_id = NEW.run_id AND position = NEW.position",
        ],
    ),
    ("attribution_run", &["id = NEW.id"]),
    ("audit_event", &["id = NEW.id"]),
    (
        "audit_seal",
        &[
            "position = NEW.position",
            "audit_event_id = NEW.audit_event_id",
        ],
    ),
    ("deal_refund", &["id = NEW.id"]),
    ("exchange_rate", &["id = NEW.id"]),
    ("ledger_entry", &["id = NEW.id"]),
    ("ledger_transaction", &["id = NEW.id"]),
    (
        "partner_statement",
        &[
            "id = NEW.id",
            "partner_id = NEW.partner_id AND currency = NEW.currency \
             AND period_start = NEW.period_start AND period_end = NEW.period_end",
        ],
    ),
    ("payment_details", &["id = NEW.id"]),
    (
        "payout",
        &[
            "id = NEW.id",
            "run_id = NEW.run_id AND partner_id = NEW.partner_id AND currency = NEW.currency",
        ],
    ),
    (
        "payout_exception",
        &[
            "id = NEW.id",
            "run_id = NEW.run_id AND partner_id = NEW.partner_id AND currency = NEW.currency",
        ],
    ),
    (
        "rebate_entry",
        &[
            "id = NEW.id",
            "deal_id = NEW.deal_id AND plan_id = NEW.plan_id AND component = NEW.component \
             AND refund_id IS NULL AND NEW.refund_id IS NULL",
            "refund_id = NEW.refund_id AND plan_id = NEW.plan_id AND component = NEW.component",
        ],
    ),
    (
        "row_fingerprint",
        &["row_id = NEW.row_id AND table_name = NEW.table_name"],
    ),
    ("touchpoint", &["id = NEW.id"]),
];

/// Changes that tables refuse from now on, beside those that they refuse already.
const REFUSED: [(&str, &str); 6] = [
    ("attribution_run", "DELETE"),
    (
        "attribution_run",
        "UPDATE OF id, deal_id, program_version_id, model, official, basis, value_minor, currency, as_of, inputs_hash, \
         created_at",
    ),
    ("payout", "DELETE"),
    (
        "payout",
        "UPDATE OF id, number, run_id, partner_id, amount_minor, currency, line_count, created_at",
    ),
    ("payout_run", "DELETE"),
    (
        "payout_run",
        "UPDATE OF id, number, program_id, program_version_id, period_start, period_end, created_by, created_at",
    ),
];

/// Tables that refuse DELETE from now on, and so TRUNCATE.
const KEPT: [&str; 3] = ["attribution_run", "payout", "payout_run"];

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0020_fingerprints"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, SQL).await?;
        for table in FINGERPRINTED {
            let known = format!(
                "INSERT INTO row_fingerprint (row_id, table_name, fingerprint) SELECT id, '{table}', NULL FROM {table}"
            );
            manager.get_connection().execute_unprepared(&known).await?;
        }
        ddl::append_only(manager, &["row_fingerprint"]).await?;
        ddl::refuse(manager, "row_fingerprint", "TRUNCATE").await?;
        for (table, change) in REFUSED {
            ddl::refuse(manager, table, change).await?;
        }
        for table in KEPT {
            ddl::refuse(manager, table, "TRUNCATE").await?;
        }
        for (table, keys) in KEYS {
            refuse_replacing(manager, table, keys).await?;
        }
        bound(manager, AMOUNT, SUM).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        bound(manager, SUM, AMOUNT).await?;
        if !is_postgres(manager) {
            for (table, _) in KEYS {
                let drop = format!("DROP TRIGGER {table}_no_replace");
                manager.get_connection().execute_unprepared(&drop).await?;
            }
        }
        for table in KEPT {
            ddl::allow(manager, table, "TRUNCATE").await?;
        }
        for (table, change) in REFUSED {
            let verb = change.split(' ').next().unwrap_or(change);
            ddl::allow(manager, table, verb).await?;
        }
        ddl::drop_tables(manager, &["row_fingerprint"]).await?;
        ddl::run(manager, "ALTER TABLE audit_event DROP COLUMN fingerprint").await
    }
}

const SQL: &str = r#"
-- What a row said when it was written, in 16 bytes of SHA-256 over its columns that never change. A row without one is
-- older than fingerprints: only that it exists is known. Rows of the audit trail carry their fingerprint themselves.
CREATE TABLE row_fingerprint (
    row_id {id} NOT NULL,
    table_name TEXT NOT NULL,
    fingerprint {id},
    PRIMARY KEY (row_id, table_name)
)
;;
ALTER TABLE audit_event ADD COLUMN fingerprint {id}
"#;

fn is_postgres(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DbBackend::Postgres
}

/// SQLite fires no DELETE trigger for a row that REPLACE removes, unless the connection asks for it.
pub(crate) async fn refuse_replacing(
    manager: &SchemaManager<'_>,
    table: &str,
    keys: &[&str],
) -> Result<(), DbErr> {
    if is_postgres(manager) {
        return Ok(());
    }
    // One lookup per key: an OR over several indexes would scan the table.
    let exists: Vec<_> = keys
        .iter()
        .map(|key| format!("EXISTS (SELECT 1 FROM {table} WHERE {key})"))
        .collect();
    let trigger = format!(
        "CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {} \
         BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
        exists.join(" OR ")
    );
    manager
        .get_connection()
        .execute_unprepared(&trigger)
        .await?;
    Ok(())
}

/// Gives the columns of sums another bound.
async fn bound(manager: &SchemaManager<'_>, from: &str, to: &str) -> Result<(), DbErr> {
    for (table, columns) in SUMS {
        for column in columns {
            if is_postgres(manager) {
                constrain(manager, table, column, from, to).await?;
            } else {
                rewrite(manager, table, column, from, to).await?;
            }
        }
    }
    if !is_postgres(manager) {
        // Connections that hold the schema in memory read it again.
        let connection = manager.get_connection();
        let version = connection
            .query_one_raw(Statement::from_string(
                DbBackend::Sqlite,
                "PRAGMA schema_version",
            ))
            .await?
            .ok_or_else(|| DbErr::Custom("SQLite has no schema version".to_owned()))?;
        let version: i64 = version.try_get_by_index(0)?;
        let next = format!("PRAGMA schema_version = {}", version + 1);
        connection.execute_unprepared(&next).await?;
        connection
            .execute_unprepared("PRAGMA writable_schema = OFF")
            .await?;
    }
    Ok(())
}

/// The constraint is found by what it says: its name depends on what else the column promises.
async fn constrain(
    manager: &SchemaManager<'_>,
    table: &str,
    column: &str,
    from: &str,
    to: &str,
) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let find = format!(
        "SELECT conname::text AS name, pg_get_constraintdef(oid) AS text FROM pg_constraint \
         WHERE conrelid = '{table}'::regclass AND contype = 'c' \
         AND pg_get_constraintdef(oid) LIKE 'CHECK ((({column} >= ''-{from}''::bigint) AND%'"
    );
    let found = connection
        .query_one_raw(Statement::from_string(DbBackend::Postgres, find))
        .await?
        .ok_or_else(|| DbErr::Custom(format!("{table}.{column} has no bound of {from}")))?;
    let name: String = found.try_get("", "name")?;
    let text: String = found.try_get("", "text")?;
    let text = text.replace(from, to);
    let alter = format!("ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {text}");
    connection.execute_unprepared(&alter).await?;
    Ok(())
}

/// SQLite alters no constraint; but a CHECK is nothing but text, which may be exchanged where the rows stay as they are
/// (https://sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes").
async fn rewrite(
    manager: &SchemaManager<'_>,
    table: &str,
    column: &str,
    from: &str,
    to: &str,
) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let check = |bound: &str| format!("CHECK ({column} BETWEEN -{bound} AND {bound})");
    connection
        .execute_unprepared("PRAGMA writable_schema = ON")
        .await?;
    let update = format!(
        "UPDATE sqlite_master SET sql = replace(sql, '{}', '{}') \
         WHERE type = 'table' AND name = '{table}' AND instr(sql, '{}') > 0",
        check(from),
        check(to),
        check(from),
    );
    if connection
        .execute_unprepared(&update)
        .await?
        .rows_affected()
        == 1
    {
        Ok(())
    } else {
        Err(DbErr::Custom(format!(
            "{table}.{column} has no bound of {from}"
        )))
    }
}
