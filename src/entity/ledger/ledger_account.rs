//! A ledger account with its cached balance.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{LedgerAccountId, PartnerId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LedgerAccountId,
    pub kind: crate::ledger::AccountKind,
    pub partner_id: Option<PartnerId>,
    pub currency: crate::platform::money::Currency,
    pub balance_minor: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
