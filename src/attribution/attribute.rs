//! From a won deal to stored credit.

use crate::{
    entity::{attribution_credit, attribution_run, deal, deal_participant},
    error::{Error, Result},
    tx::Tx,
};

/// The official credit of one won deal, with the facts that commission is computed from.
#[derive(Clone, Debug)]
pub struct Attributed {
    /// The deal.
    pub deal: deal::Model,
    /// The stored computation.
    pub run: attribution_run::Model,
    /// Its parts in their order; a part without a partner stays with the vendor.
    pub credits: Vec<attribution_credit::Model>,
    /// The accepted participants.
    pub participants: Vec<deal_participant::Model>,
}

/// Computes and stores the official credit of won deals that have none yet, set-based: reads and writes in bulk.
/// Deals that have an official run already are left out of the result.
///
/// # Errors
/// The database failed.
pub async fn won(_tx: &Tx, _deals: &[deal::Model]) -> Result<Vec<Attributed>> {
    Err(Error::internal("not built yet"))
}

