//! The way of a deal registration: handed in by a partner, reviewed by the vendor, approved with
//! protection or rejected with a reason, and closed with the deal it led to.
//!
//! A reviewer may decide at once; taking a registration into review first only shows that somebody
//! is on it. A partner may withdraw until the decision. A deal can still be won after its
//! protection has run out, so an expired registration can be won or lost like an approved one.
//!
//! Pure: decides from facts alone.

use crate::{entity::deal_registration::RegistrationStatus, platform::transition::StateMachine};

crate::text_enum! {
    /// What can be done to a deal registration.
    pub enum RegistrationAction {
        /// Take it up for review.
        StartReview,
        /// Ask the partner for more. Needs the question as its reason.
        RequestInfo,
        /// Answer the reviewer's question.
        Answer,
        /// Accept and protect.
        Approve,
        /// Turn down. Needs a reason.
        Reject,
        /// Take it back before the decision.
        Withdraw,
        /// End the protection because its time is over.
        Expire,
        /// Close with the deal won.
        Win,
        /// Close with the deal lost.
        Lose,
    }
}

impl StateMachine for RegistrationStatus {
    type Action = RegistrationAction;

    fn target(self, action: RegistrationAction) -> Option<Self> {
        use RegistrationAction as A;
        use RegistrationStatus as S;
        Some(match (self, action) {
            (S::Submitted, A::StartReview) => S::InReview,
            (S::Submitted | S::InReview, A::RequestInfo) => S::InfoNeeded,
            (S::InfoNeeded, A::Answer) => S::InReview,
            (S::Submitted | S::InReview, A::Approve) => S::Approved,
            (S::Submitted | S::InReview | S::InfoNeeded, A::Reject) => S::Rejected,
            (S::Submitted | S::InReview | S::InfoNeeded, A::Withdraw) => S::Withdrawn,
            (S::Approved, A::Expire) => S::Expired,
            (S::Approved | S::Expired, A::Win) => S::Won,
            (S::Approved | S::Expired, A::Lose) => S::Lost,
            _ => return None,
        })
    }

    fn needs_reason(action: RegistrationAction) -> bool {
        matches!(
            action,
            RegistrationAction::Reject | RegistrationAction::RequestInfo
        )
    }
}

impl RegistrationStatus {
    /// Whether the registration waits for a decision, by whichever side.
    pub fn is_undecided(self) -> bool {
        matches!(self, Self::Submitted | Self::InReview | Self::InfoNeeded)
    }

    /// Whether the registration keeps others from the same customer and product family. These are
    /// also the ones that count against a tier's limit of open registrations.
    pub fn holds_place(self) -> bool {
        self.is_undecided() || self == Self::Approved
    }

    /// Whether the vendor's review clock runs; it stands still while the partner is being asked.
    pub fn review_clock_runs(self) -> bool {
        matches!(self, Self::Submitted | Self::InReview)
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveEnum, Iterable};

    use super::RegistrationAction as A;
    use crate::{
        entity::deal_registration::RegistrationStatus as S,
        platform::transition::{Refusal, StateMachine, table},
    };

    #[test]
    fn every_status_allows_exactly_the_listed_actions() {
        insta::assert_snapshot!(table::<S>(), @r"
        SUBMITTED: START_REVIEW > IN_REVIEW, REQUEST_INFO! > INFO_NEEDED, APPROVE > APPROVED, REJECT! > REJECTED, WITHDRAW > WITHDRAWN
        IN_REVIEW: REQUEST_INFO! > INFO_NEEDED, APPROVE > APPROVED, REJECT! > REJECTED, WITHDRAW > WITHDRAWN
        INFO_NEEDED: ANSWER > IN_REVIEW, REJECT! > REJECTED, WITHDRAW > WITHDRAWN
        APPROVED: EXPIRE > EXPIRED, WIN > WON, LOSE > LOST
        REJECTED: -
        WITHDRAWN: -
        EXPIRED: WIN > WON, LOSE > LOST
        WON: -
        LOST: -
        ");
    }

    #[test]
    fn a_place_is_held_until_the_decision_and_while_protected() {
        let rows = S::iter().map(|status| {
            format!(
                "{} {} {}",
                status.to_value(),
                status.holds_place(),
                status.review_clock_runs()
            )
        });
        insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"), @r"
        SUBMITTED true true
        IN_REVIEW true true
        INFO_NEEDED true false
        APPROVED true false
        REJECTED false false
        WITHDRAWN false false
        EXPIRED false false
        WON false false
        LOST false false
        ");
    }

    #[test]
    fn a_rejection_needs_a_reason() {
        let refused = Err(Refusal::ReasonRequired {
            action: "REJECT".into(),
        });
        assert_eq!(S::InReview.apply_because(A::Reject, Some("")), refused);
        assert_eq!(
            S::InReview.apply_because(A::Reject, Some("known customer")),
            Ok(S::Rejected)
        );
    }

    #[test]
    fn a_rejected_registration_cannot_be_approved_and_an_approved_one_not_withdrawn() {
        assert!(S::Rejected.apply(A::Approve).is_err());
        assert!(S::Approved.apply(A::Withdraw).is_err());
        assert!(matches!(
            S::Rejected.apply_because(A::Reject, None),
            Err(Refusal::IllegalTransition(_))
        ));
    }
}
