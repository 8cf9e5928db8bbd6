//! A move in the pipeline.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{DealId, DealStageChangeId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "deal_stage_change")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DealStageChangeId,
    pub deal_id: DealId,
    pub from_stage: Option<String>,
    pub to_stage: String,
    pub actor_id: Option<UserId>,
    pub at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
