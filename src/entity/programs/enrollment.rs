//! A partner's place in a programme.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{EnrollmentId, PartnerId, ProgramId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "enrollment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EnrollmentId,
    pub program_id: ProgramId,
    pub partner_id: PartnerId,
    pub tier: String,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
