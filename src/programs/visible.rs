//! Which programmes and enrolments an actor sees.

use sea_orm::Condition;

use crate::{
    access::{Action, Scope, Versioned, Visible, everybody, of_partner},
    entity::{enrollment, program, program_version, tier_change},
};

impl Visible for program::Entity {
    const ID: Self::Column = program::Column::Id;
    const ARGUMENT: &'static str = "programId";
    const READ: Action = Action::ProgramRead;

    fn visible(scope: Scope) -> Condition {
        everybody(scope)
    }
}

impl Versioned for program::Entity {
    const VERSION: Self::Column = program::Column::Version;
    const UPDATED_AT: Option<Self::Column> = Some(program::Column::UpdatedAt);
}

impl Visible for program_version::Entity {
    const ID: Self::Column = program_version::Column::Id;
    const ARGUMENT: &'static str = "programVersionId";
    const READ: Action = Action::ProgramRead;

    fn visible(scope: Scope) -> Condition {
        everybody(scope)
    }
}

impl Visible for enrollment::Entity {
    const ID: Self::Column = enrollment::Column::Id;
    const ARGUMENT: &'static str = "enrollmentId";
    const READ: Action = Action::ProgramRead;

    fn visible(scope: Scope) -> Condition {
        of_partner(scope, enrollment::Column::PartnerId)
    }
}

impl Visible for tier_change::Entity {
    const ID: Self::Column = tier_change::Column::Id;
    const ARGUMENT: &'static str = "tierChangeId";
    const READ: Action = Action::ProgramRead;

    fn visible(scope: Scope) -> Condition {
        of_partner(scope, tier_change::Column::PartnerId)
    }
}

impl Versioned for enrollment::Entity {
    const VERSION: Self::Column = enrollment::Column::Version;
    const UPDATED_AT: Option<Self::Column> = Some(enrollment::Column::UpdatedAt);
}
