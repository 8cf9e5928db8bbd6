//! Queries of payouts: whole runs at a time, never a statement per partner.

mod read;
mod run;
mod settling;

pub use read::*;
pub use run::*;
pub use settling::*;

use crate::{
    error::{Code, Error, Refusal},
    platform::transition::IllegalTransition,
};

/// A move that the table of states does not allow, as a refusal.
pub fn refused(error: IllegalTransition) -> Error {
    Refusal::new(Code::IllegalTransition, error.to_string()).into()
}
