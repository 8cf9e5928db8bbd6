//! Why a partner is not paid by a run.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{PartnerId, PayoutExceptionId, PayoutRunId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payout_exception")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PayoutExceptionId,
    pub run_id: PayoutRunId,
    pub partner_id: PartnerId,
    pub currency: crate::platform::money::Currency,
    pub amount_minor: i64,
    pub reason: crate::payouts::ExceptionReason,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
