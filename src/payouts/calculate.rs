//! Calculating a payout run, some hundred partners at a time.

use std::collections::BTreeMap;

use sea_orm::ActiveValue::Set;

use super::{
    PayoutRules, refusal,
    select::{self, Due},
    status::RunAction,
    store,
};
use crate::{
    entity::{
        ids::{PartnerId, PaymentDetailsId, PayoutId, PayoutRunId},
        payout::{self, PayoutStatus},
        payout_exception::{self, ExceptionReason},
        payout_run,
    },
    error::{Code, Error, Refusal, Result},
    events::Event,
    partners,
    platform::{
        calendar,
        ids::{self, TypedId},
        money::Currency,
        transition::StateMachine,
    },
    programs::rules,
    tx::Tx,
};

/// Partners of one unit of work.
const CHUNK: u64 = 200;

/// Collects every commission line of the next partners that is due and in no payout: per partner and currency into
/// one payment for review, or into an exception with its reason. The instant until which lines count, and the rules, are
/// those of the run's creation. A line is claimed by one run only, however many there are.
///
/// Says whether these were the last partners, and then records [`Event::PayoutRunCalculated`].
///
/// # Errors
/// `RETRY_LATER` when commission was booked for one of these partners meanwhile.
pub(super) async fn next(tx: &Tx, run: &payout_run::Model) -> Result<bool> {
    let rules: rules::Rules<PayoutRules> = rules::of(tx, run.program_version_id).await?;
    let settings = &rules.settings;
    let zone = rules.program.default_time_zone;
    let rules = select::Rules {
        today: calendar::day_of(zone, run.created_at),
        minimum: minimums(&settings.minimum_payout),
        requires_payment_details: settings.requires_payment_details,
    };
    let partners = partners::Chunk::next(tx, run.after_partner_id, CHUNK).await?;
    let claim = store::Claim {
        run_id: run.id,
        program_id: run.program_id,
        before: select::cut_off(run.period_end, zone, run.created_at),
        partners,
    };
    collect(tx, claim, &rules).await?;
    if partners.last.is_some() {
        store::note_calculated(tx, run, partners.last).await?;
        return Ok(false);
    }
    let status = run
        .status
        .apply(RunAction::Submit)
        .map_err(refusal::illegal_move)?;
    store::move_run(tx, run, status).await?;
    tx.record(Event::PayoutRunCalculated { run_id: run.id });
    Ok(true)
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
                lines = lines
                    .checked_add(due.line_count)
                    .ok_or_else(|| Error::internal("a run has too many lines"))?;
                payments.push(payment(tx, claim.run_id, &due, account));
            }
        }
    }
    if payments.is_empty() {
        return tx.insert_all(exceptions).await;
    }
    tx.insert_all(payments).await?;
    tx.insert_all(exceptions).await?;
    let claimed = store::claim(tx, claim).await?;
    // Lines that were booked between looking and claiming would make a payment differ from its decision.
    if i64::try_from(claimed) != Ok(lines) || store::has_payment_unlike_its_lines(tx, claim).await?
    {
        let busy = "Commission was booked while the run was calculated; nothing was changed.";
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
        // Where earnings and clawbacks cancel out, nothing goes to any account.
        payment_details_id: Set(account.filter(|_| due.amount_minor > 0)),
        attempt: Set(1),
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
