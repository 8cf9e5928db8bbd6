//! How people and programs prove who they are: passwords, short-lived signed access tokens, and opaque tokens that are
//! derived from the master secret instead of being stored. Who may do what is decided elsewhere.

pub mod opaque;
pub mod password;
pub mod seal;
mod secret;
pub mod token;
