//! A person who may sign in.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{PartnerId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "user")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub role: crate::identity::Role,
    pub partner_id: Option<PartnerId>,
    pub status: crate::identity::UserStatus,
    pub password_hash: Option<String>,
    pub locale: String,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
