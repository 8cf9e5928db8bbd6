//! Queries of people, their sessions, their single-use tickets and their attempts to come in.

mod attempts;
mod sessions;
mod tickets;
mod users;

pub use attempts::*;
pub use sessions::*;
pub use tickets::*;
pub use users::*;
