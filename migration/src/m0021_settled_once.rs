//! What is settled once: lines that cancel out, the part of a deal that is still held, each attempt to pay, and each
//! payment file.

use crate::ddl;
use sea_orm_migration::{
    prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager},
    sea_orm::DbBackend,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0021_settled_once"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await?;
        if is_postgres(manager) {
            ddl::run(manager, &constraints(NOT_NEGATIVE, WITH_NETTED)).await
        } else {
            let changes = [(POSITIVE, NOT_NEGATIVE), (WITHOUT_NETTED, WITH_NETTED)];
            ddl::rewrite(manager, "payout", &changes).await
        }
    }

    /// Refused by the older constraints while there are payouts of nothing, or clawbacks in two parts.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if is_postgres(manager) {
            ddl::run(manager, &constraints(POSITIVE, WITHOUT_NETTED)).await?;
        } else {
            let changes = [(NOT_NEGATIVE, POSITIVE), (WITH_NETTED, WITHOUT_NETTED)];
            ddl::rewrite(manager, "payout", &changes).await?;
        }
        ddl::run(manager, DOWN).await?;
        ddl::drop_tables(manager, &["payout_export"]).await
    }
}

const POSITIVE: &str = "CHECK (amount_minor > 0)";
const NOT_NEGATIVE: &str = "CHECK (amount_minor >= 0)";
const WITHOUT_NETTED: &str = "CHECK (status IN ('REVIEW', 'APPROVED', 'EXECUTING', 'PAID', 'FAILED', 'UNKNOWN', 'CANCELLED'))";
const WITH_NETTED: &str = "CHECK (status IN ('REVIEW', 'APPROVED', 'EXECUTING', 'PAID', 'FAILED', 'UNKNOWN', 'CANCELLED', 'NETTED'))";

fn is_postgres(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DbBackend::Postgres
}

fn constraints(amount: &str, status: &str) -> String {
    format!(
        "ALTER TABLE payout DROP CONSTRAINT payout_amount_minor_check1, DROP CONSTRAINT payout_status_check, \
         ADD CONSTRAINT payout_amount_minor_check1 {amount}, ADD CONSTRAINT payout_status_check {status}"
    )
}

const UP: &str = r#"
-- A payment that failed is tried again as another attempt, under a key of its own.
ALTER TABLE payout ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1
;;
-- A refund claws back once from what a deal still has held, and once from what was available.
DROP INDEX accrual_clawback_once
;;
CREATE UNIQUE INDEX accrual_clawback_once ON accrual (refund_id, plan_id, component, partner_id, available_at) WHERE kind = 'CLAWBACK'
;;
-- A payment file: which claim of which store writes it, and what it holds. Decided here, so that there is one of it
-- however many processes with folders of their own pay the run.
CREATE TABLE payout_export (
    name TEXT PRIMARY KEY,
    run_id {id} NOT NULL REFERENCES payout_run (id),
    store_id {id} NOT NULL,
    claim_id {id} NOT NULL,
    content_hash TEXT NOT NULL,
    payments BIGINT NOT NULL,
    claimed_at {time} NOT NULL,
    written_at {time}
)
;;
CREATE INDEX payout_export_run ON payout_export (run_id, name)
;;
CREATE INDEX payout_export_store ON payout_export (store_id, name)
;;
-- Accounts that may be the same: what is sealed is compared only for these.
CREATE INDEX payment_details_alike ON payment_details (last_four, country, kind)
"#;

const DOWN: &str = r#"
DROP INDEX payment_details_alike
;;
DROP INDEX accrual_clawback_once
;;
CREATE UNIQUE INDEX accrual_clawback_once ON accrual (refund_id, plan_id, component, partner_id) WHERE kind = 'CLAWBACK'
;;
ALTER TABLE payout DROP COLUMN attempt
"#;
