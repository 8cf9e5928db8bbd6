//! Agreeing to a payout run: the second pair of eyes.

use super::{
    refusal,
    status::{PayoutAction, RunAction},
    store,
};
use crate::{
    access::Action,
    entity::{
        ids::{PayoutId, PayoutRunId},
        ledger_transaction::LedgerTransactionKind,
    },
    error::{Code, Error, Refusal, Result},
    events::Event,
    ledger::{post, release, rules},
    platform::{ids::TypedId, transition::StateMachine},
    tx::Tx,
};

/// Makes the amounts of a run payable, clawbacks netted against what was earned; where they cancel out, that is all.
/// Holdbacks in the run whose release was not posted yet are released first.
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
    let nothing = store::payments_of_nothing(tx, run_id).await?;
    store::move_payments(tx, run_id, Some(&nothing), PayoutAction::Net).await?;
    store::move_payments(tx, run_id, None, PayoutAction::Approve).await?;
    release_holdbacks(tx, run_id).await?;
    post_approval(tx, run_id).await?;
    tx.record(Event::PayoutRunApproved { run_id });
    Ok(run_id)
}

async fn release_holdbacks(tx: &Tx, run_id: PayoutRunId) -> Result<()> {
    loop {
        let lines = store::unreleased_holdbacks(tx, run_id).await?;
        if lines.is_empty() {
            return Ok(());
        }
        release::release(tx, &lines).await?;
    }
}

async fn post_approval(tx: &Tx, run_id: PayoutRunId) -> Result<()> {
    let mut transactions = Vec::new();
    for payment in store::nettings(tx, run_id).await? {
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
