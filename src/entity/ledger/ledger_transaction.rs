//! A balanced set of entries with its cause.

use sea_orm::entity::prelude::*;

use crate::entity::ids::LedgerTransactionId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_transaction")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LedgerTransactionId,
    pub kind: LedgerTransactionKind,
    pub transaction_key: String,
    pub input_hash: String,
    pub subject_type: String,
    pub subject_id: Uuid,
    pub effective_at: DateTimeUtc,
    pub recorded_at: DateTimeUtc,
    pub period: String,
    pub reverses_id: Option<LedgerTransactionId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// The business event behind a transaction.
    pub enum LedgerTransactionKind {
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
}
