//! The audit trail.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{AuditEventId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditEventId,
    pub at: DateTimeUtc,
    pub actor_kind: String,
    pub actor_id: Option<UserId>,
    pub action: String,
    pub subject_type: String,
    pub subject_id: Uuid,
    #[sea_orm(column_type = "JsonBinary")]
    pub details: Json,
    pub request_id: Option<String>,
    pub fingerprint: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(has_one = "crate::entity::audit_seal::Entity")]
    AuditSeal,
}

impl Related<crate::entity::audit_seal::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::AuditSeal.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
