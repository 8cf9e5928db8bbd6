//! A partner company.

use sea_orm::entity::prelude::*;

use crate::entity::ids::PartnerId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "partner")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PartnerId,
    pub external_id: Option<String>,
    pub legal_name: String,
    pub display_name: String,
    pub name_key: String,
    pub size: Option<PartnerSize>,
    pub country: Option<String>,
    pub region: Option<String>,
    pub website: Option<String>,
    pub registration_number: Option<String>,
    pub parent_id: Option<PartnerId>,
    pub status: PartnerStatus,
    pub dpa_valid_until: Option<Date>,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// Where a partner stands in its life with the vendor.
    pub enum PartnerStatus {
        /// Known to the vendor, has not applied. Partners created by the vendor start here.
        Prospect,
        /// Has applied and waits for a reviewer.
        Applied,
        /// A reviewer is vetting the application.
        UnderReview,
        /// Accepted; onboarding has not begun.
        Approved,
        /// Working through agreements, training and set-up.
        Onboarding,
        /// In full standing.
        Active,
        /// In full standing, but observed for a stated reason.
        OnWatch,
        /// Barred from new business; what it has earned is held until reinstatement or offboarding.
        Suspended,
        /// Leaving: no new business, running business is settled and paid.
        Offboarding,
        /// Gone and settled. Final.
        Retired,
        /// The application was turned down. The partner may apply again.
        Rejected,
    }
}

crate::text_enum! {
    /// How big a partner is, by people employed (European Commission recommendation 2003/361/EC, large
    /// split in two).
    pub enum PartnerSize {
        /// Fewer than 10 people.
        Micro,
        /// 10 to 49 people.
        Small,
        /// 50 to 249 people.
        Medium,
        /// 250 to 4,999 people.
        Large,
        /// 5,000 people or more.
        Enterprise,
    }
}
