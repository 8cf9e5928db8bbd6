//! Products by id, for whoever sells them.

use sea_orm::ConnectionTrait;

use crate::{
    entity::{ids::ProductId, product},
    error::{Error, Result},
};

/// The products, in the order asked for.
///
/// # Errors
/// `NOT_FOUND` at `path.N` for each that does not exist.
pub async fn products<C: ConnectionTrait>(_db: &C, _ids: &[ProductId], _path: &str) -> Result<Vec<product::Model>> {
    Err(Error::internal("not built yet"))
}
