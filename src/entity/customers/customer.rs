//! An end customer.

use sea_orm::entity::prelude::*;

use crate::entity::ids::CustomerId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "customer")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CustomerId,
    pub external_id: Option<String>,
    pub name: String,
    pub name_key: String,
    pub domain: Option<String>,
    pub domain_hint: Option<String>,
    pub country: Option<String>,
    pub industry: Option<String>,
    pub registration_number: Option<String>,
    pub phone: Option<String>,
    pub employees: Option<i64>,
    pub parent_id: Option<CustomerId>,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
