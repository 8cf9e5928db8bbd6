//! The hash chain over the audit trail.

use sea_orm::entity::prelude::*;

use crate::entity::ids::AuditEventId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_seal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub audit_event_id: AuditEventId,
    pub hash: String,
    pub sealed_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "crate::entity::audit_event::Entity",
        from = "Column::AuditEventId",
        to = "crate::entity::audit_event::Column::Id"
    )]
    AuditEvent,
}

impl Related<crate::entity::audit_event::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::AuditEvent.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
