//! A deal's fingerprint covers how and when it ended. Touchpoints have a fingerprint of their confirmation, deal
//! participants of their role and status, and payment files of their content. Earlier rows are listed without one.

use crate::ddl;
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0031_sealed_status"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::allow(manager, "row_fingerprint", "UPDATE").await?;
        ddl::run(manager, UP).await?;
        ddl::refuse(manager, "row_fingerprint", "UPDATE").await
    }

    /// The original values of touchpoints can no longer be restored.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::allow(manager, "row_fingerprint", "DELETE").await?;
        ddl::run(manager, DOWN).await?;
        ddl::refuse(manager, "row_fingerprint", "DELETE").await
    }
}

const UP: &str = r#"
INSERT INTO row_fingerprint (row_id, table_name, fingerprint)
SELECT d.id, 'deal', NULL FROM deal d
WHERE NOT EXISTS (SELECT 1 FROM row_fingerprint f WHERE f.row_id = d.id AND f.table_name = 'deal')
;;
UPDATE deal SET fingerprint = NULL
;;
ALTER TABLE touchpoint ADD COLUMN fingerprint {id}
;;
UPDATE row_fingerprint SET fingerprint = NULL WHERE table_name = 'touchpoint'
;;
ALTER TABLE deal_participant ADD COLUMN fingerprint {id}
;;
INSERT INTO row_fingerprint (row_id, table_name, fingerprint) SELECT id, 'deal_participant', NULL FROM deal_participant
;;
ALTER TABLE payout_export RENAME TO payout_export_before
;;
DROP INDEX payout_export_run
;;
DROP INDEX payout_export_store
;;
CREATE TABLE payout_export (
    id {id} PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    run_id {id} NOT NULL REFERENCES payout_run (id),
    store_id {id} NOT NULL,
    claim_id {id} NOT NULL,
    content_hash TEXT NOT NULL,
    payments BIGINT NOT NULL,
    claimed_at {time} NOT NULL,
    written_at {time},
    fingerprint {id}
)
;;
INSERT INTO payout_export (id, name, run_id, store_id, claim_id, content_hash, payments, claimed_at, written_at)
SELECT claim_id, name, run_id, store_id, claim_id, content_hash, payments, claimed_at, written_at FROM payout_export_before
;;
INSERT INTO row_fingerprint (row_id, table_name, fingerprint) SELECT id, 'payout_export', NULL FROM payout_export
;;
DROP TABLE payout_export_before
;;
CREATE INDEX payout_export_run ON payout_export (run_id, name)
;;
CREATE INDEX payout_export_store ON payout_export (store_id, name)
"#;

const DOWN: &str = r#"
DELETE FROM row_fingerprint WHERE table_name IN ('payout_export', 'deal_participant')
;;
ALTER TABLE deal_participant DROP COLUMN fingerprint
;;
ALTER TABLE touchpoint DROP COLUMN fingerprint
;;
ALTER TABLE payout_export RENAME TO payout_export_after
;;
DROP INDEX payout_export_run
;;
DROP INDEX payout_export_store
;;
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
INSERT INTO payout_export (name, run_id, store_id, claim_id, content_hash, payments, claimed_at, written_at)
SELECT name, run_id, store_id, claim_id, content_hash, payments, claimed_at, written_at FROM payout_export_after
;;
DROP TABLE payout_export_after
;;
CREATE INDEX payout_export_run ON payout_export (run_id, name)
;;
CREATE INDEX payout_export_store ON payout_export (store_id, name)
"#;
