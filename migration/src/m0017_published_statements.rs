//! Published statements: what partners were told of a period.

use crate::ddl;
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0017_published_statements"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, SQL).await?;
        ddl::append_only(manager, &["partner_statement"]).await?;
        ddl::refuse(manager, "partner_statement", "TRUNCATE").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, &["statement_publication", "partner_statement"]).await
    }
}

const SQL: &str = r#"
-- What a partner was told of a period in one currency, once. Nobody published it when the schedule did.
CREATE TABLE partner_statement (
    id {id} PRIMARY KEY,
    partner_id {id} NOT NULL REFERENCES partner (id),
    currency TEXT NOT NULL,
    period_start {date} NOT NULL,
    period_end {date} NOT NULL,
    opening_minor {money:opening_minor} NOT NULL,
    earned_minor {money:earned_minor} NOT NULL CHECK (earned_minor >= 0),
    adjustments_minor {money:adjustments_minor} NOT NULL CHECK (adjustments_minor <= 0),
    paid_minor {money:paid_minor} NOT NULL CHECK (paid_minor >= 0),
    published_by {id},
    published_at {time} NOT NULL,
    UNIQUE (partner_id, currency, period_start, period_end),
    CHECK (period_start <= period_end)
)
;;
-- A partner's statements, the latest period first.
CREATE INDEX partner_statement_period ON partner_statement (partner_id, period_end, id)
;;
-- The months whose statements the schedule took on: up to which partner it came, and when it was through.
CREATE TABLE statement_publication (
    period_start {date} PRIMARY KEY,
    after_partner_id {id},
    completed_at {time}
)
"#;
