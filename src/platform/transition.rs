//! What every state machine of the house has in common: a table of allowed moves, the refusal of
//! everything else, and moves that nobody may make without saying why.
//!
//! Pure: decides from facts alone.

use std::fmt;

use sea_orm::{ActiveEnum, Iterable};

/// A status with a table of allowed moves. A status file writes [`StateMachine::target`] and
/// nothing more; deciding, listing and refusing follow from it, so that the API's allowed actions
/// and the use cases cannot disagree.
pub trait StateMachine: ActiveEnum<Value = String> + Copy {
    /// What can be done to something in this status.
    type Action: ActiveEnum<Value = String> + Iterable + Copy;

    /// The table: the status that `action` leads to, or nothing where the move is not listed.
    fn target(self, action: Self::Action) -> Option<Self>;

    /// Whether nobody may take `action` without giving a reason.
    fn needs_reason(_action: Self::Action) -> bool {
        false
    }

    /// The status after `action`.
    ///
    /// # Errors
    /// The move is not in the table.
    fn apply(self, action: Self::Action) -> Result<Self, IllegalTransition> {
        self.target(action).ok_or_else(|| IllegalTransition {
            from: self.to_value(),
            action: action.to_value(),
        })
    }

    /// The status after `action`, taken for `reason`.
    ///
    /// # Errors
    /// The move is not in the table, or it needs a reason and none (or only blanks) was given; in
    /// this order.
    fn apply_because(self, action: Self::Action, reason: Option<&str>) -> Result<Self, Refusal> {
        let next = self.apply(action).map_err(Refusal::IllegalTransition)?;
        let silent = reason.is_none_or(|text| text.trim().is_empty());
        if Self::needs_reason(action) && silent {
            return Err(Refusal::ReasonRequired {
                action: action.to_value(),
            });
        }
        Ok(next)
    }

    /// The actions that the table allows in this status, in the order of their declaration.
    fn allowed(self) -> Vec<Self::Action> {
        Self::Action::iter()
            .filter(|action| self.target(*action).is_some())
            .collect()
    }
}

/// A move that is not in the table. Carries the wire names of the status and of the action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{action} is not possible in status {from}")]
pub struct IllegalTransition {
    /// The status in which the action was tried.
    pub from: String,
    /// The action that was tried.
    pub action: String,
}

/// Why a move with a reason was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The move is not in the table.
    #[error(transparent)]
    IllegalTransition(IllegalTransition),
    /// The action needs a reason.
    #[error("{action} needs a reason")]
    ReasonRequired {
        /// The action that was tried.
        action: String,
    },
}

/// Prints every status and action of a machine with the status that follows, one row a status, for
/// the snapshot tests.
pub fn table<S: StateMachine + Iterable>() -> impl fmt::Display {
    let rows = S::iter().map(|status| {
        let moves = status.allowed().into_iter().filter_map(|action| {
            let reason = if S::needs_reason(action) { "!" } else { "" };
            let next = status.target(action)?.to_value();
            Some(format!("{}{reason} > {next}", action.to_value()))
        });
        let moves: Vec<_> = moves.collect();
        format!(
            "{}: {}",
            status.to_value(),
            if moves.is_empty() {
                "-".to_owned()
            } else {
                moves.join(", ")
            }
        )
    });
    rows.collect::<Vec<_>>().join("\n")
}
