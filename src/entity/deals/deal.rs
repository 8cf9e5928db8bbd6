//! An opportunity and its pipeline.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{CustomerId, DealId, PartnerId, ProgramId, ProgramVersionId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "deal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DealId,
    pub external_id: Option<String>,
    pub number: String,
    pub name: String,
    pub program_id: ProgramId,
    pub program_version_id: ProgramVersionId,
    pub customer_id: Option<CustomerId>,
    pub partner_id: Option<PartnerId>,
    pub business: DealBusiness,
    pub value_minor: i64,
    pub currency: crate::platform::money::Currency,
    pub stage: String,
    pub status: SalesStatus,
    pub time_zone: String,
    pub expected_close_on: Option<Date>,
    pub opened_at: DateTimeUtc,
    pub closed_at: Option<DateTimeUtc>,
    pub loss_reason: Option<LossReason>,
    pub loss_detail: Option<String>,
    pub competitor: Option<String>,
    pub refunded_minor: i64,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub fingerprint: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// Whether a deal is still being sold.
    pub enum SalesStatus {
        /// Being sold.
        Open,
        /// The customer bought.
        Won,
        /// The customer did not buy.
        Lost,
    }
}

crate::text_enum! {
    /// Why a deal was lost.
    pub enum LossReason {
        /// Too expensive.
        Price,
        /// The product lacked something.
        ProductFit,
        /// The customer trusted somebody else more.
        Relationship,
        /// The money was not there.
        NoBudget,
        /// Not now.
        Timing,
        /// The customer decided nothing.
        NoDecision,
        /// Nobody could reach the customer any more.
        NoContact,
        /// Another reason.
        Other,
    }
}

crate::text_enum! {
    /// What kind of sale a deal is; incentive plans tell them apart.
    #[derive(Default)]
    pub enum DealBusiness {
        /// The customer buys something for the first time.
        #[default]
        NewBusiness,
        /// The customer goes on with what it has.
        Renewal,
    }
}
