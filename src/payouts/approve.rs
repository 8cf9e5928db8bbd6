//! Agreeing to a payout run: the second pair of eyes.

use sea_orm::ActiveEnum;

use super::{
    advance::PAYMENTS,
    jobs::Advance,
    refusal,
    status::{PayoutAction, RunAction},
    store,
};
use crate::{
    access::Action,
    entity::{
        ids::{PayoutId, PayoutRunId},
        ledger_transaction::LedgerTransactionKind,
        payout::PayoutStatus,
    },
    error::{Code, Error, Refusal, Result},
    events::Event,
    ledger::{post, release, rules},
    platform::{ids::TypedId, sql::count, transition::StateMachine},
    tx::Tx,
};

/// Agrees to the amounts of a run, which become payable: those of its first payments at once, those of the others in the
/// steps that follow. Nobody gives the run up any more.
///
/// Records [`Event::PayoutRunApproved`].
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; `ILLEGAL_TRANSITION` unless the run waits for review; `SAME_PERSON` for its creator, and
/// for whoever set an account that it pays to.
pub async fn approve(tx: &Tx, run_id: PayoutRunId) -> Result<PayoutRunId> {
    tx.actor().may(Action::PayoutRunApprove)?;
    let approver = tx.actor().person()?;
    let run = store::lock_run(tx, run_id).await?;
    let status = run
        .status
        .apply(RunAction::Approve)
        .map_err(refusal::illegal_move)?;
    if run.created_by == approver {
        return Err(Refusal::new(
            Code::SamePerson,
            "Somebody else must approve what you created.",
        )
        .into());
    }
    if store::pays_to_details_of(tx, run_id, approver).await? {
        return Err(Refusal::new(
            Code::SamePerson,
            "Somebody else must approve payments to an account that you set.",
        )
        .into());
    }
    store::approve_run(tx, &run, approver, status).await?;
    tx.record(Event::PayoutRunApproved { run_id });
    if !next(tx, run_id).await? {
        tx.enqueue(&Advance::new(run_id, status.to_value()))?;
    }
    Ok(run_id)
}

/// Makes the amounts of the next payments of an approved run payable, clawbacks netted against what was earned; where they
/// cancel out, that is all. Holdbacks in them whose release was not posted yet are released first; very many take a step
/// of their own. Says whether these were the last payments.
pub(super) async fn next(tx: &Tx, run_id: PayoutRunId) -> Result<bool> {
    let payments = store::payments_in(tx, run_id, PayoutStatus::Review, PAYMENTS).await?;
    if payments.is_empty() {
        return Ok(true);
    }
    let holdbacks = store::unreleased_holdbacks(tx, &payments).await?;
    release::release(tx, &holdbacks).await?;
    if holdbacks.len() == store::HOLDBACKS {
        return Ok(false);
    }
    let nothing = store::payments_of_nothing(tx, &payments).await?;
    store::move_payments(tx, &nothing, PayoutAction::Net).await?;
    store::move_payments(tx, &payments, PayoutAction::Approve).await?;
    post_approval(tx, &payments).await?;
    Ok(count(payments.len()) < PAYMENTS)
}

async fn post_approval(tx: &Tx, payments: &[PayoutId]) -> Result<()> {
    let mut transactions = Vec::with_capacity(payments.len());
    for payment in store::nettings(tx, payments).await? {
        let postings = rules::approved(
            payment.partner_id.uuid(),
            payment.earned_minor,
            payment.taken_back_minor,
        );
        transactions.push(post::NewTransaction {
            kind: LedgerTransactionKind::PayoutApproval,
            key: format!("payout:{}:approval", payment.id.uuid()),
            subject_type: PayoutId::PREFIX,
            subject_id: payment.id.uuid(),
            effective_at: tx.now(),
            currency: payment.currency,
            postings: postings.map_err(|error| Error::internal(error.to_string()))?,
        });
    }
    post::post(tx, transactions).await.map(|_| ())
}
