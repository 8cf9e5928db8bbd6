//! A product family: the scope of protection.

use sea_orm::entity::prelude::*;

use crate::entity::ids::ProductFamilyId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product_family")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProductFamilyId,
    pub code: String,
    pub name: String,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
