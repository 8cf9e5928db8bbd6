//! The domain of an address that may belong to another company: a page below a host, or an unknown subdomain. It does
//! not identify a customer; customers that share it are left to a reviewer.

use crate::ddl;
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0050_domain_hint"
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
ALTER TABLE customer ADD COLUMN domain_hint TEXT
;;
CREATE INDEX customer_domain_hint ON customer (domain_hint, id) WHERE domain_hint IS NOT NULL
"#;

const DOWN: &str = r#"
DROP INDEX customer_domain_hint
;;
ALTER TABLE customer DROP COLUMN domain_hint
"#;
