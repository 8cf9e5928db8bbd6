//! Tables of `platform`.

pub mod audit_event;
pub mod audit_seal;
pub mod idempotency;
pub mod job;
pub mod row_fingerprint;
pub mod schedule_run;
