//! The stages of a deal: how it moves through the pipeline, what holds it back, how it is won or
//! lost.
//!
//! Stages are data of the programme. An open deal may move forward and back among the open stages,
//! also skipping some, because sales do. It enters the closing stages only by being won or lost,
//! and a closed deal does not move. A deal passes a stage that asks for accepted roles, by moving
//! beyond it or by being won from it, only when no invited partner is still to answer.
//!
//! Pure: decides from facts alone.

use crate::entity::deal::{LossReason, SalesStatus};
use serde::{Deserialize, Serialize};

crate::text_enum! {
    /// What a stage means for the sale.
    pub enum StageKind {
        /// The deal is being sold.
        Open,
        /// The stage of all won deals.
        Won,
        /// The stage of all lost deals.
        Lost,
    }
}

/// One stage of a programme's pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stage {
    /// Stable name for programs, such as `QUALIFIED`; unique in the programme.
    pub key: String,
    /// Name for people.
    pub name: String,
    /// Place in the pipeline, lowest first; unique in the programme.
    pub rank: i32,
    /// How likely a deal in this stage is won, in parts per million.
    pub probability_ppm: i32,
    /// What the stage means for the sale.
    pub kind: StageKind,
    /// Whether a deal may pass this stage only when no invited partner is still to answer.
    #[serde(default)]
    pub requires_accepted_roles_to_leave: bool,
}

/// The facts about a deal that decide whether it may move.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    /// Whether the deal is still being sold.
    pub status: SalesStatus,
    /// Key of the stage that the deal is in.
    pub stage: &'a str,
    /// Partners that are invited to the deal and have not answered.
    pub unanswered: usize,
}

/// Why a deal was not moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveRefusal {
    /// The deal is won or lost.
    #[error("the deal is closed")]
    Closed,
    /// The programme has no such stage.
    #[error("there is no stage {0}")]
    UnknownStage(String),
    /// The deal is in this stage already.
    #[error("the deal is already in this stage")]
    SameStage,
    /// Closing stages are entered by winning or losing the deal.
    #[error("a deal enters this stage only by being won or lost")]
    ClosingStage,
    /// Invited partners are still to answer.
    #[error("{unanswered} invited partner(s) have not accepted their role yet")]
    RolesIncomplete {
        /// How many.
        unanswered: usize,
    },
}

/// Why a deal was not closed as lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LossRefusal {
    /// The deal cannot be closed.
    #[error(transparent)]
    Move(MoveRefusal),
    /// No loss reason was given.
    #[error("a lost deal needs a reason")]
    ReasonMissing,
    /// No competitor was given.
    #[error("a lost deal needs the competitor it was lost to, or \"none\"")]
    CompetitorMissing,
}

/// The stage in which a new deal starts: the open one of lowest rank.
pub fn first(stages: &[Stage]) -> Option<&Stage> {
    stages
        .iter()
        .filter(|stage| stage.kind == StageKind::Open)
        .min_by_key(|stage| stage.rank)
}

/// Moves an open deal to another open stage, forward or back.
///
/// # Errors
/// The deal is closed, the stage unknown, the same or a closing one, or the move passes a stage
/// that asks for accepted roles while invited partners are still to answer.
pub fn advance<'s>(
    stages: &'s [Stage],
    deal: Position<'_>,
    to: &str,
) -> Result<&'s Stage, MoveRefusal> {
    let from = current(stages, deal)?;
    let next = find(stages, to)?;
    if next.kind != StageKind::Open {
        return Err(MoveRefusal::ClosingStage);
    }
    if next.key == from.key {
        return Err(MoveRefusal::SameStage);
    }
    pass_gates(stages, deal, from.rank..next.rank)?;
    Ok(next)
}

/// The stage of a deal that is won now. Winning passes every stage that was still ahead.
///
/// # Errors
/// As for [`advance`].
pub fn win<'s>(stages: &'s [Stage], deal: Position<'_>) -> Result<&'s Stage, MoveRefusal> {
    let from = current(stages, deal)?;
    pass_gates(stages, deal, from.rank..i32::MAX)?;
    closing(stages, StageKind::Won)
}

/// The stage of a deal that is lost now, for `reason` to `competitor` (the word "none" where there
/// was none). Losing waits for nobody's answer.
///
/// # Errors
/// The deal is closed already, or the reason or the competitor is missing; in this order.
pub fn lose<'s>(
    stages: &'s [Stage],
    deal: Position<'_>,
    reason: Option<LossReason>,
    competitor: Option<&str>,
) -> Result<&'s Stage, LossRefusal> {
    current(stages, deal).map_err(LossRefusal::Move)?;
    reason.ok_or(LossRefusal::ReasonMissing)?;
    competitor
        .filter(|name| !name.trim().is_empty())
        .ok_or(LossRefusal::CompetitorMissing)?;
    closing(stages, StageKind::Lost).map_err(LossRefusal::Move)
}

fn current<'s>(stages: &'s [Stage], deal: Position<'_>) -> Result<&'s Stage, MoveRefusal> {
    match deal.status {
        SalesStatus::Open => find(stages, deal.stage),
        SalesStatus::Won | SalesStatus::Lost => Err(MoveRefusal::Closed),
    }
}

fn find<'s>(stages: &'s [Stage], key: &str) -> Result<&'s Stage, MoveRefusal> {
    let found = stages.iter().find(|stage| stage.key == key);
    found.ok_or_else(|| MoveRefusal::UnknownStage(key.to_owned()))
}

fn closing(stages: &[Stage], kind: StageKind) -> Result<&Stage, MoveRefusal> {
    let found = stages.iter().find(|stage| stage.kind == kind);
    found.ok_or_else(|| MoveRefusal::UnknownStage(format!("of kind {kind:?}")))
}

fn pass_gates(
    stages: &[Stage],
    deal: Position<'_>,
    passed: std::ops::Range<i32>,
) -> Result<(), MoveRefusal> {
    let gate =
        |stage: &Stage| stage.requires_accepted_roles_to_leave && passed.contains(&stage.rank);
    if deal.unanswered > 0 && stages.iter().any(gate) {
        return Err(MoveRefusal::RolesIncomplete {
            unanswered: deal.unanswered,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deals::PipelineRules;

    fn stages() -> Vec<Stage> {
        PipelineRules::default().stages
    }

    fn open(stage: &str, unanswered: usize) -> Position<'_> {
        Position {
            status: SalesStatus::Open,
            stage,
            unanswered,
        }
    }

    fn key(moved: Result<&Stage, MoveRefusal>) -> Result<String, MoveRefusal> {
        moved.map(|stage| stage.key.clone())
    }

    #[test]
    fn an_open_deal_moves_forward_back_and_over_stages() {
        let stages = stages();
        for (from, to) in [
            ("PROSPECT", "QUALIFIED"),
            ("PROPOSAL", "QUALIFIED"),
            ("PROSPECT", "COMMITTED"),
        ] {
            assert_eq!(key(advance(&stages, open(from, 0), to)), Ok(to.to_owned()));
        }
        assert_eq!(first(&stages).unwrap().key, "PROSPECT");
    }

    #[test]
    fn a_deal_does_not_pass_qualified_while_an_invitation_is_open() {
        let (stages, refused) = (
            stages(),
            Err(MoveRefusal::RolesIncomplete { unanswered: 1 }),
        );
        assert_eq!(
            key(advance(&stages, open("QUALIFIED", 1), "PROPOSAL")),
            refused
        );
        assert_eq!(
            key(advance(&stages, open("PROSPECT", 1), "PROPOSAL")),
            refused
        );
        assert_eq!(key(win(&stages, open("QUALIFIED", 1))), refused);
        assert_eq!(
            key(advance(&stages, open("PROSPECT", 1), "QUALIFIED")),
            Ok("QUALIFIED".into())
        );
        assert_eq!(
            key(advance(&stages, open("QUALIFIED", 1), "PROSPECT")),
            Ok("PROSPECT".into())
        );
        assert_eq!(
            key(advance(&stages, open("PROPOSAL", 1), "NEGOTIATION")),
            Ok("NEGOTIATION".into())
        );
        assert_eq!(
            key(advance(&stages, open("QUALIFIED", 0), "PROPOSAL")),
            Ok("PROPOSAL".into())
        );
    }

    #[test]
    fn closing_stages_are_entered_by_winning_and_losing_only() {
        let stages = stages();
        for closing in ["WON", "LOST"] {
            let refused = key(advance(&stages, open("COMMITTED", 0), closing));
            assert_eq!(refused, Err(MoveRefusal::ClosingStage));
        }
        assert_eq!(key(win(&stages, open("PROSPECT", 0))), Ok("WON".into()));
        let same = key(advance(&stages, open("QUALIFIED", 0), "QUALIFIED"));
        assert_eq!(same, Err(MoveRefusal::SameStage));
        let unknown = key(advance(&stages, open("QUALIFIED", 0), "NOWHERE"));
        assert_eq!(unknown, Err(MoveRefusal::UnknownStage("NOWHERE".into())));
    }

    #[test]
    fn a_closed_deal_does_not_move() {
        let stages = stages();
        for status in [SalesStatus::Won, SalesStatus::Lost] {
            let deal = Position {
                status,
                ..open("WON", 0)
            };
            assert_eq!(
                key(advance(&stages, deal, "PROPOSAL")),
                Err(MoveRefusal::Closed)
            );
            assert_eq!(key(win(&stages, deal)), Err(MoveRefusal::Closed));
            let lost = lose(&stages, deal, Some(LossReason::Price), Some("Initech"));
            assert_eq!(lost.err(), Some(LossRefusal::Move(MoveRefusal::Closed)));
        }
    }

    #[test]
    fn a_lost_deal_needs_a_reason_and_a_competitor() {
        let (stages, deal) = (stages(), open("PROPOSAL", 3));
        let lose = |reason, competitor| {
            lose(&stages, deal, reason, competitor).map(|stage| stage.key.as_str())
        };
        assert_eq!(lose(None, Some("Initech")), Err(LossRefusal::ReasonMissing));
        assert_eq!(
            lose(Some(LossReason::Price), None),
            Err(LossRefusal::CompetitorMissing)
        );
        assert_eq!(
            lose(Some(LossReason::Price), Some(" ")),
            Err(LossRefusal::CompetitorMissing)
        );
        assert_eq!(lose(Some(LossReason::Price), Some("Initech")), Ok("LOST"));
    }
}
