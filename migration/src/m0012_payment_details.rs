//! Where partners are paid: their accounts, sealed, and which of them each payment goes to.

use crate::ddl;
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0012_payment_details"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, SQL).await?;
        ddl::refuse(manager, "payment_details", "DELETE").await?;
        // What a payment goes to never changes: only that others took its place is noted, and the seal follows the secret.
        ddl::refuse(
            manager,
            "payment_details",
            "UPDATE OF id, partner_id, kind, country, last_four, set_by, created_at",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await?;
        ddl::drop_tables(manager, &["payment_details"]).await
    }
}

const SQL: &str = r#"
-- An account of a partner. Another account is another row; the details themselves are sealed under the master secret.
CREATE TABLE payment_details (
    id {id} PRIMARY KEY,
    partner_id {id} NOT NULL REFERENCES partner (id),
    kind TEXT NOT NULL CHECK (kind IN ('IBAN', 'ACCOUNT_NUMBER')),
    country CHAR(2) NOT NULL,
    last_four TEXT NOT NULL,
    sealed TEXT NOT NULL,
    set_by {id} NOT NULL,
    created_at {time} NOT NULL,
    replaced_at {time}
)
;;
-- A partner is paid to one account at a time.
CREATE UNIQUE INDEX payment_details_current ON payment_details (partner_id) WHERE replaced_at IS NULL
;;
-- Where a payment goes: the account that the partner had when it was calculated.
ALTER TABLE payout ADD COLUMN payment_details_id {id} REFERENCES payment_details (id)
"#;

const DOWN: &str = "ALTER TABLE payout DROP COLUMN payment_details_id";
