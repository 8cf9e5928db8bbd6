//! What became of a version of a programme's rules that was written before its date.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{ProgramVersionId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "program_version_outcome")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub version_id: ProgramVersionId,
    pub outcome: VersionOutcome,
    pub at: DateTimeUtc,
    pub decided_by: Option<UserId>,
    pub reason: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// What became of a scheduled version.
    pub enum VersionOutcome {
        /// It was checked again at its date, and holds.
        TookEffect,
        /// It was taken back, and never holds.
        Withdrawn,
    }
}
