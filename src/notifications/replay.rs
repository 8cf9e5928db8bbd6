//! Giving a dead letter its attempts back.

use super::store;
use crate::{
    access::Action,
    entity::ids::JobId,
    error::{Code, Error, Refusal, Result},
    events::Event,
    platform::jobs,
    tx::Tx,
};

/// An operator mended the cause and lets a job that was given up be tried again, from its first attempt on.
///
/// # Errors
/// `FORBIDDEN` without [`Action::JobManage`]; `NOT_FOUND` for an unknown job; `ILLEGAL_TRANSITION` for one that was
/// not given up.
///
/// Records `job.replayed`.
pub async fn replay(tx: &Tx, id: JobId) -> Result<JobId> {
    tx.actor().may(Action::JobManage)?;
    if jobs::replay(tx, Some(id)).await? == 1 {
        tx.record(Event::JobReplayed { job_id: id });
        return Ok(id);
    }
    match store::job(tx, id).await? {
        None => Err(Error::not_found("jobId")),
        Some(_) => Err(
            Refusal::new(Code::IllegalTransition, "This job was not given up.")
                .at("jobId")
                .into(),
        ),
    }
}
