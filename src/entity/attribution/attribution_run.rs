//! One computation of credit for a deal.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{AttributionRunId, DealId, ProgramVersionId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "attribution_run")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttributionRunId,
    pub deal_id: DealId,
    pub program_version_id: ProgramVersionId,
    pub model: AttributionModel,
    pub official: bool,
    pub basis: AttributionBasis,
    pub value_minor: i64,
    pub currency: crate::platform::money::Currency,
    pub as_of: DateTimeUtc,
    pub inputs_hash: String,
    pub created_at: DateTimeUtc,
    pub superseded_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// A rule that turns contributions into credit.
    pub enum AttributionModel {
        /// All credit to the earliest touchpoint.
        First,
        /// All credit to the latest touchpoint.
        Last,
        /// Every touchpoint alike.
        Linear,
        /// A touchpoint's weight halves with every half-life between it and the close.
        TimeDecay,
        /// 40 % to the first, 40 % to the last, 20 % spread over those between.
        UShaped,
        /// 30 % each to the first touchpoint, the one that made the lead and the one that made the opportunity; 10 % spread over the rest.
        WShaped,
        /// By the role in which a partner takes part in the deal.
        RoleWeighted,
        /// By the kind of touchpoint, with the programme's own weights.
        Custom,
    }
}

crate::text_enum! {
    /// What credit was computed from.
    pub enum AttributionBasis {
        /// The touchpoints that count.
        Touchpoints,
        /// The accepted participants, because the model is about roles or no touchpoint counts.
        Participation,
        /// Nobody took part; all credit stays with the house.
        Nobody,
    }
}
