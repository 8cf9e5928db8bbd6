//! One version of an incentive plan.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{IncentivePlanId, ProgramId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "incentive_plan")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IncentivePlanId,
    pub program_id: ProgramId,
    pub name: String,
    pub number: i32,
    pub status: PlanStatus,
    #[sea_orm(column_type = "JsonBinary")]
    pub terms: crate::incentives::PlanTerms,
    pub currency: crate::platform::money::Currency,
    pub effective_from: DateTimeUtc,
    pub effective_to: Option<DateTimeUtc>,
    pub created_by: UserId,
    pub activated_by: Option<UserId>,
    pub activated_at: Option<DateTimeUtc>,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// A plan is drafted by one person, put into force by another, and what it promises is never changed afterwards.
    pub enum PlanStatus {
        /// Being written; pays nothing.
        Draft,
        /// In force between its dates.
        Active,
        /// Taken out of force; what it paid stays.
        Retired,
    }
}
