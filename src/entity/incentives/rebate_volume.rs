//! What a partner sold under a volume rebate in a period, brought forward.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{IncentivePlanId, PartnerId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rebate_volume")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub plan_id: IncentivePlanId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub component: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub partner_id: PartnerId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub period_start: Date,
    pub volume_minor: i64,
    pub rebate_minor: i64,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
