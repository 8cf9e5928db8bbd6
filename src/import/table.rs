//! Rows of tables looked up by lists.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Value};

use crate::{
    error::Result,
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
