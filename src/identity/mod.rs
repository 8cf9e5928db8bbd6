//! People and what they may do.

pub mod actor;
pub mod authenticate;
pub mod graphql;
pub mod policy;
pub mod status;

pub use actor::{Actor, Scope, SignedIn};
pub use policy::{Action, Role};
pub use status::{TokenPurpose, UserStatus};

/// Forgets what has run out.
///
/// # Errors
/// The database failed.
pub async fn sweep(_tx: &crate::tx::Tx) -> crate::error::Result<()> {
    Ok(())
}
