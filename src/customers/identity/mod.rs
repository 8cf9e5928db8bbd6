//! Who is who among customers: one customer is registered under many spellings, and two partners
//! must not be protected at the same one.
//!
//! A customer is known by the registrable domain of its website and by its registration number (proof), by its name, its
//! telephone and a page on a host that may be another company's (hints). Each has a canonical form here, and a comparison says how sure we are and why. What is known
//! about the world, such as legal forms, mail services and hosts that many share, is in the lists under `data/`.

mod block;
mod data;
mod domain;
mod matching;
mod name;
mod similar;

pub use block::block_keys;
pub use domain::{Address, DomainFault, address, registrable_domain};
pub use matching::{Facts, Match, compare};
pub use name::{name_key, name_tokens};
pub use similar::similar_names;

/// From which similarity on two names are alike, in parts per million, where no programme says otherwise.
pub const SIMILAR_NAMES: i32 = 920_000;

/// The version of the canonical forms. Customers stored under an earlier one are rewritten when the program starts; raise
/// it with every change of a form or of a list.
pub const FORMS: i64 = 2;
