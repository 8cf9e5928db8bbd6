//! One partner's part of a computation; no partner means it stays with the vendor.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{AttributionCreditId, AttributionRunId, DealId, PartnerId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "attribution_credit")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttributionCreditId,
    pub run_id: AttributionRunId,
    pub deal_id: DealId,
    pub partner_id: Option<PartnerId>,
    pub position: i32,
    pub weight: i64,
    pub share_ppm: crate::platform::ppm::Ppm,
    pub amount_minor: i64,
    pub currency: crate::platform::money::Currency,
    pub touches: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
