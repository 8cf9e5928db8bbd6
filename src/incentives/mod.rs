//! What partners earn for what they did.
//!
//! An incentive plan is a small document of at most three components that can be told in plain sentences.
//! When a deal is won, the plan and the attribution credit become commission lines; a part may be held
//! back until a date, and a refund within the window takes the same part of every line back. Lines are
//! only ever added.

pub mod accrual;
pub mod accrue;
pub mod clawback;
pub mod compute;
pub mod graphql;
pub mod statement;
pub mod status;
pub mod terms;

pub use accrual::AccrualKind;
pub use status::PlanStatus;
pub use terms::PlanTerms;
