//! Something a partner did for a deal.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{DealId, PartnerId, TouchpointId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "touchpoint")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TouchpointId,
    pub external_id: Option<String>,
    pub deal_id: DealId,
    pub partner_id: PartnerId,
    pub kind: crate::attribution::TouchpointKind,
    pub phase: crate::attribution::Phase,
    pub milestone: Option<crate::attribution::Milestone>,
    pub occurred_at: DateTimeUtc,
    pub evidence: Option<String>,
    pub status: crate::attribution::TouchpointStatus,
    pub corrects_id: Option<TouchpointId>,
    pub recorded_by: Option<UserId>,
    pub recorded_by_partner: Option<PartnerId>,
    pub recorded_at: DateTimeUtc,
    pub verified_by: Option<UserId>,
    pub verified_at: Option<DateTimeUtc>,
    pub rejection_reason: Option<String>,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
