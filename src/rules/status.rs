//! Where a document stands.
//!
//! Pure: decides from facts alone.

use crate::{
    entity::{ids::UserId, rule_document::RuleStatus},
    error::{Code, Refusal},
    platform::transition::StateMachine,
};

crate::text_enum! {
    /// What can be done to a document of rules.
    pub enum RuleAction {
        /// Let it take effect at its date.
        Activate,
        /// Take it back before it takes effect.
        Withdraw,
    }
}

impl StateMachine for RuleStatus {
    type Action = RuleAction;

    fn target(self, action: RuleAction) -> Option<Self> {
        match (self, action) {
            (Self::Draft, RuleAction::Activate) => Some(Self::Active),
            (Self::Draft | Self::Active, RuleAction::Withdraw) => Some(Self::Withdrawn),
            (Self::Active | Self::Withdrawn, RuleAction::Activate)
            | (Self::Withdrawn, RuleAction::Withdraw) => None,
        }
    }
}

/// Refuses the person who drafted something as the one who activates it. `what` names the thing, such as `plan`.
///
/// # Errors
/// `SAME_PERSON`.
pub fn second_person(what: &str, drafted_by: UserId, person: UserId) -> Result<(), Refusal> {
    if drafted_by == person {
        let message = format!("You drafted this {what}; a colleague has to activate it.");
        return Err(Refusal::new(Code::SamePerson, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_move_is_in_the_table() {
        use RuleAction::{Activate, Withdraw};
        assert_eq!(RuleStatus::Draft.allowed(), [Activate, Withdraw]);
        assert_eq!(RuleStatus::Active.allowed(), [Withdraw]);
        assert_eq!(RuleStatus::Withdrawn.allowed(), []);
    }
}
