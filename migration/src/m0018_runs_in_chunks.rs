//! Payout runs are calculated, and given up, in chunks: two states more, and how far a calculation came.

use crate::ddl;
use sea_orm_migration::{
    prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, DbBackend},
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0018_runs_in_chunks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let states = format!("{STATES}, 'CALCULATING', 'CANCELLING'");
        if is_postgres(manager) {
            let column = "ALTER TABLE payout_run ADD COLUMN after_partner_id UUID";
            manager.get_connection().execute_unprepared(column).await?;
            constrain(manager, &states).await
        } else {
            let kept = format!("{COLUMNS}, NULL");
            rebuild(manager, &states, "after_partner_id BLOB,", &kept).await
        }
    }

    /// A run that is under way is brought to its end first: the older schema cannot say where it stands.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if is_postgres(manager) {
            constrain(manager, STATES).await?;
            let column = "ALTER TABLE payout_run DROP COLUMN after_partner_id";
            manager.get_connection().execute_unprepared(column).await?;
            Ok(())
        } else {
            rebuild(manager, STATES, "", COLUMNS).await
        }
    }
}

const STATES: &str =
    "'REVIEW', 'APPROVED', 'EXECUTING', 'COMPLETED', 'PARTIALLY_FAILED', 'CANCELLED'";

const COLUMNS: &str = "id, number, program_id, program_version_id, period_start, period_end, status, created_by, \
    approved_by, approved_at, executed_by, executed_at, completed_at, version, created_at, updated_at";

fn is_postgres(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DbBackend::Postgres
}

async fn constrain(manager: &SchemaManager<'_>, states: &str) -> Result<(), DbErr> {
    let alter = format!(
        "ALTER TABLE payout_run DROP CONSTRAINT payout_run_status_check, \
         ADD CONSTRAINT payout_run_status_check CHECK (status IN ({states}))"
    );
    manager.get_connection().execute_unprepared(&alter).await?;
    Ok(())
}

/// SQLite changes no constraint: the table is written anew. Payouts that refer to its rows find them again before the
/// end of the transaction.
async fn rebuild(
    manager: &SchemaManager<'_>,
    states: &str,
    added: &str,
    kept: &str,
) -> Result<(), DbErr> {
    let sql = format!(
        r#"
PRAGMA defer_foreign_keys = ON
;;
CREATE TABLE payout_run_kept AS SELECT * FROM payout_run
;;
DROP TABLE payout_run
;;
CREATE TABLE payout_run (
    id {{id}} PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    program_id {{id}} NOT NULL REFERENCES program (id),
    program_version_id {{id}} NOT NULL REFERENCES program_version (id),
    period_start {{date}} NOT NULL,
    period_end {{date}} NOT NULL,
    status TEXT NOT NULL CHECK (status IN ({states})),
    created_by {{id}} NOT NULL,
    approved_by {{id}},
    approved_at {{time}},
    executed_by {{id}},
    executed_at {{time}},
    completed_at {{time}},
    version BIGINT NOT NULL,
    created_at {{time}} NOT NULL,
    updated_at {{time}} NOT NULL,
    {added}
    CHECK (approved_by IS NULL OR approved_by <> created_by),
    CHECK (period_start <= period_end)
)
;;
INSERT INTO payout_run SELECT {kept} FROM payout_run_kept
;;
DROP TABLE payout_run_kept
;;
CREATE INDEX payout_run_program ON payout_run (program_id, id)
;;
CREATE INDEX payout_run_status ON payout_run (status, id)
"#
    );
    ddl::run(manager, &sql).await
}
