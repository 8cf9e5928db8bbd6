//! One version of a document of rules.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{ProgramId, RuleDocumentId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rule_document")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RuleDocumentId,
    pub program_id: Option<ProgramId>,
    pub kind: String,
    pub name: String,
    pub number: i32,
    pub status: RuleStatus,
    #[sea_orm(column_type = "JsonBinary")]
    pub document: Json,
    pub effective_from: DateTimeUtc,
    pub effective_to: Option<DateTimeUtc>,
    pub ended_by: Option<RuleDocumentId>,
    pub created_by: UserId,
    pub activated_by: Option<UserId>,
    pub activated_at: Option<DateTimeUtc>,
    pub took_effect_at: Option<DateTimeUtc>,
    pub withdrawn_by: Option<UserId>,
    pub withdrawn_at: Option<DateTimeUtc>,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// Where a document of rules stands. Its dates say whether an active one is scheduled, in force or over.
    pub enum RuleStatus {
        /// Being written; has no effect and can still be changed.
        Draft,
        /// Takes effect, or took effect, at its date; can no longer be changed.
        Active,
        /// Taken back before it took effect.
        Withdrawn,
    }
}
