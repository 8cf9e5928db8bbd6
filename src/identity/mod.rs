//! People, how they sign in, and what they may do.
//!
//! A user is invited, accepts by choosing a password, works under one role, and may be deactivated. Signing
//! in begins a session: short access tokens, and refresh tokens that are used once. Administrators invite
//! anybody, alliance managers the people of partners, a partner's administrators their own; everything that
//! happened can be read in the audit trail by administrators and auditors.

pub mod status;

pub mod email;
pub mod person;
pub mod throttle;
pub mod tokens;

pub mod accept;
pub mod admin;
pub mod deactivate;
pub mod invite;
pub mod login;
pub mod logout;
pub mod refresh;
pub mod reset;

pub mod authenticate;
pub mod links;
pub mod sessions;
pub mod sweep;

pub mod graphql;
pub mod mails;
pub mod store;
pub mod trail;

pub use authenticate::{Admitted, AuthFault, admit, authenticate};
pub use status::SessionEnd;
pub use sweep::sweep;
