//! One debit (positive) or credit (negative).

use sea_orm::entity::prelude::*;

use crate::entity::ids::{LedgerAccountId, LedgerEntryId, LedgerTransactionId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_entry")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LedgerEntryId,
    pub transaction_id: LedgerTransactionId,
    pub account_id: LedgerAccountId,
    pub currency: crate::platform::money::Currency,
    pub amount_minor: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
