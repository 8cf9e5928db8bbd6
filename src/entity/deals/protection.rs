//! The place a registration holds per customer and product family.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{
    CustomerId, DealRegistrationId, PartnerId, ProductFamilyId, ProtectionId,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "protection")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProtectionId,
    pub registration_id: DealRegistrationId,
    pub customer_id: CustomerId,
    pub family_id: ProductFamilyId,
    pub partner_id: PartnerId,
    pub status: ProtectionStatus,
    pub expires_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// Where a held place stands.
    pub enum ProtectionStatus {
        /// Taken at submission; nobody else can register the same, but nothing is granted yet.
        Pending,
        /// Granted until its end.
        Active,
        /// Over: rejected, withdrawn, expired, won or lost.
        Ended,
    }
}
