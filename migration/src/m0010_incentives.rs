//! Incentive plans and the commission lines (accruals) that follow from them.

use crate::ddl;
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0010_incentives"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, SQL).await?;
        ddl::refuse(manager, "accrual", "DELETE").await?;
        // Only the claim by a payout may change on a commission line.
        ddl::refuse(
            manager,
            "accrual",
            "UPDATE OF id, deal_id, plan_id, component, partner_id, kind, amount_minor, currency, weight, \
             pool_minor, run_id, refund_id, earned_at, available_at, created_at",
        )
        .await?;
        ddl::refuse(manager, "touchpoint", "DELETE").await?;
        ddl::refuse(
            manager,
            "touchpoint",
            "UPDATE OF id, deal_id, partner_id, kind, phase, milestone, occurred_at, evidence, corrects_id, \
             recorded_by, recorded_by_partner, recorded_at",
        )
        .await?;
        ddl::refuse(manager, "deal_registration", "DELETE").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, verb) in [
            ("deal_registration", "DELETE"),
            ("touchpoint", "UPDATE"),
            ("touchpoint", "DELETE"),
        ] {
            ddl::allow(manager, table, verb).await?;
        }
        ddl::drop_tables(manager, &["accrual", "incentive_plan"]).await
    }
}

const SQL: &str = r#"
-- A plan is immutable once active; a new version is a new row of the same name.
CREATE TABLE incentive_plan (
    id {id} PRIMARY KEY,
    program_id {id} NOT NULL REFERENCES program (id),
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('DRAFT', 'ACTIVE', 'RETIRED')),
    terms {json} NOT NULL,
    currency CHAR(3) NOT NULL,
    effective_from {time} NOT NULL,
    effective_to {time},
    created_by {id} NOT NULL,
    activated_by {id},
    activated_at {time},
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    UNIQUE (program_id, name, number),
    CHECK (activated_by IS NULL OR activated_by <> created_by)
)
;;
CREATE INDEX incentive_plan_active ON incentive_plan (program_id, status, effective_from)
;;
-- A commission line. It is in at most one payout, because it names at most one and only ever once.
CREATE TABLE accrual (
    id {id} PRIMARY KEY,
    deal_id {id} NOT NULL REFERENCES deal (id),
    plan_id {id} NOT NULL REFERENCES incentive_plan (id),
    component INTEGER NOT NULL,
    partner_id {id} NOT NULL REFERENCES partner (id),
    program_id {id} NOT NULL REFERENCES program (id),
    kind TEXT NOT NULL CHECK (kind IN ('EARNED', 'HOLDBACK', 'CLAWBACK')),
    amount_minor {money:amount_minor} NOT NULL CHECK (amount_minor <> 0),
    currency CHAR(3) NOT NULL,
    weight BIGINT NOT NULL,
    pool_minor {money:pool_minor} NOT NULL,
    run_id {id} REFERENCES attribution_run (id),
    refund_id {id} REFERENCES deal_refund (id),
    earned_at {time} NOT NULL,
    available_at {time} NOT NULL,
    payout_id {id} REFERENCES payout (id),
    created_at {time} NOT NULL,
    CHECK ((kind = 'CLAWBACK') = (amount_minor < 0)),
    CHECK ((kind = 'CLAWBACK') = (refund_id IS NOT NULL))
)
;;
-- A deal earns once per plan, component, partner and kind; a refund claws back once.
CREATE UNIQUE INDEX accrual_once ON accrual (deal_id, plan_id, component, partner_id, kind) WHERE kind <> 'CLAWBACK'
;;
CREATE UNIQUE INDEX accrual_clawback_once ON accrual (refund_id, plan_id, component, partner_id) WHERE kind = 'CLAWBACK'
;;
CREATE INDEX accrual_deal ON accrual (deal_id, id)
;;
-- What the next payout run may claim.
CREATE INDEX accrual_unpaid ON accrual (program_id, partner_id, currency, available_at) WHERE payout_id IS NULL
;;
-- Which holdback is released next.
CREATE INDEX accrual_held ON accrual (available_at, id) WHERE kind = 'HOLDBACK' AND payout_id IS NULL
;;
CREATE INDEX accrual_payout ON accrual (payout_id, id)
;;
-- Statements: the lines of one partner by time.
CREATE INDEX accrual_partner ON accrual (partner_id, earned_at, id)
"#;
