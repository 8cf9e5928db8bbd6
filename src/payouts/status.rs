//! The states of a payout run and of its payments.
//!
//! A run is calculated, reviewed and approved by a second person, executed, and completed when every payment is
//! settled. A payment whose outcome the provider does not tell is `UNKNOWN` until somebody asks: it is never sent
//! again under another key. A payment of nothing is netted when its run is approved, and never handed to a provider.
//!
//! Pure: decides from facts alone.

use crate::{
    entity::{payout::PayoutStatus, payout_run::RunStatus},
    platform::transition::StateMachine,
};

crate::text_enum! {
    /// What can be done to a payout run.
    pub enum RunAction {
        /// Everything that is due was looked at.
        Submit,
        /// A second person agrees.
        Approve,
        /// Give it up.
        Cancel,
        /// Its commission lines are free again.
        Free,
        /// Hand its payments to the provider.
        Execute,
        /// Every payment is paid.
        Complete,
        /// Every payment is settled, some without success.
        CompleteWithFailures,
    }
}

impl StateMachine for RunStatus {
    type Action = RunAction;

    fn target(self, action: RunAction) -> Option<Self> {
        match (self, action) {
            (Self::Calculating, RunAction::Submit) => Some(Self::Review),
            (Self::Review, RunAction::Approve) => Some(Self::Approved),
            (Self::Calculating | Self::Review, RunAction::Cancel) => Some(Self::Cancelling),
            (Self::Cancelling, RunAction::Free) => Some(Self::Cancelled),
            (Self::Approved, RunAction::Execute) => Some(Self::Executing),
            (Self::Executing, RunAction::Complete) => Some(Self::Completed),
            (Self::Executing, RunAction::CompleteWithFailures) => Some(Self::PartiallyFailed),
            (Self::PartiallyFailed, RunAction::Complete) => Some(Self::Completed),
            _ => None,
        }
    }
}

crate::text_enum! {
    /// What can be done to a payment.
    pub enum PayoutAction {
        /// Its run is approved.
        Approve,
        /// Its run is approved, and there is nothing to pay.
        Net,
        /// Its run is given up.
        Cancel,
        /// It is handed to the provider.
        Start,
        /// The provider paid it.
        Settle,
        /// The provider refused it.
        Fail,
        /// The provider does not tell what became of it.
        LoseTrack,
        /// It is handed to the provider again, as another attempt.
        Retry,
    }
}

impl StateMachine for PayoutStatus {
    type Action = PayoutAction;

    fn target(self, action: PayoutAction) -> Option<Self> {
        match (self, action) {
            (Self::Review, PayoutAction::Approve) => Some(Self::Approved),
            (Self::Review, PayoutAction::Net) => Some(Self::Netted),
            (Self::Review, PayoutAction::Cancel) => Some(Self::Cancelled),
            (Self::Approved, PayoutAction::Start) | (Self::Failed, PayoutAction::Retry) => {
                Some(Self::Executing)
            }
            (Self::Executing | Self::Unknown, PayoutAction::Settle) => Some(Self::Paid),
            (Self::Executing | Self::Unknown, PayoutAction::Fail) => Some(Self::Failed),
            (Self::Executing | Self::Unknown, PayoutAction::LoseTrack) => Some(Self::Unknown),
            _ => None,
        }
    }
}

impl RunStatus {
    /// Whether the server goes on with the whole run by itself, before a person decides; the payments of an approved run
    /// follow in their own states.
    #[must_use]
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Calculating | Self::Cancelling)
    }
}

impl PayoutStatus {
    /// Whether the payment is with the provider and its outcome is open.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Executing | Self::Unknown)
    }

    /// Whether nothing more happens to the payment unless it is tried again.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(
            self,
            Self::Paid | Self::Failed | Self::Cancelled | Self::Netted
        )
    }

    /// Whether the partner sees the payment: from the approval of its run on.
    #[must_use]
    pub const fn is_shown_to_partner(self) -> bool {
        !matches!(self, Self::Review | Self::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        entity::{payout::PayoutStatus, payout_run::RunStatus},
        platform::transition::table,
    };

    #[test]
    fn a_payment_is_sent_again_only_after_it_failed() {
        insta::assert_snapshot!(table::<PayoutStatus>(), @r"
        REVIEW: APPROVE > APPROVED, NET > NETTED, CANCEL > CANCELLED
        APPROVED: START > EXECUTING
        EXECUTING: SETTLE > PAID, FAIL > FAILED, LOSE_TRACK > UNKNOWN
        PAID: -
        FAILED: RETRY > EXECUTING
        UNKNOWN: SETTLE > PAID, FAIL > FAILED, LOSE_TRACK > UNKNOWN
        CANCELLED: -
        NETTED: -
        ");
    }

    #[test]
    fn a_run_is_paid_only_after_approval_and_execution() {
        insta::assert_snapshot!(table::<RunStatus>(), @r"
        CALCULATING: SUBMIT > REVIEW, CANCEL > CANCELLING
        REVIEW: APPROVE > APPROVED, CANCEL > CANCELLING
        APPROVED: EXECUTE > EXECUTING
        EXECUTING: COMPLETE > COMPLETED, COMPLETE_WITH_FAILURES > PARTIALLY_FAILED
        COMPLETED: -
        PARTIALLY_FAILED: COMPLETE > COMPLETED
        CANCELLING: FREE > CANCELLED
        CANCELLED: -
        ");
    }
}
