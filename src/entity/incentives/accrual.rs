//! A commission line.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{
    AccrualId, AttributionRunId, DealId, DealRefundId, IncentivePlanId, PartnerId, PayoutId,
    ProgramId,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "accrual")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccrualId,
    pub deal_id: DealId,
    pub plan_id: IncentivePlanId,
    pub component: i32,
    pub partner_id: PartnerId,
    pub program_id: ProgramId,
    pub kind: AccrualKind,
    pub amount_minor: i64,
    pub currency: crate::platform::money::Currency,
    pub weight: i64,
    pub pool_minor: i64,
    pub run_id: Option<AttributionRunId>,
    pub refund_id: Option<DealRefundId>,
    pub earned_at: DateTimeUtc,
    pub available_at: DateTimeUtc,
    pub payout_id: Option<PayoutId>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// What a commission line is.
    pub enum AccrualKind {
        /// Earned by winning a deal, available at once.
        Earned,
        /// Earned by winning a deal, held back until a date.
        Holdback,
        /// Taken back because the customer was refunded; negative.
        Clawback,
    }
}
