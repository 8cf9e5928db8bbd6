//! Who acts, what the role permits, and which rows that makes visible.
//!
//! The vendor's people and the partners' people have one role each. The policy says which kinds of work a role has; the
//! scope says which rows its holder sees. Each table says once what a scope shows of it, and a row is changed only by who
//! was authorised to load it.

pub mod actor;
mod held;
pub mod policy;
mod visible;

pub use actor::{Actor, Scope, SignedIn};
pub use held::{Held, Versioned};
pub use policy::Action;
pub use visible::{
    Id, Visible, everybody, find, find_all, id_of, of_partner, vendor_only, with_partner,
};
