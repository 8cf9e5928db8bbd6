//! Where an incentive plan stands.
//!
//! Pure: decides from facts alone.

use serde::{Deserialize, Serialize};

use crate::platform::transition::StateMachine;

/// A plan is drafted by one person, put into force by another, and what it promises is never changed afterwards.
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
pub enum PlanStatus {
    /// Being written; pays nothing.
    Draft,
    /// In force between its dates.
    Active,
    /// Taken out of force; what it paid stays.
    Retired,
}

/// What can be done to an incentive plan.
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
#[graphql(name = "IncentivePlanAction")]
pub enum PlanAction {
    /// Put it into force.
    Activate,
    /// Take it out of force.
    Retire,
}

impl StateMachine for PlanStatus {
    type Action = PlanAction;

    fn target(self, action: PlanAction) -> Option<Self> {
        match (self, action) {
            (Self::Draft, PlanAction::Activate) => Some(Self::Active),
            (Self::Draft | Self::Active, PlanAction::Retire) => Some(Self::Retired),
            (Self::Active | Self::Retired, PlanAction::Activate)
            | (Self::Retired, PlanAction::Retire) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_move_is_in_the_table() {
        use PlanAction::{Activate, Retire};
        assert_eq!(PlanStatus::Draft.allowed(), [Activate, Retire]);
        assert_eq!(PlanStatus::Active.allowed(), [Retire]);
        assert_eq!(PlanStatus::Retired.allowed(), []);
    }
}
