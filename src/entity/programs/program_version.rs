//! The rules of a programme from an instant on.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{ProgramId, ProgramVersionId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "program_version")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProgramVersionId,
    pub program_id: ProgramId,
    pub number: i32,
    pub effective_from: DateTimeUtc,
    #[sea_orm(column_type = "JsonBinary")]
    pub settings: crate::rules::Documents,
    pub created_by: Option<UserId>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
