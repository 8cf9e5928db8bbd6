//! How much a request asks of the database: statements by number, rows by index.

pub mod crowd;
mod lists;
mod plans;
mod writes;

use crate::support::Case;

/// The cases of this folder.
pub fn cases() -> Vec<Case> {
    [lists::cases(), plans::cases(), writes::cases()].concat()
}
