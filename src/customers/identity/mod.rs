//! Who is who among customers: one customer is registered under many spellings, and two partners
//! must not be protected at the same one.
//!
//! A customer is known by the registrable domain of its website and by its registration number (proof), by its name, its
//! telephone and a page on a host that may belong to another company (hints). Each has a canonical form here, and a
//! comparison returns how certain the match is and why. Reference data, such as legal forms, mail services and shared
//! hosts, is in the lists under `data/`.

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

/// The default similarity from which two names match, in parts per million. A programme can set another value.
pub const SIMILAR_NAMES: i32 = 920_000;

/// The version of the canonical forms. Customers stored under an earlier one are rewritten when the program starts; raise
/// it with every change of a form or of a list.
pub const FORMS: i64 = 2;
