//! The API of `ledger`.
