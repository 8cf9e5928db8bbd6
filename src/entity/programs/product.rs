//! A product.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{ProductFamilyId, ProductId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProductId,
    pub external_id: Option<String>,
    pub sku: String,
    pub name: String,
    pub family_id: ProductFamilyId,
    pub list_price_minor: Option<i64>,
    pub currency: Option<crate::platform::money::Currency>,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
