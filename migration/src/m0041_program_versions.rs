//! A version of a programme's rules is never changed. What became of a scheduled one is a fact of its own: it took
//! effect, or it was withdrawn, and then its date is free again.

use crate::{ddl, m0020_fingerprints::refuse_replacing};
use sea_orm_migration::{
    prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager},
    sea_orm::DbBackend,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0041_program_versions"
    }
}

const TABLES: [&str; 2] = ["program_version", "program_version_outcome"];
const BY_NUMBER: &str = "UNIQUE (program_id, number)";
const BY_DATE: &str = "UNIQUE (program_id, effective_from)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            let drop = "ALTER TABLE program_version DROP CONSTRAINT program_version_program_id_effective_from_key";
            ddl::run(manager, drop).await?;
        } else {
            let both = format!("{BY_NUMBER},\n    {BY_DATE}");
            ddl::rewrite(manager, "program_version", &[(&both, BY_NUMBER)]).await?;
        }
        ddl::run(manager, SQL).await?;
        let now = match manager.get_database_backend() {
            DbBackend::Postgres => "now()",
            _ => "strftime('%Y-%m-%d %H:%M:%f', 'now')",
        };
        ddl::run(manager, &format!("{TAKEN} {now}")).await?;
        ddl::append_only(manager, &TABLES).await?;
        for table in TABLES {
            ddl::refuse(manager, table, "TRUNCATE").await?;
        }
        refuse_replacing(
            manager,
            "program_version",
            &[
                "id = NEW.id",
                "program_id = NEW.program_id AND number = NEW.number",
            ],
        )
        .await?;
        refuse_replacing(
            manager,
            "program_version_outcome",
            &["version_id = NEW.version_id"],
        )
        .await
    }

    /// Refused by the older constraint while two versions begin at the same instant.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, &["program_version_outcome"]).await?;
        for verb in ["UPDATE", "DELETE", "TRUNCATE"] {
            ddl::allow(manager, "program_version", verb).await?;
        }
        if manager.get_database_backend() == DbBackend::Postgres {
            ddl::run(manager, "DROP INDEX program_version_date").await?;
            let add = format!(
                "ALTER TABLE program_version ADD CONSTRAINT program_version_program_id_effective_from_key {BY_DATE}"
            );
            return ddl::run(manager, &add).await;
        }
        let drop = "DROP TRIGGER program_version_no_replace ;; DROP INDEX program_version_date";
        ddl::run(manager, drop).await?;
        let both = format!("{BY_NUMBER},\n    {BY_DATE}");
        ddl::rewrite(manager, "program_version", &[(BY_NUMBER, &both)]).await
    }
}

/// Versions whose date has come have been in force.
const TAKEN: &str = "INSERT INTO program_version_outcome (version_id, outcome, at) \
     SELECT id, 'TOOK_EFFECT', effective_from FROM program_version \
     WHERE created_at < effective_from AND effective_from <=";

const SQL: &str = r#"
CREATE INDEX program_version_date ON program_version (program_id, effective_from)
;;
-- What became of a version that was written before its date. One that holds from the instant it is written on has none.
CREATE TABLE program_version_outcome (
    version_id {id} PRIMARY KEY REFERENCES program_version (id),
    outcome TEXT NOT NULL CHECK (outcome IN ('TOOK_EFFECT', 'WITHDRAWN')),
    at {time} NOT NULL,
    decided_by {id},
    reason TEXT,
    CHECK (outcome = 'WITHDRAWN' OR reason IS NULL)
)
"#;
