//! What a ledger transaction is about.
//!
//! Pure: decides from facts alone.

use serde::{Deserialize, Serialize};

/// The business event behind a transaction.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[graphql(name = "LedgerTransactionKind")]
pub enum TransactionKind {
    /// Commission of a won deal.
    Commission,
    /// Commission taken back after a refund.
    Clawback,
    /// A holdback reached its date.
    HoldbackRelease,
    /// A payout was approved.
    PayoutApproval,
    /// A payout was handed to the provider.
    PayoutStart,
    /// A payout was paid.
    PayoutSettlement,
    /// A payout failed.
    PayoutFailure,
    /// A full reversal of another transaction.
    Reversal,
}
