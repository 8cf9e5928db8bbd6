//! An exact-match key under which similar names are found.

use sea_orm::entity::prelude::*;

use crate::entity::ids::CustomerId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "customer_block_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub block_key: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub customer_id: CustomerId,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
