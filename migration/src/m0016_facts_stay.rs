//! A table of facts cannot be emptied at a stroke: TRUNCATE asks no trigger of rows.

use crate::ddl;
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};

pub struct Migration;

/// Every table that refuses DELETE.
const FACTS: [&str; 15] = [
    "accrual",
    "attribution_credit",
    "audit_event",
    "audit_seal",
    "deal_refund",
    "deal_registration",
    "deal_stage_change",
    "exchange_rate",
    "ledger_entry",
    "ledger_transaction",
    "partner_lifecycle_event",
    "payment_details",
    "payout_exception",
    "rebate_entry",
    "touchpoint",
];

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0016_facts_stay"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in FACTS {
            ddl::refuse(manager, table, "TRUNCATE").await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in FACTS {
            ddl::allow(manager, table, "TRUNCATE").await?;
        }
        Ok(())
    }
}
