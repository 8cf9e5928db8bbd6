//! Deals are new business or renewals, and volume rebates keep count of what a partner sold in a period.

use crate::ddl;
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0011_renewals_and_rebates"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, SQL).await?;
        ddl::append_only(manager, &["rebate_entry"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, &["rebate_entry", "rebate_volume"]).await?;
        ddl::run(manager, DOWN).await
    }
}

const SQL: &str = r#"
-- What was there before is new business.
ALTER TABLE deal ADD COLUMN business TEXT NOT NULL DEFAULT 'NEW_BUSINESS' CHECK (business IN ('NEW_BUSINESS', 'RENEWAL'))
;;
ALTER TABLE deal_registration ADD COLUMN business TEXT NOT NULL DEFAULT 'NEW_BUSINESS'
    CHECK (business IN ('NEW_BUSINESS', 'RENEWAL'))
;;
-- What a partner sold under a component of a plan in a calendar period, and the rebate that was booked on it. Whoever
-- books locks the row, so that no volume is lost between two deals won at once.
CREATE TABLE rebate_volume (
    plan_id {id} NOT NULL REFERENCES incentive_plan (id),
    component INTEGER NOT NULL,
    partner_id {id} NOT NULL REFERENCES partner (id),
    period_start {date} NOT NULL,
    volume_minor {money:volume_minor} NOT NULL CHECK (volume_minor >= 0),
    rebate_minor {money:rebate_minor} NOT NULL CHECK (rebate_minor >= 0),
    updated_at {time} NOT NULL,
    PRIMARY KEY (plan_id, component, partner_id, period_start)
)
;;
-- What a won deal or a refund added to a volume and to its rebate, and what they came to.
CREATE TABLE rebate_entry (
    id {id} PRIMARY KEY,
    plan_id {id} NOT NULL REFERENCES incentive_plan (id),
    component INTEGER NOT NULL,
    partner_id {id} NOT NULL REFERENCES partner (id),
    period_start {date} NOT NULL,
    deal_id {id} NOT NULL REFERENCES deal (id),
    refund_id {id} REFERENCES deal_refund (id),
    volume_minor {money:volume_minor} NOT NULL CHECK (volume_minor <> 0),
    rebate_minor {money:rebate_minor} NOT NULL,
    volume_after_minor {money:volume_after_minor} NOT NULL CHECK (volume_after_minor >= 0),
    rebate_after_minor {money:rebate_after_minor} NOT NULL CHECK (rebate_after_minor >= 0),
    created_at {time} NOT NULL,
    CHECK ((refund_id IS NULL) = (volume_minor > 0))
)
;;
-- A deal counts once; a refund takes off once.
CREATE UNIQUE INDEX rebate_entry_once ON rebate_entry (deal_id, plan_id, component) WHERE refund_id IS NULL
;;
CREATE UNIQUE INDEX rebate_entry_refund_once ON rebate_entry (refund_id, plan_id, component) WHERE refund_id IS NOT NULL
;;
-- The entries of a deal, and those behind a volume.
CREATE INDEX rebate_entry_deal ON rebate_entry (deal_id, id)
;;
CREATE INDEX rebate_entry_volume ON rebate_entry (plan_id, component, partner_id, period_start)
"#;

const DOWN: &str =
    "ALTER TABLE deal DROP COLUMN business ;; ALTER TABLE deal_registration DROP COLUMN business";
