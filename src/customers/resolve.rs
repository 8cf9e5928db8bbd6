//! From what a partner typed to the one customer it means, and what else it might mean.

use super::{MatchOutcome, MatchReasons};
use crate::{
    entity::customer,
    error::{Error, Result},
    tx::Tx,
};

/// A customer as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClaimedCustomer {
    /// The name, as typed.
    pub name: String,
    /// A domain, web address or e-mail address, as typed.
    pub domain: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// The number in a public register, as typed.
    pub registration_number: Option<String>,
    /// A phone number, as typed.
    pub phone: Option<String>,
}

/// The customer found or made, and which other customers look like it.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The one record.
    pub customer: customer::Model,
    /// Other records that may be the same customer, each with the outcome of the comparison and its reasons.
    pub lookalikes: Vec<(customer::Model, MatchOutcome, MatchReasons)>,
}

/// Finds the customer by registrable domain, or by normalised name and country where there is no domain, else
/// makes it; safe under any number of parallel callers with different spellings.
///
/// # Errors
/// `BAD_USER_INPUT` under `path` (`path.name`, `path.domain` …).
pub async fn find_or_create(_tx: &Tx, _claimed: &ClaimedCustomer, _similarity_ppm: i32, _path: &str) -> Result<Resolved> {
    Err(Error::internal("not built yet"))
}
