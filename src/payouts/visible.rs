//! Which runs and payments an actor sees. Runs do not exist for a partner.

use sea_orm::{ColumnTrait, Condition, sea_query::LockType};

use crate::{
    access::{Action, Scope, Versioned, Visible, vendor_only, with_partner},
    entity::{
        payout::{self, PayoutStatus},
        payout_exception, payout_run,
    },
};

impl Visible for payout_run::Entity {
    const ID: Self::Column = payout_run::Column::Id;
    const ARGUMENT: &'static str = "payoutRunId";
    const READ: Action = Action::PayoutRead;

    fn visible(scope: Scope) -> Condition {
        vendor_only(scope)
    }
}

impl Versioned for payout_run::Entity {
    const VERSION: Self::Column = payout_run::Column::Version;
    const UPDATED_AT: Option<Self::Column> = Some(payout_run::Column::UpdatedAt);
    const LOCK: LockType = LockType::NoKeyUpdate;
}

impl Visible for payout_exception::Entity {
    const ID: Self::Column = payout_exception::Column::Id;
    const ARGUMENT: &'static str = "payoutExceptionId";
    const READ: Action = Action::PayoutRead;

    fn visible(scope: Scope) -> Condition {
        vendor_only(scope)
    }
}

impl Visible for payout::Entity {
    const ID: Self::Column = payout::Column::Id;
    const ARGUMENT: &'static str = "payoutId";
    const READ: Action = Action::PayoutRead;

    /// A partner sees its payments once they are approved.
    fn visible(scope: Scope) -> Condition {
        with_partner(scope, |own| {
            let hidden = [PayoutStatus::Review, PayoutStatus::Cancelled];
            Condition::all()
                .add(payout::Column::PartnerId.eq(own))
                .add(payout::Column::Status.is_not_in(hidden))
        })
    }
}

impl Versioned for payout::Entity {
    const VERSION: Self::Column = payout::Column::Version;
    const UPDATED_AT: Option<Self::Column> = Some(payout::Column::UpdatedAt);
}
