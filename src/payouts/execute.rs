//! Executing a payout run: hand its payments to the provider, then settle what it answers.
//!
//! Steps, each of which may be the last before a crash: payments are started some hundred at a time, the provider is
//! asked about all of them outside any transaction, and its answers are settled in chunks. A job written by the first
//! step repeats the others until every payment is settled, so a run never stays half executed; calling the mutation
//! again does the same.

use std::sync::Arc;

use super::{
    advance::PAYMENTS,
    approve,
    jobs::Resume,
    provider::{self, Batch, PayoutProvider},
    refusal, settle,
    status::RunAction,
    store,
};
use crate::{
    access::Action,
    app::App,
    entity::{
        ids::{PayoutId, PayoutRunId},
        ledger_transaction::LedgerTransactionKind,
        payout::{self, PayoutStatus},
        payout_run::RunStatus,
    },
    error::{Error, Result},
    events::Event,
    ledger::{post, rules},
    platform::{ids::TypedId, sql::count, transition::StateMachine},
    tx::{CHUNK, Call, Tx},
};

/// Begins the execution of an approved run: its first payments are started at once, the others in the steps that
/// [`go_on`] takes. A run that was started before and is not settled yet is left as it is, so that the caller can go on
/// with it.
///
/// Records [`Event::PayoutRunExecuting`].
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; `ILLEGAL_TRANSITION` unless the run is approved or executing.
pub async fn start(tx: &Tx, run_id: PayoutRunId, provider: &'static str) -> Result<PayoutRunId> {
    tx.actor().may(Action::PayoutRunExecute)?;
    let run = store::lock_run(tx, run_id).await?;
    if run.status == RunStatus::Executing {
        return Ok(run_id);
    }
    let status = run
        .status
        .apply(RunAction::Execute)
        .map_err(refusal::illegal_move)?;
    store::start_run(tx, &run, tx.actor().user_id(), status).await?;
    start_payments(tx, run_id, provider).await?;
    tx.enqueue(&Resume::all(run_id))?;
    tx.record(Event::PayoutRunExecuting { run_id });
    Ok(run_id)
}

/// Starts the next payments of a run that is executed; says whether these were the last.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; the database failed.
pub async fn start_next(tx: &Tx, run_id: PayoutRunId, provider: &'static str) -> Result<bool> {
    tx.actor().may(Action::PayoutRunExecute)?;
    let run = store::lock_run(tx, run_id).await?;
    if run.status != RunStatus::Executing {
        return Ok(true);
    }
    start_payments(tx, run_id, provider).await
}

/// Marks the next payments of a locked run as handed over and moves their amounts from payable to in payout, after the
/// steps of the approval that are left.
async fn start_payments(tx: &Tx, run_id: PayoutRunId, provider: &'static str) -> Result<bool> {
    if !approve::next(tx, run_id).await? {
        return Ok(false);
    }
    let payments = store::payments_in(tx, run_id, PayoutStatus::Approved, PAYMENTS).await?;
    let started = store::start_payments(tx, &payments, provider).await?;
    post_start(tx, &started).await?;
    Ok(count(payments.len()) < PAYMENTS)
}

/// Moves the amounts of payments that are handed over from payable to in payout.
pub(super) async fn post_start(tx: &Tx, payments: &[payout::Model]) -> Result<()> {
    let mut transactions = Vec::with_capacity(payments.len());
    for payment in payments {
        let postings = rules::execution_started(payment.partner_id.uuid(), payment.amount_minor);
        transactions.push(post::NewTransaction {
            kind: LedgerTransactionKind::PayoutStart,
            // A failed payment starts again; its version tells the attempts apart.
            key: format!("payout:{}:start:{}", payment.id.uuid(), payment.version),
            subject_type: PayoutId::PREFIX,
            subject_id: payment.id.uuid(),
            effective_at: tx.now(),
            currency: payment.currency,
            postings: postings.map_err(|error| Error::internal(error.to_string()))?,
        });
    }
    post::post(tx, transactions).await.map(|_| ())
}

/// Starts the payments of a run that are left, hands all whose outcome is open to the provider, or one that is tried again,
/// and settles what it answers. Does nothing where nothing is open, and when the server stops; may be repeated and run
/// beside itself.
///
/// # Errors
/// The database failed; what was settled until then stays.
pub async fn go_on(
    app: &App,
    call: &Call,
    provider: &Arc<dyn PayoutProvider>,
    run_id: PayoutRunId,
    only: Option<PayoutId>,
) -> Result<()> {
    if only.is_none() {
        start_all(app, call, provider.name(), run_id).await?;
    }
    let Some(batches) = open_batches(app, run_id, only).await? else {
        return Ok(());
    };
    for batch in batches {
        hand_over(app, call, provider, &batch).await?;
    }
    app.write(
        Call {
            name: "payoutRunComplete",
            ..call.clone()
        },
        move |tx| Box::pin(settle::complete(tx, run_id)),
    )
    .await
}

/// Starts the payments of a run until all are, or the server stops.
async fn start_all(
    app: &App,
    call: &Call,
    provider: &'static str,
    run_id: PayoutRunId,
) -> Result<()> {
    let left = || async { store::has_payments_to_start(&app.db().reading(), run_id).await };
    while left().await? && !app.tasks().is_closed() {
        let step = Call {
            name: "payoutStart",
            ..call.clone()
        };
        let is_last = app.write(step, move |tx| Box::pin(start_next(tx, run_id, provider)));
        if is_last.await? {
            break;
        }
    }
    Ok(())
}

/// Hands a batch to the provider and settles what it answers.
async fn hand_over(
    app: &App,
    call: &Call,
    provider: &Arc<dyn PayoutProvider>,
    batch: &Batch,
) -> Result<()> {
    let run_id = batch.run;
    let outcomes = provider.pay(batch).await;
    if outcomes.len() != batch.payments.len() {
        return Err(Error::internal(
            "the payment provider did not answer for every payment",
        ));
    }
    let answers: Vec<settle::Answer> = batch
        .payments
        .iter()
        .map(|payment| payment.key)
        .zip(outcomes)
        .collect();
    for chunk in answers.chunks(CHUNK) {
        let chunk: Arc<[settle::Answer]> = chunk.into();
        app.write(
            Call {
                name: "payoutSettle",
                ..call.clone()
            },
            move |tx| {
                let chunk = Arc::clone(&chunk);
                Box::pin(async move { settle::settle(tx, run_id, &chunk).await })
            },
        )
        .await?;
    }
    Ok(())
}

/// Starts a run if need be and settles what the provider answers at once. What stays open is settled by the job.
///
/// # Errors
/// As [`start`]; the database failed.
pub async fn execute(app: &App, call: Call, run_id: PayoutRunId) -> Result<PayoutRunId> {
    let provider = provider::configured(app);
    let name = provider.name();
    app.write(call.clone(), move |tx| Box::pin(start(tx, run_id, name)))
        .await?;
    go_on(app, &call, &provider, run_id, None).await?;
    Ok(run_id)
}

/// The payments of a run whose outcome is open, as the provider is always told them: the first attempts together, each
/// later attempt alone. `None` when there is nothing to do.
async fn open_batches(
    app: &App,
    run_id: PayoutRunId,
    only: Option<PayoutId>,
) -> Result<Option<Vec<Batch>>> {
    let db = &app.db().reading();
    let Some(run) = store::run(db, run_id).await? else {
        return Ok(None);
    };
    // A batch is whole from the first time on.
    if only.is_none() && store::has_payments_to_start(db, run_id).await? {
        return Ok(None);
    }
    let mut open = store::open_payments_of(db, run_id).await?;
    if let Some(only) = only {
        open.retain(|payment| payment.id == only);
    }
    if open.is_empty() && (only.is_some() || run.status != RunStatus::Executing) {
        return Ok(None);
    }
    let (first, again): (Vec<_>, Vec<_>) =
        open.into_iter().partition(|payment| payment.attempt == 1);
    let mut named = Vec::with_capacity(again.len() + 1);
    if !first.is_empty() {
        named.push((run.number, first));
    }
    named.extend(again.into_iter().map(|payment| {
        let name = format!("{}-{}", payment.number, payment.attempt);
        (name, vec![payment])
    }));
    let mut batches = Vec::with_capacity(named.len());
    for (name, payments) in named {
        batches.push(Batch {
            run: run_id,
            name,
            payments: store::to_provider(db, &app.tokens().seals(), &payments).await?,
        });
    }
    Ok(Some(batches))
}
