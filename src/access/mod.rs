//! Who acts, what the role permits, and which rows that makes visible.
//!
//! The vendor's people and the partners' people have one role each. The policy says which kinds of work a role has; the
//! scope says which rows its holder sees.

pub mod actor;
pub mod policy;

pub use actor::{Actor, Scope, SignedIn};
pub use policy::Action;
