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
    pub business: crate::entity::deal::DealBusiness,
    pub value_minor: i64,
    pub currency: crate::platform::money::Currency,
    pub expected_close_on: Date,
    pub time_zone: String,
    pub need: Option<String>,
    pub competitor: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub contacts: Contacts,
    pub tier: String,
    pub status: RegistrationStatus,
    pub conflict_outcome: MatchOutcome,
    #[sea_orm(column_type = "JsonBinary")]
    pub conflict_reasons: MatchReasons,
    pub submitted_at: DateTimeUtc,
    pub review_due_at: DateTimeUtc,
    pub question: Option<String>,
    pub question_at: Option<DateTimeUtc>,
    pub answer: Option<String>,
    pub decided_by: Option<UserId>,
    pub decided_at: Option<DateTimeUtc>,
    pub rejection_reason: Option<RejectionReason>,
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

crate::text_enum! {
    /// How sure we are that two customers are one.
    pub enum MatchOutcome {
        /// Nothing in common.
        Clear,
        /// A person must look.
        PossibleConflict,
        /// The same customer.
        Conflict,
    }
}

crate::text_enum! {
    /// What two customers have in common.
    pub enum MatchReason {
        /// The registrable domain. Proof.
        SameDomain,
        /// The name, apart from spelling conventions and legal form.
        SameName,
        /// Nearly the name.
        SimilarName,
        /// The registration number, in a country that is not known to be another one. Proof.
        SameRegistrationNumber,
        /// The telephone number.
        SamePhone,
        /// The domain, where at least one of the addresses is a page or subdomain of it and may belong to another
        /// company.
        SameHost,
    }
}

/// Why two customers may be the same, as stored.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    sea_orm::FromJsonQueryResult,
)]
pub struct MatchReasons(pub Vec<MatchReason>);

/// The partner's contacts at the customer. Personal data: kept on the registration, copied nowhere.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    sea_orm::FromJsonQueryResult,
)]
pub struct Contacts(pub Vec<Contact>);

/// A person at the customer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Contact {
    /// The name.
    pub name: String,
    /// An e-mail address.
    pub email: Option<String>,
    /// The part the person plays: buyer, sponsor, user.
    pub role: Option<String>,
}

crate::text_enum! {
    /// Where a deal registration stands.
    pub enum RegistrationStatus {
        /// Handed in; holds its place at the customer and waits for a reviewer.
        Submitted,
        /// A reviewer is on it.
        InReview,
        /// The reviewer has asked the partner something; the review clock stands still.
        InfoNeeded,
        /// Accepted: the deal exists and is protected.
        Approved,
        /// Turned down, with a reason. Final.
        Rejected,
        /// Taken back by the partner before a decision. Final.
        Withdrawn,
        /// The protection has run out; the customer is open to others.
        Expired,
        /// The deal was won. Final.
        Won,
        /// The deal was lost. Final.
        Lost,
    }
}

crate::text_enum! {
    /// Why a registration was turned down. The partner sees it together with the reviewer's words.
    pub enum RejectionReason {
        /// The customer already buys these products from the vendor.
        ExistingCustomer,
        /// The same opportunity is already known.
        Duplicate,
        /// The vendor's own sales people were already talking to the customer.
        DirectEngagement,
        /// The partner adds nothing to the sale.
        NoValueAdded,
        /// The customer is outside the territory of the partner.
        OutOfTerritory,
        /// Facts are missing and were not supplied.
        Incomplete,
        /// Another reason, told in words.
        Other,
    }
}
