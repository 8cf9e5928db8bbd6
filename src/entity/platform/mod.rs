//! Tables of `platform`.

pub mod job;
pub mod schedule_run;
pub mod idempotency;
pub mod audit_event;
pub mod audit_seal;
