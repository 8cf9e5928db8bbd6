//! A partner's role on a deal.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{DealId, DealParticipantId, PartnerId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "deal_participant")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DealParticipantId,
    pub deal_id: DealId,
    pub partner_id: PartnerId,
    pub role: ParticipantRole,
    pub status: ParticipantStatus,
    pub scope: Option<String>,
    pub invited_by: Option<UserId>,
    pub invited_at: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
    pub accepted_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
    pub end_reason: Option<String>,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub fingerprint: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// What a partner does on a deal.
    pub enum ParticipantRole {
        /// Brought the deal.
        Sourcer,
        /// Advises the customer towards it.
        Influencer,
        /// Sells to the customer in its own name. At most one on a deal.
        Reseller,
        /// Puts the product to work.
        Implementer,
        /// Runs it for the customer.
        ManagedService,
        /// Brings technology that it works with.
        Technology,
        /// Supplies the reseller.
        Distributor,
    }
}

crate::text_enum! {
    /// Whether a partner is on a deal.
    pub enum ParticipantStatus {
        /// Asked, has not answered.
        Invited,
        /// On the deal.
        Accepted,
        /// Said no.
        Declined,
        /// Did not answer in time.
        Expired,
        /// Taken off the deal.
        Removed,
    }
}
