//! Payouts.

pub mod graphql;
pub mod select;
pub mod status;

pub use status::{ExceptionReason, PayoutStatus, RunStatus};
