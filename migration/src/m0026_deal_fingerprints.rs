//! A deal has a fingerprint of its value, its parties, its rules, and how and when it ended. Earlier deals are listed
//! without one.

use crate::ddl;
use sea_orm_migration::{
    prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, DbBackend},
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0026_deal_fingerprints"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kind = match manager.get_database_backend() {
            DbBackend::Postgres => "UUID",
            _ => "BLOB",
        };
        let db = manager.get_connection();
        let column = format!("ALTER TABLE deal ADD COLUMN fingerprint {kind}");
        db.execute_unprepared(&column).await?;
        let before = "INSERT INTO row_fingerprint (row_id, table_name, fingerprint) SELECT id, 'deal', NULL FROM deal";
        db.execute_unprepared(before).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::allow(manager, "row_fingerprint", "DELETE").await?;
        let listed = "DELETE FROM row_fingerprint WHERE table_name = 'deal'";
        manager.get_connection().execute_unprepared(listed).await?;
        ddl::refuse(manager, "row_fingerprint", "DELETE").await?;
        let column = "ALTER TABLE deal DROP COLUMN fingerprint";
        manager.get_connection().execute_unprepared(column).await?;
        Ok(())
    }
}
