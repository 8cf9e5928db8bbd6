//! The double-entry ledger: what is owed, why, since when, and that it adds up.

pub mod graphql;
pub mod kind;
pub mod post;
pub mod rules;

pub use kind::TransactionKind;
pub use rules::{AccountKind, Posting};
