//! The tables: one file each, grouped by domain; typed columns and no logic.

pub mod ids;

mod identity;
mod platform;
mod partners;
mod programs;
mod customers;
mod deals;
mod attribution;
mod ledger;
mod payouts;
mod incentives;

pub use identity::{user, session, refresh_token, user_token, login_failure};
pub use platform::{job, schedule_run, idempotency, audit_event, audit_seal};
pub use partners::{partner, partner_attribute, partner_lifecycle_event};
pub use programs::{program, program_version, enrollment, product_family, product};
pub use customers::{customer, customer_block_key};
pub use deals::{deal, deal_product, deal_registration, deal_registration_product, protection, deal_participant, deal_stage_change, deal_refund};
pub use attribution::{touchpoint, attribution_run, attribution_credit};
pub use ledger::{ledger_account, ledger_transaction, ledger_entry};
pub use payouts::{payout_run, payout, payout_exception};
pub use incentives::{incentive_plan, accrual};
