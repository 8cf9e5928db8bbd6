//! Calculating a payout run.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use sea_orm::ActiveValue::Set;

use super::{
    ExceptionReason, PayoutStatus, RunStatus,
    select::{self, Due},
    store,
};
use crate::{
    entity::{
        ids::{PartnerId, PaymentDetailsId, PayoutId, PayoutRunId, ProgramId},
        payout, payout_exception, payout_run,
    },
    error::{Code, Error, Refusal, Result},
    events::Event,
    identity::Action,
    platform::{
        ids::{self, TypedId},
        money::Currency,
    },
    programs::rules,
    tx::Tx,
};

/// A request for a payout run.
#[derive(Clone, Copy, Debug)]
pub struct Create {
    /// The programme; the only active one unless named.
    pub program_id: Option<ProgramId>,
    /// The first day of the period that the run is about.
    pub period_start: NaiveDate,
    /// The last day: lines earned and available until its end (24:00 UTC), but not after now, are collected, also
    /// those that earlier runs left.
    pub period_end: NaiveDate,
}

/// Collects every commission line of a programme that is due and in no payout: per partner and currency into one
/// payment for review, or into an exception with its reason. A line is claimed by one run only, however many are
/// created at once; a second run of the same period finds nothing.
///
/// Records [`Event::PayoutRunCreated`].
///
/// # Errors
/// `FORBIDDEN`; `BAD_USER_INPUT` for a period that ends before it starts, or when no programme is named and there are
/// several; `NOT_FOUND` for an unknown programme; `RETRY_LATER` when commission was booked for a partner of the run
/// while it was calculated.
pub async fn create(tx: &Tx, command: Create) -> Result<PayoutRunId> {
    tx.actor().may(Action::PayoutRunCreate)?;
    let creator = tx.actor().person()?;
    if command.period_end < command.period_start {
        return Err(Refusal::input("periodEnd", "must not be before periodStart").into());
    }
    let program_id = rules::choose(tx, command.program_id).await?;
    store::lock_program(tx, program_id).await?;
    let in_force = rules::in_force(tx, program_id, tx.now()).await?;
    let run_id: PayoutRunId = tx.id();
    tx.insert(payout_run::ActiveModel {
        id: Set(run_id),
        number: Set(ids::number("PR", run_id.uuid())),
        program_id: Set(program_id),
        program_version_id: Set(in_force.version_id),
        period_start: Set(command.period_start),
        period_end: Set(command.period_end),
        status: Set(RunStatus::Review),
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
    let rules = select::Rules {
        today: tx.now().date_naive(),
        minimum: minimums(&in_force.settings.minimum_payout),
        requires_payment_details: in_force.settings.requires_payment_details,
    };
    let claim = store::Claim {
        run_id,
        program_id,
        before: select::cut_off(command.period_end, tx.now()),
    };
    collect(tx, claim, &rules).await?;
    tx.record(Event::PayoutRunCreated { run_id });
    Ok(run_id)
}

fn minimums(by_code: &BTreeMap<String, i64>) -> BTreeMap<Currency, i64> {
    by_code
        .iter()
        .filter_map(|(code, minimum)| Some((code.parse().ok()?, *minimum)))
        .collect()
}

/// Decides about everything that is due, writes payments and exceptions, and claims the lines of the payments.
async fn collect(tx: &Tx, claim: store::Claim, rules: &select::Rules) -> Result<()> {
    let (mut payments, mut exceptions, mut lines) = (Vec::new(), Vec::new(), 0_i64);
    for (due, account) in store::due(tx, claim).await? {
        match rules.exception(&due) {
            Some(reason) => exceptions.push(exception(tx, claim.run_id, &due, reason)),
            None => {
                lines += due.line_count;
                payments.push(payment(tx, claim.run_id, &due, account));
            }
        }
    }
    tx.insert_all(payments).await?;
    tx.insert_all(exceptions).await?;
    let claimed = store::claim(tx, claim).await?;
    // Lines that were booked between looking and claiming would make a payment differ from its decision.
    if i64::try_from(claimed) != Ok(lines)
        || store::has_payment_unlike_its_lines(tx, claim.run_id).await?
    {
        let busy = "Commission was booked while the run was calculated; nothing was changed. Repeat the call.";
        return Err(Error::from(Refusal::new(Code::RetryLater, busy)));
    }
    Ok(())
}

fn payment(
    tx: &Tx,
    run_id: PayoutRunId,
    due: &Due<PartnerId>,
    account: Option<PaymentDetailsId>,
) -> payout::ActiveModel {
    let id: PayoutId = tx.id();
    payout::ActiveModel {
        id: Set(id),
        number: Set(ids::number("PO", id.uuid())),
        run_id: Set(run_id),
        partner_id: Set(due.partner),
        amount_minor: Set(due.amount_minor),
        currency: Set(due.currency),
        line_count: Set(due.line_count),
        status: Set(PayoutStatus::Review),
        provider: Set(None),
        provider_reference: Set(None),
        failure: Set(None),
        payment_details_id: Set(account),
        paid_at: Set(None),
        version: Set(1),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
    }
}

fn exception(
    tx: &Tx,
    run_id: PayoutRunId,
    due: &Due<PartnerId>,
    reason: ExceptionReason,
) -> payout_exception::ActiveModel {
    payout_exception::ActiveModel {
        id: Set(tx.id()),
        run_id: Set(run_id),
        partner_id: Set(due.partner),
        currency: Set(due.currency),
        amount_minor: Set(due.amount_minor),
        reason: Set(reason),
    }
}
