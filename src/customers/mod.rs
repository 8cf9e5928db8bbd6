//! End customers: the one record of each company that deals are made with, however its name and address are written.
//!
//! A customer is known by its registrable domain and by its registration number. Naming a customer finds the record that
//! there is, or makes it; what looks alike is shown to the vendor for review and never merged without a decision.
//! Subsidiaries hang under their parents.
//!
//! Administrators and alliance managers of the vendor keep the records; the vendor's people read all of them, except
//! executives. A partner sees the customers of its own registrations, of the deals it owns, and of those it is invited
//! to or takes part in. There are no states.

pub mod claim;
pub mod create;
pub mod forms;
pub mod graphql;
pub mod identity;
mod match_store;
pub mod resolve;
pub mod search;
pub mod store;
pub mod update;
