//! The API of `identity`: signing in, people, and the audit trail.

pub mod audit;
pub mod people;
pub mod sign_in;
pub mod user;

pub use audit::{AuditEvent, AuditEventConnection, AuditEventFilter, AuditQuery, SealOf};
pub use people::PeopleMutation;
pub use sign_in::SignInMutation;
pub use user::{User, UserConnection, UserFilter, UserQuery};

/// What can be read of people and of what they did.
#[derive(async_graphql::MergedObject, Default)]
pub struct IdentityQuery(UserQuery, AuditQuery);

/// Signing in, and what is done with people.
#[derive(async_graphql::MergedObject, Default)]
pub struct IdentityMutation(SignInMutation, PeopleMutation);
