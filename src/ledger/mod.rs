//! The double-entry ledger: what is owed, why, since when, and that it adds up.
//!
//! Transactions are posted once each, balance per currency and are never changed: what was wrong is reversed by
//! another transaction. Every account caches the sum of its entries, brought forward in the same unit of work.
//! Only use cases of commission and payout post; people read: the vendor's finance roles everything, a partner
//! its own accounts.

pub mod accounts;
pub mod balance;
pub mod content;
pub mod graphql;
pub mod post;
pub mod release;
pub mod reverse;
pub mod rules;
mod store;

pub use self::rules::Posting;
