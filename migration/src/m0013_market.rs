//! Exchange rates, and the indexes of the history of background work.

use crate::ddl;
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0013_market"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await?;
        ddl::append_only(manager, &["exchange_rate"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, &["exchange_rate"]).await?;
        ddl::run(manager, DOWN).await
    }
}

const UP: &str = r#"
-- So much of one currency was worth so much of another on a day. A pair stands once, in the order of the codes; both
-- amounts are canonical decimal text, because a rate is exact only as their ratio. A correction is the next number.
CREATE TABLE exchange_rate (
    id {id} PRIMARY KEY,
    from_currency CHAR(3) NOT NULL,
    from_amount TEXT NOT NULL,
    to_currency CHAR(3) NOT NULL,
    to_amount TEXT NOT NULL,
    rate_on {date} NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    recorded_by {id},
    created_at {time} NOT NULL,
    UNIQUE (from_currency, to_currency, rate_on, number),
    CHECK (from_currency < to_currency)
)
;;
-- The rates of a currency that stands second.
CREATE INDEX exchange_rate_to ON exchange_rate (to_currency, from_currency, rate_on)
;;
-- The history of background work by status and by topic; the former serves dead letters, too.
CREATE INDEX job_status ON job (status, id)
;;
CREATE INDEX job_topic ON job (topic, id)
;;
DROP INDEX job_dead
"#;

const DOWN: &str = r#"
CREATE INDEX job_dead ON job (id) WHERE status = 'DEAD'
;;
DROP INDEX job_topic
;;
DROP INDEX job_status
"#;
