//! An index for every filter and order of the API's lists: the filtered column, the order, the id.

use crate::ddl;
use sea_orm_migration::{
    prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, DbBackend},
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0015_list_indexes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        code_type(manager, "TEXT").await?;
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await?;
        code_type(manager, "CHAR").await
    }
}

/// The codes that rows are found by. PostgreSQL compares a CHAR with a bound text as texts, past every index over
/// it; SQLite knows but one kind of text.
async fn code_type(manager: &SchemaManager<'_>, kind: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if connection.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    for (table, column, length) in [
        ("customer", "country", 2),
        ("ledger_account", "currency", 3),
        ("exchange_rate", "from_currency", 3),
        ("exchange_rate", "to_currency", 3),
    ] {
        let length = if kind == "TEXT" {
            String::new()
        } else {
            format!("({length})")
        };
        let alter = format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}{length}");
        connection.execute_unprepared(&alter).await?;
    }
    Ok(())
}

const UP: &str = r#"
-- Deals by stage, by programme and by the time of their closing.
CREATE INDEX deal_stage ON deal (stage, id)
;;
CREATE INDEX deal_program ON deal (program_id, id)
;;
CREATE INDEX deal_closed ON deal (closed_at, id) WHERE closed_at IS NOT NULL
;;
-- Deals and registrations of a partner in a status.
CREATE INDEX deal_partner_status ON deal (partner_id, status, id)
;;
CREATE INDEX deal_registration_partner_status ON deal_registration (partner_id, status, id)
;;
-- The places held at a customer, ended ones among them: a bound status does not reach a partial index on SQLite.
CREATE INDEX protection_customer ON protection (customer_id, family_id)
;;
-- Registrations that meet another claim.
CREATE INDEX deal_registration_conflict ON deal_registration (conflict_outcome, id)
;;
-- Customers and partners below another one by name, and by each filter in both orders.
CREATE INDEX customer_parent_name ON customer (parent_id, name_key, id)
;;
CREATE INDEX customer_country_name ON customer (country, name_key, id)
;;
CREATE INDEX customer_country ON customer (country, id)
;;
CREATE INDEX customer_industry_name ON customer (industry, name_key, id)
;;
CREATE INDEX customer_industry ON customer (industry, id)
;;
CREATE INDEX partner_parent_name ON partner (parent_id, name_key, id)
;;
CREATE INDEX partner_status_name ON partner (status, name_key, id)
;;
-- A programme's partners in the order in which they joined.
CREATE INDEX enrollment_program ON enrollment (program_id, id)
;;
-- A family's products by stock-keeping number.
CREATE INDEX product_family_sku ON product (family_id, sku, id)
;;
-- People by each filter in both orders.
CREATE INDEX user_status ON "user" (status, id)
;;
CREATE INDEX user_status_email ON "user" (status, email, id)
;;
CREATE INDEX user_role_email ON "user" (role, email, id)
;;
CREATE INDEX user_partner_email ON "user" (partner_id, email, id)
;;
CREATE INDEX ledger_account_of_partner ON ledger_account (partner_id, id)
;;
CREATE INDEX ledger_account_kind ON ledger_account (kind, id)
;;
CREATE INDEX ledger_account_currency ON ledger_account (currency, id)
;;
CREATE INDEX incentive_plan_program ON incentive_plan (program_id, id)
;;
CREATE INDEX incentive_plan_status ON incentive_plan (status, id)
;;
CREATE INDEX incentive_plan_name ON incentive_plan (name, id)
;;
-- The payments and the exceptions of a run.
CREATE INDEX payout_run_payments ON payout (run_id, id)
;;
CREATE INDEX payout_run_exceptions ON payout_exception (run_id, id)
;;
-- The payments of a partner in a status.
CREATE INDEX payout_partner_status ON payout (partner_id, status, id)
;;
-- Statements: the lines of one partner by time, with currency and amount, so that sums read no rows.
DROP INDEX accrual_partner
;;
CREATE INDEX accrual_statement ON accrual (partner_id, earned_at, id, currency, amount_minor)
"#;

const DOWN: &str = r#"
DROP INDEX accrual_statement
;;
CREATE INDEX accrual_partner ON accrual (partner_id, earned_at, id)
;;
DROP INDEX payout_partner_status
;;
DROP INDEX payout_run_exceptions
;;
DROP INDEX payout_run_payments
;;
DROP INDEX incentive_plan_name
;;
DROP INDEX incentive_plan_status
;;
DROP INDEX incentive_plan_program
;;
DROP INDEX ledger_account_currency
;;
DROP INDEX ledger_account_kind
;;
DROP INDEX ledger_account_of_partner
;;
DROP INDEX user_partner_email
;;
DROP INDEX user_role_email
;;
DROP INDEX user_status_email
;;
DROP INDEX user_status
;;
DROP INDEX product_family_sku
;;
DROP INDEX enrollment_program
;;
DROP INDEX partner_status_name
;;
DROP INDEX partner_parent_name
;;
DROP INDEX customer_industry
;;
DROP INDEX customer_industry_name
;;
DROP INDEX customer_country
;;
DROP INDEX customer_country_name
;;
DROP INDEX customer_parent_name
;;
DROP INDEX deal_registration_conflict
;;
DROP INDEX deal_closed
;;
DROP INDEX protection_customer
;;
DROP INDEX deal_registration_partner_status
;;
DROP INDEX deal_partner_status
;;
DROP INDEX deal_program
;;
DROP INDEX deal_stage
"#;
