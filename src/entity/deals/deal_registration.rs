//! A partner's claim on a deal, with its review.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{
    CustomerId, DealId, DealRegistrationId, PartnerId, ProgramId, ProgramVersionId, UserId,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "deal_registration")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DealRegistrationId,
    pub number: String,
    pub program_id: ProgramId,
    pub program_version_id: ProgramVersionId,
    pub partner_id: PartnerId,
    pub submitted_by: UserId,
    pub customer_id: CustomerId,
    pub customer_name: String,
    pub customer_domain: Option<String>,
    pub customer_country: Option<String>,
    pub business: crate::deals::DealBusiness,
    pub value_minor: i64,
    pub currency: crate::platform::money::Currency,
    pub expected_close_on: Date,
    pub time_zone: String,
    pub need: Option<String>,
    pub competitor: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub contacts: crate::deals::Contacts,
    pub tier: String,
    pub status: crate::deals::RegistrationStatus,
    pub conflict_outcome: crate::customers::MatchOutcome,
    #[sea_orm(column_type = "JsonBinary")]
    pub conflict_reasons: crate::customers::MatchReasons,
    pub submitted_at: DateTimeUtc,
    pub review_due_at: DateTimeUtc,
    pub question: Option<String>,
    pub question_at: Option<DateTimeUtc>,
    pub answer: Option<String>,
    pub decided_by: Option<UserId>,
    pub decided_at: Option<DateTimeUtc>,
    pub rejection_reason: Option<crate::deals::RejectionReason>,
    pub decision_note: Option<String>,
    pub protected_until: Option<DateTimeUtc>,
    pub reminder_due_at: Option<DateTimeUtc>,
    pub extensions: i32,
    pub extended_at: Option<DateTimeUtc>,
    pub extension_evidence: Option<String>,
    pub deal_id: Option<DealId>,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
