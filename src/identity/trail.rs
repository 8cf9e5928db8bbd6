//! Queries of the audit trail.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

use crate::{
    entity::{
        audit_event, audit_seal,
        ids::{AuditEventId, UserId},
    },
    error::Result,
    tx::CHUNK,
};

/// Which rows of the trail are asked for; all of them unless something is set.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What happened to this object.
    pub subject_id: Option<Uuid>,
    /// What this user did.
    pub actor_id: Option<UserId>,
    /// What has this name.
    pub action: Option<String>,
    /// At this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub to: Option<DateTime<Utc>>,
}

/// The rows of the trail.
#[must_use]
pub fn events(wanted: Wanted) -> Select<audit_event::Entity> {
    use audit_event::Column;
    let mut query = audit_event::Entity::find();
    if let Some(subject) = wanted.subject_id {
        query = query.filter(Column::SubjectId.eq(subject));
    }
    if let Some(actor) = wanted.actor_id {
        query = query.filter(Column::ActorId.eq(actor));
    }
    if let Some(action) = wanted.action {
        query = query.filter(Column::Action.eq(action));
    }
    // Ids begin with the millisecond of their row, so the primary key finds the range.
    if let Some(from) = wanted.from {
        query = query
            .filter(Column::Id.gte(first_id(from, 0)))
            .filter(Column::At.gte(from));
    }
    if let Some(to) = wanted.to {
        query = query
            .filter(Column::Id.lt(first_id(to, 1)))
            .filter(Column::At.lt(to));
    }
    query
}

/// The smallest id of a millisecond, counted from the one that contains the instant.
fn first_id(at: DateTime<Utc>, later: i64) -> AuditEventId {
    let milliseconds = at.timestamp_millis().saturating_add(later).max(0);
    AuditEventId(Uuid::from_u128(
        u128::try_from(milliseconds).unwrap_or_default() << 80,
    ))
}

/// The places of these rows in the hash chain; those not sealed yet are left out.
///
/// # Errors
/// The database failed.
pub async fn seals(
    db: &impl ConnectionTrait,
    ids: &[AuditEventId],
) -> Result<Vec<(AuditEventId, i64)>> {
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let query = audit_seal::Entity::find()
            .select_only()
            .column(audit_seal::Column::AuditEventId)
            .column(audit_seal::Column::Position)
            .filter(audit_seal::Column::AuditEventId.is_in(chunk.iter().copied()));
        found.extend(query.into_tuple::<(AuditEventId, i64)>().all(db).await?);
    }
    Ok(found)
}
