//! Something a partner did for a deal.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{DealId, PartnerId, TouchpointId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "touchpoint")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TouchpointId,
    pub external_id: Option<String>,
    pub deal_id: DealId,
    pub partner_id: PartnerId,
    pub kind: TouchpointKind,
    pub phase: JourneyPhase,
    pub milestone: Option<DealMilestone>,
    pub occurred_at: DateTimeUtc,
    pub evidence: Option<String>,
    pub status: TouchpointStatus,
    pub corrects_id: Option<TouchpointId>,
    pub recorded_by: Option<UserId>,
    pub recorded_by_partner: Option<PartnerId>,
    pub recorded_at: DateTimeUtc,
    pub verified_by: Option<UserId>,
    pub verified_at: Option<DateTimeUtc>,
    pub rejection_reason: Option<String>,
    pub version: i64,
    pub fingerprint: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// What a partner did.
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
}

crate::text_enum! {
    /// Where in the customer's journey a touchpoint lies.
    pub enum JourneyPhase {
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
}

crate::text_enum! {
    /// A step of the deal that a touchpoint brought about.
    pub enum DealMilestone {
        /// The customer became a lead.
        LeadCreated,
        /// The lead became an opportunity.
        OpportunityCreated,
    }
}

crate::text_enum! {
    /// How far a touchpoint is confirmed.
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
}
