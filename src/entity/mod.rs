//! The tables: one file each, grouped by domain; typed columns and no logic.

pub mod ids;

mod attribution;
mod customers;
mod deals;
mod identity;
mod incentives;
mod ledger;
mod partners;
mod payouts;
mod platform;
mod programs;
mod rates;
mod rules;

pub use self::attribution::{attribution_credit, attribution_run, touchpoint};
pub use self::customers::{customer, customer_block_key};
pub use self::deals::{
    deal, deal_participant, deal_product, deal_refund, deal_registration,
    deal_registration_product, deal_stage_change, protection,
};
pub use self::identity::{login_failure, refresh_token, session, user, user_token};
pub use self::incentives::{
    accrual, incentive_plan, partner_statement, rebate_entry, rebate_volume, statement_publication,
};
pub use self::ledger::{ledger_account, ledger_entry, ledger_transaction};
pub use self::partners::{partner, partner_attribute, partner_lifecycle_event, payment_details};
pub use self::payouts::{payout, payout_exception, payout_export, payout_run};
pub use self::platform::{
    audit_event, audit_seal, idempotency, job, row_fingerprint, schedule_run,
};
pub use self::programs::{
    enrollment, product, product_family, program, program_version, program_version_outcome,
    tier_change,
};
pub use self::rates::exchange_rate;
pub use self::rules::rule_document;
