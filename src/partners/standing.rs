//! What a partner may do at present, by its state.

use crate::{
    entity::{ids::PartnerId, partner},
    error::{Error, Result},
    tx::Tx,
};

/// What a use case asks a partner's state for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Register deals.
    RegisterDeals,
    /// Join deals of others.
    JoinDeals,
}

/// The partner, if its state allows this.
///
/// # Errors
/// `NOT_FOUND` at `path` for an unknown partner, `NOT_ELIGIBLE` when its state does not allow it.
pub async fn require(_tx: &Tx, _partner: PartnerId, _ability: Ability, _path: &str) -> Result<partner::Model> {
    Err(Error::internal("not built yet"))
}
