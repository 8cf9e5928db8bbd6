//! The database schema, one migration per domain, written once for SQLite and PostgreSQL.
//!
//! The statements are plain SQL: constraints, partial indexes and triggers are what the promises about
//! money rest on, and they read best in their own language. A handful of `{tokens}` name the types that
//! differ between the two databases; see `ddl`.

#![recursion_limit = "512"]

mod ddl;
mod m0001_identity;
mod m0002_platform;
mod m0003_partners;
mod m0004_programs;
mod m0005_customers;
mod m0006_deals;
mod m0007_attribution;
mod m0008_ledger;
mod m0009_payouts;
mod m0010_incentives;
mod m0011_renewals_and_rebates;
mod m0012_payment_details;
mod m0013_market;
mod m0015_list_indexes;
mod m0016_facts_stay;
mod m0017_published_statements;
mod m0018_runs_in_chunks;
mod m0020_fingerprints;
mod m0021_settled_once;
mod m0022_touched_deals;
mod m0024_customer_forms;
mod m0025_session_network;
mod m0026_deal_fingerprints;
mod m0030_partner_number;
mod m0031_sealed_status;
mod m0032_job_lanes;
mod m0040_rule_documents;
mod m0041_program_versions;
mod m0042_tier_changes;
mod m0050_domain_hint;
mod m0051_partner_forms;

pub use sea_orm_migration::prelude::{MigrationTrait, MigratorTrait};

/// Every migration in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_identity::Migration),
            Box::new(m0002_platform::Migration),
            Box::new(m0003_partners::Migration),
            Box::new(m0004_programs::Migration),
            Box::new(m0005_customers::Migration),
            Box::new(m0006_deals::Migration),
            Box::new(m0007_attribution::Migration),
            Box::new(m0008_ledger::Migration),
            Box::new(m0009_payouts::Migration),
            Box::new(m0010_incentives::Migration),
            Box::new(m0011_renewals_and_rebates::Migration),
            Box::new(m0012_payment_details::Migration),
            Box::new(m0013_market::Migration),
            Box::new(m0015_list_indexes::Migration),
            Box::new(m0016_facts_stay::Migration),
            Box::new(m0017_published_statements::Migration),
            Box::new(m0018_runs_in_chunks::Migration),
            Box::new(m0020_fingerprints::Migration),
            Box::new(m0021_settled_once::Migration),
            Box::new(m0022_touched_deals::Migration),
            Box::new(m0024_customer_forms::Migration),
            Box::new(m0025_session_network::Migration),
            Box::new(m0026_deal_fingerprints::Migration),
            Box::new(m0030_partner_number::Migration),
            Box::new(m0031_sealed_status::Migration),
            Box::new(m0032_job_lanes::Migration),
            Box::new(m0040_rule_documents::Migration),
            Box::new(m0041_program_versions::Migration),
            Box::new(m0042_tier_changes::Migration),
            Box::new(m0050_domain_hint::Migration),
            Box::new(m0051_partner_forms::Migration),
        ]
    }
}
