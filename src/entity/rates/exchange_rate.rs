//! What one currency was worth in another on a day.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{ExchangeRateId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "exchange_rate")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ExchangeRateId,
    pub from_currency: crate::platform::money::Currency,
    pub from_amount: String,
    pub to_currency: crate::platform::money::Currency,
    pub to_amount: String,
    pub rate_on: Date,
    pub number: i32,
    pub recorded_by: Option<UserId>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
