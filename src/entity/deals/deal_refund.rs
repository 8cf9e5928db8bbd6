//! Money returned to the customer of a won deal.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{DealId, DealRefundId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "deal_refund")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DealRefundId,
    pub deal_id: DealId,
    pub amount_minor: i64,
    pub currency: crate::platform::money::Currency,
    pub reason: String,
    pub refunded_at: DateTimeUtc,
    pub actor_id: Option<UserId>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
