//! What a partner has several of: types, countries, industries, competencies.

use sea_orm::entity::prelude::*;

use crate::entity::ids::PartnerId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "partner_attribute")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub partner_id: PartnerId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: crate::partners::AttributeKind,
    #[sea_orm(primary_key, auto_increment = false)]
    pub value: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
