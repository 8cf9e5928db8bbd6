//! A balanced set of entries with its cause.

use sea_orm::entity::prelude::*;

use crate::entity::ids::LedgerTransactionId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_transaction")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LedgerTransactionId,
    pub kind: crate::ledger::TransactionKind,
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
