//! Who is who among customers: one customer is registered under many spellings, and two partners
//! must not be protected at the same one.
//!
//! A customer is known by the registrable domain of its website (proof), by its name, registration
//! number and telephone (hints). Each has a canonical form here, and a comparison tells how sure we
//! are and why.

mod domain;
mod matching;
mod name;

pub use domain::{DomainFault, registrable_domain};
pub use matching::{Facts, Match, MatchOutcome, MatchReason, compare};
pub use name::{
    block_keys, name_key, name_tokens, phone_key, registration_number_key, similar_names,
};
