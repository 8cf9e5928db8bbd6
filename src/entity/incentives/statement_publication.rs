//! A month whose statements the schedule took on.

use sea_orm::entity::prelude::*;

use crate::entity::ids::PartnerId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "statement_publication")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub period_start: Date,
    pub after_partner_id: Option<PartnerId>,
    pub completed_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
