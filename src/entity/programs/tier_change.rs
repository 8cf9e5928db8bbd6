//! Which tier a partner has in a programme from an instant on.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{EnrollmentId, PartnerId, ProgramId, TierChangeId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tier_change")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TierChangeId,
    pub enrollment_id: EnrollmentId,
    pub program_id: ProgramId,
    pub partner_id: PartnerId,
    pub tier: String,
    pub effective_from: DateTimeUtc,
    pub decided_by: Option<UserId>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
