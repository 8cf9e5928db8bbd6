//! Tables of `ledger`.

pub mod ledger_account;
pub mod ledger_entry;
pub mod ledger_transaction;
