//! Where an incentive plan stands.
//!
//! Pure: decides from facts alone.

use crate::{entity::incentive_plan::PlanStatus, platform::transition::StateMachine};

crate::text_enum! {
    /// What can be done to an incentive plan.
    #[graphql(name = "IncentivePlanAction")]
    pub enum PlanAction {
        /// Put it into force.
        Activate,
        /// Take it out of force.
        Retire,
    }
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
