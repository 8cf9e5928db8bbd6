//! A move in a partner's life.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{LifecycleEventId, PartnerId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "partner_lifecycle_event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LifecycleEventId,
    pub partner_id: PartnerId,
    pub action: PartnerAction,
    pub from_status: Option<crate::entity::partner::PartnerStatus>,
    pub to_status: crate::entity::partner::PartnerStatus,
    pub actor_id: Option<UserId>,
    pub reason: Option<String>,
    pub at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// What can be done to a partner's standing.
    pub enum PartnerAction {
        /// Hand in an application, or hand it in again after a rejection.
        Apply,
        /// Take the application up for vetting.
        StartReview,
        /// Accept the applicant.
        Approve,
        /// Turn the applicant down. Needs a reason.
        Reject,
        /// Begin agreements, training and set-up.
        StartOnboarding,
        /// Put into full standing: after onboarding; right after approval where there is nothing to
        /// onboard; or from the start where the agreement was made outside of Ensemble.
        Activate,
        /// Observe the partner. Needs a reason.
        Watch,
        /// Bar from new business and hold payments. Needs a reason.
        Suspend,
        /// Return to full standing.
        Reinstate,
        /// Begin the farewell. Needs a reason.
        StartOffboarding,
        /// Close the file.
        Retire,
    }
}
