//! How the refusals of the rules are told to a caller.

use crate::{
    deals::stage::{LossRefusal, MoveRefusal},
    error::{Code, Error, Refusal},
    platform::transition,
};

/// A move that the table of a status does not list, or that needs a reason, which belongs at `path`.
pub fn transition(refusal: &transition::Refusal, path: &str) -> Error {
    match refusal {
        transition::Refusal::IllegalTransition(illegal) => illegal_move(illegal.to_string()),
        transition::Refusal::ReasonRequired { .. } => {
            Refusal::new(Code::ReasonRequired, refusal.to_string())
                .at(path)
                .into()
        }
    }
}

/// A move that the state does not allow.
pub fn illegal_move(message: impl Into<String>) -> Error {
    Refusal::new(Code::IllegalTransition, message).into()
}

/// A deal that was not moved; the stage asked for stands at `stage`.
pub fn stage_move(refusal: &MoveRefusal) -> Error {
    let told = |code| Refusal::new(code, refusal.to_string());
    match refusal {
        MoveRefusal::Closed | MoveRefusal::SameStage => told(Code::IllegalTransition).into(),
        MoveRefusal::ClosingStage => told(Code::IllegalTransition).at("stage").into(),
        MoveRefusal::UnknownStage(_) => told(Code::BadUserInput).at("stage").into(),
        MoveRefusal::RolesIncomplete { .. } => told(Code::RolesIncomplete).into(),
    }
}

/// A deal that was not closed as lost.
pub fn loss(refusal: &LossRefusal) -> Error {
    match refusal {
        LossRefusal::Move(refusal) => stage_move(refusal),
        LossRefusal::ReasonMissing => Refusal::new(Code::ReasonRequired, refusal.to_string())
            .at("reason")
            .into(),
        LossRefusal::CompetitorMissing => Refusal::input("competitor", refusal.to_string()).into(),
    }
}
