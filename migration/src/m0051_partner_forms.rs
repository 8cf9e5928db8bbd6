//! The canonical form of partners' registration numbers has a version, like that of customers. Rows in an earlier form
//! are rewritten at startup.

use crate::ddl;
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0051_partner_forms"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await
    }
}

const UP: &str = r#"
-- The version of the canonical forms that every partner is stored in; no row before the first start.
CREATE TABLE partner_forms (
    version BIGINT PRIMARY KEY
)
"#;

const DOWN: &str = "DROP TABLE partner_forms";
