//! Background jobs: what a kind of job declares, and the queue that keeps them, which is also the outbox.
//!
//! A job is written in the transaction of its cause, claimed under a lease, run, and settled by the epoch of that lease:
//! a worker whose lease expired cannot settle the job. A job that keeps failing becomes a dead letter, which an
//! operator can list and replay.
//!
//! Each job waits in a lane. Each lane has its own runners, so a slow lane delays only its own jobs.

mod kind;
mod queue;
mod schedule;

pub use kind::{BackgroundJob, Failure, Kind, Priority, Settled};
pub use queue::{Happened, Job, NewJob, append, claim, due_since, fail, finish, replay, sweep};
pub use schedule::{Schedule, sweep_schedules};
