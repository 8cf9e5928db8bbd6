//! Documents of rules, and what cannot be changed once a second person has activated it.

use crate::{ddl, m0020_fingerprints::refuse_replacing};
use sea_orm_migration::{
    prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager},
    sea_orm::DbBackend,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0040_rule_documents"
    }
}

/// What a document promises, and who answers for it.
const DOCUMENT: &str = "id, program_id, kind, name, number, document, effective_from, created_by, activated_by, activated_at, \
     created_at";
const PLAN: &str = "id, program_id, name, number, terms, currency, effective_from, created_by, activated_by, activated_at, \
     created_at";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, SQL).await?;
        let sql = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        ddl::run(manager, sql).await?;
        for (table, columns) in [("rule_document", DOCUMENT), ("incentive_plan", PLAN)] {
            let update = format!("UPDATE OF {columns}");
            ddl::refuse_when(manager, table, &update, "OLD.status <> 'DRAFT'").await?;
            ddl::refuse(manager, table, "DELETE").await?;
            ddl::refuse(manager, table, "TRUNCATE").await?;
            refuse_replacing(manager, table, &["id = NEW.id"]).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for verb in ["UPDATE", "DELETE", "TRUNCATE"] {
            ddl::allow(manager, "incentive_plan", verb).await?;
        }
        ddl::drop_tables(manager, &["rule_document"]).await?;
        let rest = match manager.get_database_backend() {
            DbBackend::Postgres => "DROP FUNCTION refuse_overlapping_rules()",
            _ => "DROP TRIGGER incentive_plan_no_replace",
        };
        ddl::run(manager, rest).await
    }
}

const SQL: &str = r#"
-- One version of a document of rules, of a programme or of the whole vendor. Several documents of a kind have names.
CREATE TABLE rule_document (
    id {id} PRIMARY KEY,
    program_id {id} REFERENCES program (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('DRAFT', 'ACTIVE', 'WITHDRAWN')),
    document {json} NOT NULL,
    effective_from {time} NOT NULL,
    effective_to {time},
    ended_by {id} REFERENCES rule_document (id),
    created_by {id} NOT NULL,
    activated_by {id},
    activated_at {time},
    took_effect_at {time},
    withdrawn_by {id},
    withdrawn_at {time},
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    CHECK (effective_to > effective_from),
    CHECK (activated_by <> created_by),
    CHECK ((activated_by IS NULL) = (activated_at IS NULL)),
    CHECK (status <> 'ACTIVE' OR activated_by IS NOT NULL),
    CHECK ((status = 'WITHDRAWN') = (withdrawn_at IS NOT NULL)),
    CHECK (ended_by IS NULL OR effective_to IS NOT NULL)
)
;;
-- NULL differs from NULL in an index, so documents of the vendor have indexes of their own.
CREATE UNIQUE INDEX rule_document_number ON rule_document (program_id, kind, name, number) WHERE program_id IS NOT NULL
;;
CREATE UNIQUE INDEX rule_document_vendor_number ON rule_document (kind, name, number) WHERE program_id IS NULL
;;
-- Of any number of activations at once, one leaves a version without end.
CREATE UNIQUE INDEX rule_document_endless ON rule_document (program_id, kind, name)
    WHERE program_id IS NOT NULL AND status = 'ACTIVE' AND effective_to IS NULL
;;
CREATE UNIQUE INDEX rule_document_vendor_endless ON rule_document (kind, name)
    WHERE program_id IS NULL AND status = 'ACTIVE' AND effective_to IS NULL
;;
-- What takes effect next.
CREATE INDEX rule_document_due ON rule_document (kind, effective_from, id) WHERE status = 'ACTIVE' AND took_effect_at IS NULL
"#;

const SQLITE: &str = r#"
CREATE TRIGGER rule_document_no_overlap_insert BEFORE INSERT ON rule_document WHEN NEW.status = 'ACTIVE' AND EXISTS (
    SELECT 1 FROM rule_document o WHERE o.status = 'ACTIVE' AND o.id <> NEW.id AND o.kind = NEW.kind AND o.name = NEW.name
    AND o.program_id IS NEW.program_id AND (o.effective_to IS NULL OR o.effective_to > NEW.effective_from)
    AND (NEW.effective_to IS NULL OR NEW.effective_to > o.effective_from)
) BEGIN SELECT RAISE(ABORT, 'rule_document overlaps another version'); END
;;
CREATE TRIGGER rule_document_no_overlap_update BEFORE UPDATE ON rule_document WHEN NEW.status = 'ACTIVE' AND EXISTS (
    SELECT 1 FROM rule_document o WHERE o.status = 'ACTIVE' AND o.id <> NEW.id AND o.kind = NEW.kind AND o.name = NEW.name
    AND o.program_id IS NEW.program_id AND (o.effective_to IS NULL OR o.effective_to > NEW.effective_from)
    AND (NEW.effective_to IS NULL OR NEW.effective_to > o.effective_from)
) BEGIN SELECT RAISE(ABORT, 'rule_document overlaps another version'); END
"#;

const POSTGRES: &str = r#"
CREATE FUNCTION refuse_overlapping_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM rule_document o WHERE o.status = 'ACTIVE' AND o.id <> NEW.id AND o.kind = NEW.kind
        AND o.name = NEW.name AND o.program_id IS NOT DISTINCT FROM NEW.program_id
        AND (o.effective_to IS NULL OR o.effective_to > NEW.effective_from)
        AND (NEW.effective_to IS NULL OR NEW.effective_to > o.effective_from)
    ) THEN RAISE EXCEPTION 'rule_document overlaps another version'; END IF;
    RETURN NEW;
END $$
;;
CREATE TRIGGER rule_document_no_overlap BEFORE INSERT OR UPDATE ON rule_document FOR EACH ROW
    WHEN (NEW.status = 'ACTIVE') EXECUTE FUNCTION refuse_overlapping_rules()
"#;
