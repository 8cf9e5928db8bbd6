//! Taking in what the provider answered.

use std::collections::HashMap;

use super::{
    provider::{Key, Outcome},
    refusal,
    status::{PayoutAction, RunAction},
    store,
};
use crate::{
    access::Action,
    entity::{
        ids::{PayoutId, PayoutRunId},
        ledger_transaction::LedgerTransactionKind,
        payout::{self, PayoutStatus},
    },
    error::{Error, Result},
    events::Event,
    ledger::{Posting, post, rules},
    platform::{ids::TypedId, transition::StateMachine},
    tx::Tx,
};

/// What the provider answered for one payment.
pub type Answer = (Key, Outcome);

/// Settles the payments of a run that are still open in the attempt that was answered: paid, failed (its amount is payable
/// again, its lines stay with it, and [`retry`](super::retry) tries the same payment again) or unknown. What was settled
/// before stays.
///
/// Records [`Event::PayoutPaid`] and [`Event::PayoutFailed`].
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; the database failed.
pub async fn settle(tx: &Tx, run_id: PayoutRunId, answers: &[Answer]) -> Result<()> {
    tx.actor().may(Action::PayoutRunExecute)?;
    store::lock_run(tx, run_id).await?;
    let ids: Vec<PayoutId> = answers.iter().map(|(key, _)| key.payout).collect();
    let rows = store::payments(tx, &ids).await?;
    let open: HashMap<Key, payout::Model> = rows
        .into_iter()
        .filter(|row| row.status.is_open())
        .map(|row| (key(&row), row))
        .collect();
    let (mut changes, mut transactions) = (Vec::new(), Vec::new());
    for (key, outcome) in answers {
        let Some(payment) = open.get(key) else {
            continue;
        };
        let (change, transaction) = decide(tx, payment, outcome)?;
        changes.extend(change);
        transactions.extend(transaction);
    }
    store::settle_payments(tx, &changes).await?;
    post::post(tx, transactions).await.map(|_| ())
}

/// The key of the present attempt of a payment.
pub(super) const fn key(payment: &payout::Model) -> Key {
    Key {
        payout: payment.id,
        attempt: payment.attempt,
    }
}

/// A payment's new state with what the provider said.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    pub id: PayoutId,
    pub status: PayoutStatus,
    pub reference: Option<String>,
    pub failure: Option<String>,
}

fn decide(
    tx: &Tx,
    payment: &payout::Model,
    outcome: &Outcome,
) -> Result<(Option<Settled>, Option<post::NewTransaction>)> {
    let (payout_id, partner_id) = (payment.id, payment.partner_id);
    let change = |action, reference, failure| -> Result<Settled> {
        Ok(Settled {
            id: payout_id,
            status: payment
                .status
                .apply(action)
                .map_err(refusal::illegal_move)?,
            reference,
            failure,
        })
    };
    match outcome {
        Outcome::Paid { reference } => {
            tx.record(Event::PayoutPaid {
                payout_id,
                partner_id,
                reference: Some(reference.clone()),
            });
            let postings = rules::settled(partner_id.uuid(), payment.amount_minor);
            let posted = transaction(
                tx,
                payment,
                LedgerTransactionKind::PayoutSettlement,
                "settlement",
                postings,
            )?;
            Ok((
                Some(change(PayoutAction::Settle, Some(reference.clone()), None)?),
                Some(posted),
            ))
        }
        Outcome::Failed { reason } => {
            tx.record(Event::PayoutFailed {
                payout_id,
                partner_id,
            });
            let postings = rules::failed(partner_id.uuid(), payment.amount_minor);
            let posted = transaction(
                tx,
                payment,
                LedgerTransactionKind::PayoutFailure,
                "failure",
                postings,
            )?;
            Ok((
                Some(change(PayoutAction::Fail, None, Some(reason.clone()))?),
                Some(posted),
            ))
        }
        Outcome::Unknown if payment.status == PayoutStatus::Unknown => Ok((None, None)),
        Outcome::Unknown => Ok((Some(change(PayoutAction::LoseTrack, None, None)?), None)),
    }
}

fn transaction(
    tx: &Tx,
    payment: &payout::Model,
    kind: LedgerTransactionKind,
    what: &str,
    postings: std::result::Result<Vec<Posting>, rules::PostingError>,
) -> Result<post::NewTransaction> {
    Ok(post::NewTransaction {
        kind,
        // A payment may fail several times; its version tells the attempts apart.
        key: format!("payout:{}:{what}:{}", payment.id.uuid(), payment.version),
        subject_type: PayoutId::PREFIX,
        subject_id: payment.id.uuid(),
        effective_at: tx.now(),
        currency: payment.currency,
        postings: postings.map_err(|error| Error::internal(error.to_string()))?,
    })
}

/// Closes a run whose payments are all settled: completed, or partially failed. While one is open, or not handed over yet,
/// nothing happens.
///
/// Records [`Event::PayoutRunCompleted`].
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; the database failed.
pub async fn complete(tx: &Tx, run_id: PayoutRunId) -> Result<()> {
    tx.actor().may(Action::PayoutRunExecute)?;
    let run = store::lock_run(tx, run_id).await?;
    let states = store::states(tx, run_id).await?;
    if states.iter().any(|status| !status.is_settled()) {
        return Ok(());
    }
    let action = if states.contains(&PayoutStatus::Failed) {
        RunAction::CompleteWithFailures
    } else {
        RunAction::Complete
    };
    // Somebody else may have closed the run meanwhile, or one of several failures remains.
    let Some(status) = run.status.target(action) else {
        return Ok(());
    };
    store::complete_run(tx, &run, status).await?;
    tx.record(Event::PayoutRunCompleted { run_id });
    Ok(())
}
