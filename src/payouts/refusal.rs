//! What the rules refuse, as callers read it.

use crate::{
    error::{Code, Error, Refusal},
    platform::transition::IllegalTransition,
};

/// A move that the table of states does not allow.
pub(super) fn illegal_move(error: IllegalTransition) -> Error {
    Refusal::new(Code::IllegalTransition, error.to_string()).into()
}
