//! A product of a registration.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{DealRegistrationId, ProductId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "deal_registration_product")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub registration_id: DealRegistrationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: ProductId,
    pub quantity: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
