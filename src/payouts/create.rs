//! Creating a payout run.

use chrono::NaiveDate;
use sea_orm::{ActiveEnum, ActiveValue::Set};

use super::{jobs::Advance, store};
use crate::{
    access::Action,
    entity::{
        ids::{PayoutRunId, ProgramId},
        payout_run::{self, RunStatus},
    },
    error::{Refusal, Result},
    events::Event,
    platform::ids::{self, TypedId},
    programs::rules::{self, Rules},
    tx::Tx,
};

/// A request for a payout run.
#[derive(Clone, Copy, Debug)]
pub struct Create {
    /// The programme; the only active one unless named.
    pub program_id: Option<ProgramId>,
    /// The first day of the period that the run is about.
    pub period_start: NaiveDate,
    /// The last day: lines earned and available until its end in the programme's time zone, but not after the creation, are collected,
    /// also those that earlier runs left.
    pub period_end: NaiveDate,
}

/// Opens a run, which is calculated next, by a job if by nobody else.
///
/// Records [`Event::PayoutRunCreated`].
///
/// # Errors
/// `FORBIDDEN`; `BAD_USER_INPUT` for a period that ends before it starts, or when no programme is named and there are
/// several; `NOT_FOUND` for an unknown programme.
pub async fn create(tx: &Tx, command: Create) -> Result<PayoutRunId> {
    tx.actor().may(Action::PayoutRunCreate)?;
    let creator = tx.actor().person()?;
    if command.period_end < command.period_start {
        return Err(Refusal::input("periodEnd", "must not be before periodStart").into());
    }
    let program_id = rules::choose(tx, command.program_id).await?;
    store::lock_program(tx, program_id).await?;
    let in_force: Rules = rules::in_force(tx, program_id, tx.now()).await?;
    let run_id: PayoutRunId = tx.id();
    tx.insert(payout_run::ActiveModel {
        id: Set(run_id),
        number: Set(ids::number("PR", run_id.uuid())),
        program_id: Set(program_id),
        program_version_id: Set(in_force.version_id),
        period_start: Set(command.period_start),
        period_end: Set(command.period_end),
        status: Set(RunStatus::Calculating),
        after_partner_id: Set(None),
        created_by: Set(creator),
        approved_by: Set(None),
        approved_at: Set(None),
        executed_by: Set(None),
        executed_at: Set(None),
        completed_at: Set(None),
        version: Set(1),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
    })
    .await?;
    tx.enqueue(&Advance::new(run_id, RunStatus::Calculating.to_value()))?;
    tx.record(Event::PayoutRunCreated { run_id });
    Ok(run_id)
}
