//! A product of a deal.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{DealId, ProductId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "deal_product")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub deal_id: DealId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: ProductId,
    pub quantity: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
