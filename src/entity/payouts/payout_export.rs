//! A payment file: who writes it, and what it holds.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{PayoutExportId, PayoutRunId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payout_export")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PayoutExportId,
    pub name: String,
    pub run_id: PayoutRunId,
    pub store_id: Uuid,
    pub claim_id: Uuid,
    pub content_hash: String,
    pub payments: i64,
    pub claimed_at: DateTimeUtc,
    pub written_at: Option<DateTimeUtc>,
    pub fingerprint: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
