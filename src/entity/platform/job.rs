//! Background work: the outbox.

use sea_orm::entity::prelude::*;

use crate::entity::ids::JobId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    pub topic: String,
    pub lane: JobLane,
    /// Lower runs first.
    pub priority: i32,
    #[sea_orm(column_type = "JsonBinary")]
    pub payload: Json,
    pub dedupe_key: Option<String>,
    pub status: JobStatus,
    pub run_at: DateTimeUtc,
    pub attempts: i32,
    pub max_attempts: i32,
    pub lease_until: Option<DateTimeUtc>,
    pub lease_epoch: i32,
    pub last_error: Option<String>,
    pub request_id: Option<String>,
    pub created_at: DateTimeUtc,
    pub finished_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// Where a job stands.
    pub enum JobStatus {
        /// Waits for its time, or is being worked on under a lease.
        Pending,
        /// Finished.
        Done,
        /// Given up after its last attempt; an operator may replay it.
        Dead,
    }
}

crate::text_enum! {
    /// The lane a background job waits in. Each lane has its own runners, so a slow lane does not delay the others.
    pub enum JobLane {
        /// Steps of payout runs and payments.
        Money,
        /// High-volume work, such as finding the recipients of each event.
        Bulk,
        /// Emails to be sent.
        Mail,
    }
}
