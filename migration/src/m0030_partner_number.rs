//! The registration number of a partner, by which two records of one company are found.

use sea_orm_migration::{
    prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager},
    sea_orm::ConnectionTrait,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0030_partner_number"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &DOWN).await
    }
}

const UP: [&str; 4] = [
    "ALTER TABLE partner ADD COLUMN registration_number TEXT",
    "CREATE INDEX partner_registration_number ON partner (registration_number, id) \
     WHERE registration_number IS NOT NULL",
    "CREATE INDEX partner_registration_number_name ON partner (registration_number, name_key, id) \
     WHERE registration_number IS NOT NULL",
    // One row of each number, which those who record it lock.
    "CREATE TABLE partner_number (number TEXT PRIMARY KEY)",
];

const DOWN: [&str; 4] = [
    "DROP TABLE partner_number",
    "DROP INDEX partner_registration_number_name",
    "DROP INDEX partner_registration_number",
    "ALTER TABLE partner DROP COLUMN registration_number",
];

async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        manager
            .get_connection()
            .execute_unprepared(statement)
            .await?;
    }
    Ok(())
}
