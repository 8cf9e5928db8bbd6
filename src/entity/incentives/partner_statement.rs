//! A statement as it was published.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{PartnerId, PartnerStatementId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "partner_statement")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PartnerStatementId,
    pub partner_id: PartnerId,
    pub currency: crate::platform::money::Currency,
    pub period_start: Date,
    pub period_end: Date,
    pub opening_minor: i64,
    pub earned_minor: i64,
    pub adjustments_minor: i64,
    pub paid_minor: i64,
    pub published_by: Option<UserId>,
    pub published_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
