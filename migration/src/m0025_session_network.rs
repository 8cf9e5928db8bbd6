//! From which network a session was begun, so that guessing from elsewhere does not keep its owner out.

use sea_orm_migration::{
    prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager},
    sea_orm::ConnectionTrait,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0025_session_network"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = "ALTER TABLE session ADD COLUMN network_hash TEXT";
        manager.get_connection().execute_unprepared(column).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = "ALTER TABLE session DROP COLUMN network_hash";
        manager.get_connection().execute_unprepared(column).await?;
        Ok(())
    }
}
