//! The words for what a partner did on a deal, when in the customer's journey, and whether it is confirmed.
//!
//! Pure: decides from facts alone.

use serde::{Deserialize, Serialize};

use crate::platform::transition::StateMachine;

/// What a partner did.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum TouchpointKind {
    /// Brought vendor and customer together.
    Referral,
    /// Showed the product.
    Demo,
    /// Worked on the customer's problem with the customer.
    Workshop,
    /// Ran a proof of concept.
    Poc,
    /// Provided content the customer used, such as a case study.
    Content,
    /// Met the customer at an event.
    Event,
    /// Ran an activity paid from market development funds.
    MdfActivity,
    /// Put the product to work at the customer.
    Implementation,
    /// Took part in a review of an account or a deal.
    ReviewCall,
    /// Anything else, described by its evidence.
    Other,
}

/// Where in the customer's journey a touchpoint lies.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[graphql(name = "JourneyPhase")]
pub enum Phase {
    /// The customer learns of the product.
    Awareness,
    /// The customer weighs it.
    Consideration,
    /// The customer buys.
    Transaction,
    /// The customer puts it to use.
    Adoption,
    /// The customer renews or extends.
    Renewal,
    /// The customer recommends it.
    Advocacy,
}

/// A step of the deal that a touchpoint brought about.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[graphql(name = "DealMilestone")]
pub enum Milestone {
    /// The customer became a lead.
    LeadCreated,
    /// The lead became an opportunity.
    OpportunityCreated,
}

/// How far a touchpoint is confirmed.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum TouchpointStatus {
    /// Recorded by one side, not yet confirmed by the other.
    Claimed,
    /// Confirmed by the other side, or recorded by the system itself.
    Verified,
    /// Refused by the other side.
    Rejected,
    /// Happened or was recorded after the deal was closed; the vendor must approve it before it can count.
    AwaitingApproval,
    /// Replaced by a later row that corrects it.
    Corrected,
}

/// What can be done to a touchpoint.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum TouchpointAction {
    /// Confirm that it happened as recorded.
    Verify,
    /// Refuse it, with a reason.
    Reject,
    /// Replace it by a new record.
    Correct,
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
