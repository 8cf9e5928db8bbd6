//! What partners earn for what they did.
//!
//! An incentive plan is a small document of at most three components that can be told in plain sentences. One person
//! drafts it, another puts it into force; a new number of the same name takes over from its first day, and plans of
//! different names pay beside each other. When a deal is won, the plans in force on that day and the attribution
//! credit become commission lines; a part may be held back until a date, and a refund within the window takes the
//! same part of every line back, first of what is still held; a volume rebate follows what a partner sold in a period, less what was refunded of it.
//! A plan pays for new business, and for renewals where it says so, and for each deal once, whatever its number. Lines are only ever added, each with its ledger entry in the same transaction.
//!
//! The vendor's people who may read plans see all of them; a partner's people those that are or were in force, and of
//! the commission lines their own.

pub mod accrual;
pub mod belonging;
pub mod clawback;
pub mod compute;
pub mod rebate;
pub mod status;
pub mod terms;

pub mod accrue;
pub mod batch;
mod booking;
pub mod exception;
pub mod plan;
pub mod preview;
pub mod recompute;
pub mod release;
pub mod statement;
pub mod volume;

pub mod graphql;
pub mod mails;
mod store;
mod volume_store;

pub use exception::Exception;
pub use terms::PlanTerms;
