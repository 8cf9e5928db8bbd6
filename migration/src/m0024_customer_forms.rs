//! Customers are told apart by domain and registration number: a name alone is no identity. What their names are
//! compared by has a version, and rows of an earlier one are rewritten when the program starts.

use crate::ddl;
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0024_customer_forms"
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

    /// Customers of the same name are merged or renamed first: the older schema has no room for them.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await
    }
}

const UP: &str = r#"
DROP INDEX customer_name
;;
DROP INDEX customer_name_only
;;
-- The registration numbers that were ever claimed. Writing one makes parallel claims on it wait for each other.
CREATE TABLE customer_number (
    number TEXT PRIMARY KEY
)
;;
-- The version of the canonical forms that every customer is stored in; no row before the first start.
CREATE TABLE customer_forms (
    version BIGINT PRIMARY KEY
)
"#;

const DOWN: &str = r#"
DROP TABLE customer_forms
;;
DROP TABLE customer_number
;;
CREATE UNIQUE INDEX customer_name ON customer (name_key, country) WHERE domain IS NULL AND country IS NOT NULL
;;
CREATE UNIQUE INDEX customer_name_only ON customer (name_key) WHERE domain IS NULL AND country IS NULL
"#;
