//! Jobs wait in lanes, each with its own runners, and have a priority within their lane. A failure is shown as a fixed
//! sentence: texts that quote a server's answer are replaced.

use sea_orm_migration::{
    prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager},
    sea_orm::ConnectionTrait,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0032_job_lanes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, DOWN).await
    }
}

/// A process of the previous version writes no lane: what it enqueues during the upgrade waits with the events.
const UP: &[&str] = &[
    "ALTER TABLE job ADD COLUMN lane TEXT NOT NULL DEFAULT 'BULK' CHECK (lane IN ('MONEY', 'BULK', 'MAIL'))",
    "ALTER TABLE job ADD COLUMN priority INTEGER NOT NULL DEFAULT 1",
    "UPDATE job SET lane = 'MAIL' WHERE topic = 'mail'",
    "UPDATE job SET lane = 'MONEY' WHERE topic IN ('payout.advance', 'payout.resume')",
    "UPDATE job SET last_error = 'The log has the cause under this job''s ID.' WHERE last_error IS NOT NULL",
    "DROP INDEX job_due",
    "CREATE INDEX job_due ON job (lane, priority, run_at, id) WHERE status = 'PENDING'",
];

const DOWN: &[&str] = &[
    "DROP INDEX job_due",
    "CREATE INDEX job_due ON job (run_at, id) WHERE status = 'PENDING'",
    "ALTER TABLE job DROP COLUMN priority",
    "ALTER TABLE job DROP COLUMN lane",
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
