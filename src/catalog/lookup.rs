//! Products by id, for whoever sells them.

use std::collections::HashMap;

use sea_orm::ConnectionTrait;

use crate::{
    access::{self, Actor},
    entity::{ids::ProductId, product},
    error::{Code, Error, Refusal, Result},
};

/// The products, in the order asked for.
///
/// # Errors
/// `NOT_FOUND` at `path.N` for each that does not exist.
pub async fn products<C: ConnectionTrait>(
    db: &C,
    ids: &[ProductId],
    path: &str,
) -> Result<Vec<product::Model>> {
    let mut wanted = ids.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let found = access::find_all::<product::Entity>(db, &Actor::System, &wanted).await?;
    let known: HashMap<_, _> = found
        .into_iter()
        .map(|product| (product.id, product))
        .collect();
    let missing = |(place, id): (usize, &ProductId)| {
        let refusal =
            Refusal::new(Code::NotFound, "There is no such object.").at(&format!("{path}.{place}"));
        (!known.contains_key(id)).then_some(refusal)
    };
    let refusals: Vec<_> = ids.iter().enumerate().filter_map(missing).collect();
    if refusals.is_empty() {
        Ok(ids.iter().filter_map(|id| known.get(id).cloned()).collect())
    } else {
        Err(Error::Refused(refusals))
    }
}
