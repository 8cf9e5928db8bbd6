//! A payout run.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{PartnerId, PayoutRunId, ProgramId, ProgramVersionId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payout_run")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PayoutRunId,
    pub number: String,
    pub program_id: ProgramId,
    pub program_version_id: ProgramVersionId,
    pub period_start: Date,
    pub period_end: Date,
    pub status: RunStatus,
    pub after_partner_id: Option<PartnerId>,
    pub created_by: UserId,
    pub approved_by: Option<UserId>,
    pub approved_at: Option<DateTimeUtc>,
    pub executed_by: Option<UserId>,
    pub executed_at: Option<DateTimeUtc>,
    pub completed_at: Option<DateTimeUtc>,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// Where a payout run stands.
    pub enum RunStatus {
        /// Being calculated, partner by partner.
        Calculating,
        /// Calculated; waits for a second person.
        Review,
        /// Approved; its amounts are payable, those of thousands of payments within moments.
        Approved,
        /// Handed to the provider, its payments one after the other.
        Executing,
        /// Every payment is settled as paid.
        Completed,
        /// Settled, but some payments failed; their amounts are payable again.
        PartiallyFailed,
        /// Given up before approval; its commission lines are being freed.
        Cancelling,
        /// Given up before approval; its commission lines are free for the next run.
        Cancelled,
    }
}
