//! A partner programme.

use sea_orm::entity::prelude::*;

use crate::entity::ids::ProgramId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "program")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProgramId,
    pub name: String,
    pub status: ProgramStatus,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// Whether a programme takes registrations.
    pub enum ProgramStatus {
        /// Takes registrations and pays.
        Active,
        /// Takes no new registrations; what was earned is still paid.
        Retired,
    }
}
