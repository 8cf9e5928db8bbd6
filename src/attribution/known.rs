//! What was known about a touchpoint at an instant.
//!
//! Credit is computed once and may be asked for again years later. By then touchpoints have been verified,
//! corrected or added; leaving out what came later gives the same credit again, to the cent.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::countable::Fact;
use crate::entity::touchpoint::{DealMilestone, JourneyPhase, TouchpointKind, TouchpointStatus};

/// A touchpoint as it is recorded, with what happened to it since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded<K> {
    /// Which touchpoint.
    pub id: Uuid,
    /// Whose.
    pub partner: K,
    /// What the partner did.
    pub kind: TouchpointKind,
    /// Where in the customer's journey.
    pub phase: JourneyPhase,
    /// What it brought about.
    pub milestone: Option<DealMilestone>,
    /// How far it is confirmed today.
    pub status: TouchpointStatus,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it was entered.
    pub recorded_at: DateTime<Utc>,
    /// When it was verified, if it was.
    pub verified_at: Option<DateTime<Utc>>,
    /// Whether a person verified it; what the server or an import records needs nobody's confirmation.
    pub verified_by_person: bool,
    /// When a correction replaced it, if one did.
    pub corrected_at: Option<DateTime<Utc>>,
}

/// The touchpoint as it counts for a deal whose close is over after `closes`, judged with what was known at `as_of`.
///
/// A verification by a person after the close is the vendor's approval of a touchpoint that was late: when a deal is
/// closed, what happened after its close goes back to waiting for one. A verification after `as_of` is not known yet:
/// the touchpoint is then still a claim, or late without approval. A correction after `as_of` leaves the touchpoint as
/// it was before.
#[must_use]
pub fn fact<K: Copy>(
    recorded: &Recorded<K>,
    closes: DateTime<Utc>,
    as_of: DateTime<Utc>,
) -> Fact<K> {
    let late = recorded.occurred_at.max(recorded.recorded_at) > closes;
    let known = |at: DateTime<Utc>| at <= as_of;
    let verified_then = recorded.verified_at.is_none_or(known);
    let replaced_later = recorded.corrected_at.is_some_and(|at| !known(at));
    let pending = if late {
        TouchpointStatus::AwaitingApproval
    } else {
        TouchpointStatus::Claimed
    };
    let status = match recorded.status {
        TouchpointStatus::Corrected
            if replaced_later && recorded.verified_at.is_some_and(known) =>
        {
            TouchpointStatus::Verified
        }
        TouchpointStatus::Corrected if replaced_later => pending,
        TouchpointStatus::Verified if !verified_then && !late => TouchpointStatus::Claimed,
        status => status,
    };
    Fact {
        id: recorded.id,
        partner: recorded.partner,
        kind: recorded.kind,
        phase: recorded.phase,
        milestone: recorded.milestone,
        status,
        occurred_at: recorded.occurred_at,
        recorded_at: recorded.recorded_at,
        confirmed: verified_then,
        approved_after_close: recorded.verified_by_person
            && recorded
                .verified_at
                .is_some_and(|at| closes < at && known(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    const CLOSE: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);

    fn day(offset: i64) -> DateTime<Utc> {
        CLOSE + TimeDelta::days(offset)
    }

    fn recorded(
        status: TouchpointStatus,
        at: i64,
        verified: Option<i64>,
        corrected: Option<i64>,
    ) -> Recorded<u8> {
        Recorded {
            id: Uuid::nil(),
            partner: 1,
            kind: TouchpointKind::Demo,
            phase: JourneyPhase::Consideration,
            milestone: None,
            status,
            occurred_at: day(at),
            recorded_at: day(at),
            verified_at: verified.map(day),
            verified_by_person: true,
            corrected_at: corrected.map(day),
        }
    }

    fn seen(recorded: &Recorded<u8>, as_of: i64) -> (TouchpointStatus, bool) {
        let fact = fact(recorded, CLOSE, day(as_of));
        (fact.status, fact.approved_after_close)
    }

    #[test]
    fn a_verification_is_known_from_its_instant_on() {
        let row = recorded(TouchpointStatus::Verified, -10, Some(5), None);
        assert_eq!(seen(&row, 4), (TouchpointStatus::Claimed, false));
        assert_eq!(seen(&row, 5), (TouchpointStatus::Verified, true));
        let imported = recorded(TouchpointStatus::Verified, -10, None, None);
        assert_eq!(seen(&imported, 0), (TouchpointStatus::Verified, false));
    }

    #[test]
    fn a_late_entry_counts_once_its_approval_is_known() {
        let row = recorded(TouchpointStatus::Verified, 2, Some(5), None);
        assert_eq!(seen(&row, 4), (TouchpointStatus::Verified, false));
        assert_eq!(seen(&row, 5), (TouchpointStatus::Verified, true));
        let imported = Recorded {
            verified_by_person: false,
            ..row
        };
        assert_eq!(seen(&imported, 5), (TouchpointStatus::Verified, false));
    }

    #[test]
    fn a_correction_leaves_what_was_computed_before() {
        let row = recorded(TouchpointStatus::Corrected, -10, Some(-9), Some(3));
        assert_eq!(seen(&row, 0), (TouchpointStatus::Verified, false));
        assert_eq!(seen(&row, 3), (TouchpointStatus::Corrected, false));
        let claim = recorded(TouchpointStatus::Corrected, -10, None, Some(3));
        assert_eq!(seen(&claim, 0), (TouchpointStatus::Claimed, false));
    }
}
