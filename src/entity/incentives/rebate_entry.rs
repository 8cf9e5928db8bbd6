//! What a won deal or a refund added to a volume and to its rebate.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{DealId, DealRefundId, IncentivePlanId, PartnerId, RebateEntryId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rebate_entry")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RebateEntryId,
    pub plan_id: IncentivePlanId,
    pub component: i32,
    pub partner_id: PartnerId,
    pub period_start: Date,
    pub deal_id: DealId,
    pub refund_id: Option<DealRefundId>,
    pub volume_minor: i64,
    pub rebate_minor: i64,
    pub volume_after_minor: i64,
    pub rebate_after_minor: i64,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
