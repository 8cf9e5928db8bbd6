//! A move in a partner's life.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{LifecycleEventId, PartnerId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "partner_lifecycle_event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LifecycleEventId,
    pub partner_id: PartnerId,
    pub action: crate::partners::PartnerAction,
    pub from_status: Option<crate::partners::PartnerStatus>,
    pub to_status: crate::partners::PartnerStatus,
    pub actor_id: Option<UserId>,
    pub reason: Option<String>,
    pub at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
