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
    pub model: crate::attribution::Model,
    pub official: bool,
    pub basis: crate::attribution::Basis,
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
