//! The words for what a partner did on a deal, when in the customer's journey, and whether it is confirmed.
//!
//! Pure: decides from facts alone.

use crate::{entity::touchpoint::TouchpointStatus, platform::transition::StateMachine};

crate::text_enum! {
    /// What can be done to a touchpoint.
    pub enum TouchpointAction {
        /// Confirm that it happened as recorded.
        Verify,
        /// Refuse it, with a reason.
        Reject,
        /// Replace it by a new record.
        Correct,
    }
}

impl StateMachine for TouchpointStatus {
    type Action = TouchpointAction;

    fn target(self, action: TouchpointAction) -> Option<Self> {
        use TouchpointAction as A;
        match (self, action) {
            (Self::Claimed | Self::AwaitingApproval, A::Verify) => Some(Self::Verified),
            (Self::Claimed | Self::AwaitingApproval, A::Reject) => Some(Self::Rejected),
            (
                Self::Claimed | Self::AwaitingApproval | Self::Verified | Self::Rejected,
                A::Correct,
            ) => Some(Self::Corrected),
            (Self::Verified | Self::Rejected | Self::Corrected, _) => None,
        }
    }

    fn needs_reason(action: TouchpointAction) -> bool {
        action == TouchpointAction::Reject
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::Iterable;

    #[test]
    fn every_move_is_in_the_table() {
        let rows =
            TouchpointStatus::iter().map(|status| format!("{status:?} {:?}", status.allowed()));
        insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"), @r"
        Claimed [Verify, Reject, Correct]
        Verified [Correct]
        Rejected [Correct]
        AwaitingApproval [Verify, Reject, Correct]
        Corrected []
        ");
    }
}
