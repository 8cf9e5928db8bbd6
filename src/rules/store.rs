//! Reading and writing documents of rules.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

use super::Series;
use crate::{
    entity::{
        ids::RuleDocumentId,
        rule_document::{self, Column, Entity, RuleStatus},
    },
    error::{Error, Result},
    tx::Tx,
};

fn of(series: &Series) -> Condition {
    let owner = match series.program {
        Some(program) => Column::ProgramId.eq(program),
        None => Column::ProgramId.is_null(),
    };
    Condition::all()
        .add(owner)
        .add(Column::Kind.eq(series.kind))
        .add(Column::Name.eq(series.name.as_str()))
}

/// One document of a kind.
pub async fn find<C: ConnectionTrait>(
    db: &C,
    kind: &str,
    id: RuleDocumentId,
) -> Result<Option<rule_document::Model>> {
    let found = Entity::find_by_id(id).filter(Column::Kind.eq(kind));
    Ok(found.one(db).await?)
}

/// The document of a series that is in force at an instant.
pub async fn in_force<C: ConnectionTrait>(
    db: &C,
    series: &Series,
    at: DateTime<Utc>,
) -> Result<Option<rule_document::Model>> {
    let over = Column::EffectiveTo.is_null().or(Column::EffectiveTo.gt(at));
    let found = Entity::find()
        .filter(of(series))
        .filter(Column::Status.eq(RuleStatus::Active))
        .filter(Column::EffectiveFrom.lte(at))
        .filter(over);
    Ok(found.one(db).await?)
}

/// All versions of the series of a document, held until the end of the unit of work.
pub async fn hold_series(tx: &Tx, series: &Series) -> Result<Vec<rule_document::Model>> {
    let select = Entity::find()
        .filter(of(series))
        .order_by_asc(Column::Id)
        .lock_exclusive();
    Ok(select.all(tx).await?)
}

/// Documents of a kind whose date has come and that were not checked again yet, oldest first.
pub async fn due(tx: &Tx, kind: &str, limit: u64) -> Result<Vec<rule_document::Model>> {
    let select = Entity::find()
        .filter(Column::Kind.eq(kind))
        .filter(Column::Status.eq(RuleStatus::Active))
        .filter(Column::TookEffectAt.is_null())
        .filter(Column::EffectiveFrom.lte(tx.now()))
        .order_by_asc(Column::EffectiveFrom)
        .order_by_asc(Column::Id)
        .limit(limit);
    Ok(select.all(tx).await?)
}

/// Writes what changed on a document.
///
/// # Errors
/// `STALE_OBJECT` when somebody else wrote since it was read.
pub async fn save(
    tx: &Tx,
    read: &rule_document::Model,
    mut change: rule_document::ActiveModel,
) -> Result<()> {
    change.version = Set(read.version + 1);
    change.updated_at = Set(tx.now());
    let saved = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(read.id))
        .filter(Column::Version.eq(read.version))
        .exec(tx)
        .await?;
    if saved.rows_affected == 1 {
        Ok(())
    } else {
        Err(Error::stale())
    }
}
