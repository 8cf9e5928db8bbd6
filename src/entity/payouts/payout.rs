//! A payment to one partner in one currency.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{PartnerId, PaymentDetailsId, PayoutId, PayoutRunId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payout")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PayoutId,
    pub number: String,
    pub run_id: PayoutRunId,
    pub partner_id: PartnerId,
    pub amount_minor: i64,
    pub currency: crate::platform::money::Currency,
    pub line_count: i64,
    pub status: PayoutStatus,
    pub provider: Option<String>,
    pub provider_reference: Option<String>,
    pub failure: Option<String>,
    pub payment_details_id: Option<PaymentDetailsId>,
    pub attempt: i32,
    pub paid_at: Option<DateTimeUtc>,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// Where a payment to one partner stands.
    pub enum PayoutStatus {
        /// Calculated; waits for the approval of its run.
        Review,
        /// Approved; its amount is payable.
        Approved,
        /// Handed to the provider, which has not answered yet.
        Executing,
        /// The money is on its way to the partner.
        Paid,
        /// The provider refused; the amount is payable again.
        Failed,
        /// The provider's answer is not known; it is asked, never sent anew.
        Unknown,
        /// Its run was given up.
        Cancelled,
        /// Approved, and nothing to pay: what was earned and what was taken back cancel out.
        Netted,
    }
}
