//! Tables of `ledger`.

pub mod ledger_account;
pub mod ledger_transaction;
pub mod ledger_entry;
