//! A partner company.

use sea_orm::entity::prelude::*;

use crate::entity::ids::PartnerId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "partner")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PartnerId,
    pub external_id: Option<String>,
    pub legal_name: String,
    pub display_name: String,
    pub name_key: String,
    pub size: Option<crate::partners::PartnerSize>,
    pub country: Option<String>,
    pub region: Option<String>,
    pub website: Option<String>,
    pub parent_id: Option<PartnerId>,
    pub status: crate::partners::PartnerStatus,
    pub dpa_valid_until: Option<Date>,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
