//! Rows of tables in bulk: looked up by lists, replaced by lists.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IdenStatic, Insert, IntoActiveModel, Iterable,
    PrimaryKeyToColumn, QueryFilter, Value,
    sea_query::{Alias, Expr, ExprTrait, OnConflict},
};

use crate::{
    error::{Error, Result},
    platform::{fingerprint, sql},
    tx::{CHUNK, Tx},
};

/// The rows whose column has one of these values.
///
/// # Errors
/// The database failed.
pub async fn find<E, V>(
    tx: &Tx,
    column: E::Column,
    values: impl IntoIterator<Item = V>,
) -> Result<Vec<E::Model>>
where
    E: EntityTrait,
    E::Model: Send + Sync,
    V: Into<Value>,
{
    let values: Vec<Value> = values.into_iter().map(Into::into).collect();
    let mut rows = Vec::new();
    for chunk in values.chunks(CHUNK) {
        rows.extend(
            E::find()
                .filter(column.is_in(chunk.iter().cloned()))
                .all(tx)
                .await?,
        );
    }
    Ok(rows)
}

/// Puts these rows in the place of those with the same keys, each of which must still have the version before.
///
/// # Errors
/// `STALE_OBJECT` when somebody else changed one of them.
pub async fn replace<E>(tx: &Tx, rows: Vec<E::Model>) -> Result<()>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel> + Clone,
    E::ActiveModel: ActiveModelTrait<Entity = E>,
{
    let keys: Vec<E::Column> = E::PrimaryKey::iter()
        .map(PrimaryKeyToColumn::into_column)
        .collect();
    let is_key = |column: &E::Column| keys.iter().any(|key| key.as_str() == column.as_str());
    let version = E::Column::iter().find(|column| column.as_str() == "version");
    let version =
        version.ok_or_else(|| Error::internal("a table without versions cannot be replaced"))?;
    let theirs = Expr::col((Alias::new("excluded"), version)).sub(1);
    let conflict = OnConflict::columns(keys.clone())
        .update_columns(E::Column::iter().filter(|column| !is_key(column)))
        .action_and_where(Expr::col((E::default(), version)).eq(theirs))
        .to_owned();
    for chunk in rows.chunks(CHUNK) {
        let rows = chunk
            .iter()
            .map(|row| fingerprint::carried(row.clone().into_active_model().reset_all()))
            .collect::<std::result::Result<Vec<_>, _>>();
        let rows = rows.map_err(|error| Error::Internal(Box::new(error)))?;
        let replaced = Insert::many(rows)
            .on_conflict(conflict.clone())
            .exec_without_returning(tx)
            .await?;
        if replaced != sql::count(chunk.len()) {
            return Err(Error::stale());
        }
    }
    Ok(())
}
