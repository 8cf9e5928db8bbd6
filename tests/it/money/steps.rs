//! Runs of more partners than one unit of work takes on: calculated, freed, approved and started in steps, by whoever is
//! there.

use ensemble::{
    entity::{
        ids::{PartnerId, PayoutRunId},
        ledger_transaction::{self, LedgerTransactionKind},
        payout::{self, PayoutStatus},
    },
    payouts::{
        advance::{self, Step},
        approve, cancel, create, execute,
        provider::{Outcome, PayoutProvider},
    },
    platform::ids::TypedId,
    tx::Call,
};
use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use super::{Books, Earned, at, day, earned, execution::Scripted, mailed};
use crate::{
    api::faults::Busy,
    cases,
    support::{TestApp, until},
};

cases!(
    a_run_that_nobody_waits_for_is_calculated_by_a_worker_and_reviewed_then,
    what_is_due_is_settled_when_a_run_is_created,
    the_rules_are_those_of_the_creation,
    processes_calculate_a_run_together_until_it_is_given_up,
    whoever_creates_a_run_brings_the_ones_before_it_on,
    a_run_is_given_up_while_it_is_calculated,
    a_run_that_nobody_waits_for_is_freed_by_a_worker,
    the_payments_of_an_approved_run_are_approved_and_started_by_a_worker,
    a_run_is_executed_while_its_payments_are_being_approved,
    processes_approve_and_start_a_run_together,
    holdbacks_of_one_payment_are_released_in_steps_of_their_own,
    postgres: [an_answer_does_not_wait_for_a_large_run],
);

const RUN: &str = "query($id: ID!) { payoutRun(id: $id) { status payoutCount totals { amount } allowedActions } }";
const CANCEL: &str = "mutation($id: ID!) { payoutRunCancel(input: {payoutRunId: $id}) { payoutRun { status } userErrors { code } } }";

/// A programme in which 1,100 partners have a cent each.
async fn crowded(t: &TestApp) -> (Books, Vec<PartnerId>) {
    t.clock.set(at("2026-01-05T08:00:00Z"));
    let books = Books::open(t, 0).await;
    let partners = books.crowd(1_100).await;
    t.clock.set(at("2026-02-01T00:00:00Z"));
    t.settle().await;
    (books, partners)
}

/// A run whose creator's process ended right after the answer.
async fn opened(books: &Books) -> PayoutRunId {
    let command = create::Create {
        program_id: Some(books.program),
        period_start: day("2026-01-01"),
        period_end: day("2026-01-31"),
    };
    let call = Call::of("payoutRunCreate", books.maker.actor.clone());
    let opened = books
        .t
        .app
        .write(call, move |tx| Box::pin(create::create(tx, command)));
    opened.await.unwrap()
}

async fn step(t: &TestApp, run: PayoutRunId) -> Step {
    t.write(move |tx| Box::pin(advance::step(tx, run)))
        .await
        .unwrap()
}

/// All steps that are left.
async fn steps(t: &TestApp, run: PayoutRunId) {
    while step(t, run).await == Step::Taken {}
}

async fn shown(books: &Books, run: PayoutRunId) -> Value {
    let answer = books
        .t
        .ask(&books.maker, RUN, json!({ "id": run.text() }))
        .await;
    answer.at("payoutRun").clone()
}

fn run(status: &str, payments: u32, total: &str, actions: &[&str]) -> Value {
    let totals: Vec<_> = [json!({ "amount": total })]
        .into_iter()
        .filter(|_| payments > 0)
        .collect();
    json!({ "status": status, "payoutCount": payments, "totals": totals, "allowedActions": actions })
}

/// How many lines some payment has claimed.
async fn claimed(books: &Books) -> usize {
    let lines = books.lines().await;
    lines.iter().filter(|line| line.payout_id.is_some()).count()
}

async fn payments(t: &TestApp, status: PayoutStatus) -> u64 {
    let payments = payout::Entity::find().filter(payout::Column::Status.eq(status));
    payments.count(t.app.db().reader()).await.unwrap()
}

fn asked_to_approve(t: &TestApp) -> usize {
    mailed(t, "payout_run.calculated").count()
}

async fn a_run_that_nobody_waits_for_is_calculated_by_a_worker_and_reviewed_then(t: TestApp) {
    let (books, partners) = crowded(&t).await;
    let id = opened(&books).await;
    assert_eq!(
        shown(&books, id).await,
        run("CALCULATING", 0, "", &["CANCEL"])
    );
    assert_eq!(step(&t, id).await, Step::Taken);
    assert_eq!(
        shown(&books, id).await,
        run("CALCULATING", 200, "2.00", &["CANCEL"])
    );
    assert_eq!(claimed(&books).await, 200);

    // Nobody approves or executes what is not calculated to its end.
    let before = books.rows().await;
    let approved = books.approve(&books.checker, &id.text()).await;
    assert_eq!(approved.refusal("payoutRunApprove"), "ILLEGAL_TRANSITION");
    let executed = books.execute(&books.checker, &id.text(), "early").await;
    assert_eq!(executed.refusal("payoutRunExecute"), "ILLEGAL_TRANSITION");
    assert_eq!(books.rows().await, before);
    t.check_books().await.unwrap();

    // Another process goes on where the first one stopped.
    let other = t.beside().await;
    other.settle().await;
    assert_eq!(
        shown(&books, id).await,
        run("REVIEW", 1_100, "11.00", &["CANCEL"])
    );
    assert_eq!(
        books.paid(&id.text(), &partners).await,
        vec![Some(1); 1_100]
    );
    assert_eq!(step(&t, id).await, Step::Last);
    let _ = other.app.db().clone().close().await;
    books
        .approve(&books.checker, &id.text())
        .await
        .done("payoutRunApprove");
    books
        .execute(&books.checker, &id.text(), "in time")
        .await
        .done("payoutRunExecute");
    assert_eq!(payments(&t, PayoutStatus::Paid).await, 1_100);
    t.settle().await;
}

async fn what_is_due_is_settled_when_a_run_is_created(t: TestApp) {
    let (books, partners) = crowded(&t).await;
    let id = opened(&books).await;
    assert_eq!(step(&t, id).await, Step::Taken);
    // Earned while the run is calculated: by one who was looked at, and by one who was not.
    t.clock.set(at("2026-02-01T01:00:00Z"));
    let lines = [earned(partners[0], 7), earned(partners[1_099], 7)];
    books.win("2026-02-01T00:30:00Z", &lines).await;
    steps(&t, id).await;
    assert_eq!(
        books.paid(&id.text(), &partners).await,
        vec![Some(1); 1_100]
    );
    let next = books.pay("2026-02-01", "2026-02-28").await;
    assert_eq!(
        books
            .paid(&next, &[partners[0], partners[1], partners[1_099]])
            .await,
        [Some(7), None, Some(7)]
    );
    t.settle().await;
}

async fn the_rules_are_those_of_the_creation(t: TestApp) {
    let (books, partners) = crowded(&t).await;
    let id = opened(&books).await;
    assert_eq!(step(&t, id).await, Step::Taken);
    // From now on a payment must be of two cents; what is half calculated is calculated by one rule.
    t.clock.set(at("2026-02-01T01:00:00Z"));
    let admin = t.admin().await;
    let change = "mutation($id: ID!) { programSettingsChange(input: {programId: $id, settings: {minimumPayout: [{amount: \"0.02\", currency: \"USD\"}]}}) \
        { program { id } userErrors { code } } }";
    t.ask(&admin, change, json!({ "id": books.program.text() }))
        .await
        .done("programSettingsChange");
    steps(&t, id).await;
    assert_eq!(
        books.paid(&id.text(), &partners).await,
        vec![Some(1); 1_100]
    );
    let cancelled = t
        .ask(&books.maker, CANCEL, json!({ "id": id.text() }))
        .await;
    cancelled.done("payoutRunCancel");
    let next = books.created("2026-01-01", "2026-01-31").await;
    assert_eq!(books.paid(&next, &partners).await, vec![None; 1_100]);
    t.settle().await;
}

async fn processes_calculate_a_run_together_until_it_is_given_up(t: TestApp) {
    let (books, partners) = crowded(&t).await;
    let other = t.beside().await;
    let id = opened(&books).await;
    let cancelling = async {
        until("a step to be taken", || async { claimed(&books).await > 0 }).await;
        t.ask(&books.maker, CANCEL, json!({ "id": id.text() }))
            .await
            .done("payoutRunCancel");
    };
    let (one, two, ()) = tokio::join!(
        advance::go_on(&t.app, id),
        advance::go_on(&other.app, id),
        cancelling
    );
    one.unwrap();
    two.unwrap();
    // Given up in the middle or just calculated: nothing of it is left.
    assert_eq!(shown(&books, id).await["status"], "CANCELLED");
    assert_eq!(claimed(&books).await, 0);
    t.settle().await;
    let asked_before = asked_to_approve(&t);
    let id = opened(&books).await;
    let (one, two) = tokio::join!(advance::go_on(&t.app, id), advance::go_on(&other.app, id),);
    one.unwrap();
    two.unwrap();
    assert_eq!(
        shown(&books, id).await,
        run("REVIEW", 1_100, "11.00", &["CANCEL"])
    );
    assert_eq!(
        books.paid(&id.text(), &partners).await,
        vec![Some(1); 1_100]
    );
    t.settle().await;
    assert_eq!(asked_to_approve(&t), asked_before + 1);
    let _ = other.app.db().clone().close().await;
}

async fn whoever_creates_a_run_brings_the_ones_before_it_on(t: TestApp) {
    let (books, _) = crowded(&t).await;
    let first = opened(&books).await;
    assert_eq!(step(&t, first).await, Step::Taken);
    let second = books
        .create(&books.checker, "2026-01-01", "2026-01-31")
        .await;
    let second = second
        .done("payoutRunCreate")
        .at("payoutRunCreate/payoutRun");
    assert_eq!(
        (&second["status"], &second["payoutCount"]),
        (&json!("REVIEW"), &json!(0))
    );
    assert_eq!(shown(&books, first).await["payoutCount"], 1_100);
    assert_eq!(shown(&books, first).await["status"], "REVIEW");
    // The jobs of both find nothing left to do, and each run is told of once.
    t.settle().await;
    assert_eq!(payments(&t, PayoutStatus::Review).await, 1_100);
    assert_eq!(asked_to_approve(&t), 2);
}

async fn a_run_is_given_up_while_it_is_calculated(t: TestApp) {
    let (books, partners) = crowded(&t).await;
    let id = opened(&books).await;
    assert_eq!(step(&t, id).await, Step::Taken);
    let cancelled = t
        .ask(&books.maker, CANCEL, json!({ "id": id.text() }))
        .await;
    assert_eq!(
        cancelled
            .done("payoutRunCancel")
            .text("payoutRunCancel/payoutRun/status"),
        "CANCELLED"
    );
    assert_eq!(claimed(&books).await, 0);
    // The job of the calculation finds it given up; nobody is asked to approve it.
    t.settle().await;
    assert_eq!(shown(&books, id).await, run("CANCELLED", 200, "2.00", &[]));
    assert_eq!((claimed(&books).await, asked_to_approve(&t)), (0, 0));
    let next = books.pay("2026-01-01", "2026-01-31").await;
    assert_eq!(books.paid(&next, &partners).await, vec![Some(1); 1_100]);
    t.settle().await;
}

async fn a_run_that_nobody_waits_for_is_freed_by_a_worker(t: TestApp) {
    let (books, partners) = crowded(&t).await;
    let id = opened(&books).await;
    steps(&t, id).await;
    let call = Call::of("payoutRunCancel", books.maker.actor.clone());
    t.app
        .write(call, move |tx| Box::pin(cancel::cancel(tx, id)))
        .await
        .unwrap();
    assert_eq!(claimed(&books).await, 1_100);
    assert_eq!(step(&t, id).await, Step::Taken);
    assert_eq!(shown(&books, id).await["status"], "CANCELLING");
    assert_eq!(claimed(&books).await, 900);
    t.check_books().await.unwrap();
    // It can neither be given up again nor approved.
    let before = books.rows().await;
    let again = t
        .ask(&books.maker, CANCEL, json!({ "id": id.text() }))
        .await;
    assert_eq!(again.refusal("payoutRunCancel"), "ILLEGAL_TRANSITION");
    let approved = books.approve(&books.checker, &id.text()).await;
    assert_eq!(approved.refusal("payoutRunApprove"), "ILLEGAL_TRANSITION");
    assert_eq!(books.rows().await, before);
    // A run that comes meanwhile finds all of it.
    let next = books.pay("2026-01-01", "2026-01-31").await;
    assert_eq!(books.paid(&next, &partners).await, vec![Some(1); 1_100]);
    assert_eq!(payments(&t, PayoutStatus::Cancelled).await, 1_100);
    t.settle().await;
    assert_eq!(shown(&books, id).await["status"], "CANCELLED");
}

/// A calculated run of 1,100 payments of a cent.
async fn reviewed(books: &Books) -> PayoutRunId {
    let id = opened(books).await;
    steps(&books.t, id).await;
    id
}

/// The approval of a run whose approver's process ended right after it.
async fn approved(books: &Books, run: PayoutRunId) {
    let call = Call::of("payoutRunApprove", books.checker.actor.clone());
    let approved = books
        .t
        .app
        .write(call, move |tx| Box::pin(approve::approve(tx, run)));
    approved.await.unwrap();
}

/// The start of a run whose process ended right after it.
async fn started(books: &Books, run: PayoutRunId, provider: &'static str) {
    let call = Call::of("payoutRunExecute", books.checker.actor.clone());
    let started = books
        .t
        .app
        .write(call, move |tx| Box::pin(execute::start(tx, run, provider)));
    started.await.unwrap();
}

/// How many payments wait for approval, are approved, handed over and paid.
async fn stages(t: &TestApp) -> [u64; 4] {
    [
        payments(t, PayoutStatus::Review).await,
        payments(t, PayoutStatus::Approved).await,
        payments(t, PayoutStatus::Executing).await,
        payments(t, PayoutStatus::Paid).await,
    ]
}

async fn posted(t: &TestApp, kind: LedgerTransactionKind) -> u64 {
    let of_kind = ledger_transaction::Column::Kind.eq(kind);
    let posted = ledger_transaction::Entity::find().filter(of_kind);
    posted.count(t.app.db().reader()).await.unwrap()
}

/// Every payment was approved, started and settled once.
async fn whole(t: &TestApp) {
    for kind in [
        LedgerTransactionKind::PayoutApproval,
        LedgerTransactionKind::PayoutStart,
        LedgerTransactionKind::PayoutSettlement,
    ] {
        assert_eq!(posted(t, kind).await, 1_100, "{kind:?}");
    }
    assert_eq!(stages(t).await, [0, 0, 0, 1_100]);
}

/// Nobody gives the run up or approves it again.
async fn decided(books: &Books, run: PayoutRunId) {
    let before = books.rows().await;
    let cancelled = books
        .t
        .ask(&books.maker, CANCEL, json!({ "id": run.text() }))
        .await;
    assert_eq!(cancelled.refusal("payoutRunCancel"), "ILLEGAL_TRANSITION");
    let again = books.approve(&books.checker, &run.text()).await;
    assert_eq!(again.refusal("payoutRunApprove"), "ILLEGAL_TRANSITION");
    assert_eq!(books.rows().await, before);
}

async fn the_payments_of_an_approved_run_are_approved_and_started_by_a_worker(t: TestApp) {
    let (books, _) = crowded(&t).await;
    let id = reviewed(&books).await;
    approved(&books, id).await;
    assert_eq!(
        shown(&books, id).await,
        run("APPROVED", 1_100, "11.00", &["EXECUTE"])
    );
    assert_eq!(stages(&t).await, [900, 200, 0, 0]);
    t.check_books().await.unwrap();
    decided(&books, id).await;
    assert_eq!(step(&t, id).await, Step::Taken);
    assert_eq!(stages(&t).await, [700, 400, 0, 0]);
    // Another process goes on where the first one stopped.
    let other = t.beside().await;
    other.settle().await;
    assert_eq!(stages(&t).await, [0, 1_100, 0, 0]);
    assert_eq!(step(&t, id).await, Step::Last);

    started(&books, id, "FILE_EXPORT").await;
    assert_eq!(stages(&t).await, [0, 900, 200, 0]);
    assert_eq!(shown(&books, id).await["status"], "EXECUTING");
    t.check_books().await.unwrap();
    decided(&books, id).await;
    other.settle().await;
    whole(&t).await;
    assert_eq!(shown(&books, id).await["status"], "COMPLETED");
    let _ = other.app.db().clone().close().await;
}

async fn a_run_is_executed_while_its_payments_are_being_approved(t: TestApp) {
    let (books, _) = crowded(&t).await;
    let id = reviewed(&books).await;
    approved(&books, id).await;
    started(&books, id, "SCRIPTED").await;
    assert_eq!(stages(&t).await, [700, 400, 0, 0]);
    t.check_books().await.unwrap();
    // The provider is told of all payments at once, after all of them were started.
    let paid = |place| Outcome::Paid {
        reference: format!("r{place}"),
    };
    let provider = Scripted::new((0..1_100).map(paid).collect());
    let port = Arc::clone(&provider) as Arc<dyn PayoutProvider>;
    let call = Call::of("payoutRunExecute", books.checker.actor.clone());
    execute::go_on(&t.app, &call, &port, id, None)
        .await
        .unwrap();
    let told: Vec<usize> = provider
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|batch| batch.payments.len())
        .collect();
    assert_eq!(told, [1_100]);
    whole(&t).await;
    // The jobs that were left find nothing to do.
    t.settle().await;
    whole(&t).await;
    assert_eq!(shown(&books, id).await["status"], "COMPLETED");
}

async fn processes_approve_and_start_a_run_together(t: TestApp) {
    let (books, _) = crowded(&t).await;
    let other = t.beside().await;
    let id = reviewed(&books).await;
    approved(&books, id).await;
    let (one, two) = tokio::join!(advance::go_on(&t.app, id), advance::go_on(&other.app, id));
    one.unwrap();
    two.unwrap();
    assert_eq!(stages(&t).await, [0, 1_100, 0, 0]);
    started(&books, id, "FILE_EXPORT").await;
    let provider = ensemble::payouts::provider::configured(&t.app);
    let call = Call::of("payoutRunExecute", books.checker.actor.clone());
    let (one, two) = tokio::join!(
        execute::go_on(&t.app, &call, &provider, id, None),
        execute::go_on(&other.app, &call, &provider, id, None)
    );
    one.unwrap();
    two.unwrap();
    t.settle().await;
    whole(&t).await;
    assert_eq!(shown(&books, id).await["status"], "COMPLETED");
    let _ = other.app.db().clone().close().await;
}

async fn holdbacks_of_one_payment_are_released_in_steps_of_their_own(t: TestApp) {
    t.clock.set(at("2026-01-05T08:00:00Z"));
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    let held = Earned {
        partner,
        amount: 1,
        held: 1,
        held_until: "2026-01-20T08:00:00Z",
    };
    books.win("2026-01-10T08:00:00Z", &[held]).await;
    books.hold("2026-01-10T08:00:00Z", &held, 1_100).await;
    t.clock.set(at("2026-02-01T00:00:00Z"));
    let id = reviewed(&books).await;
    assert_eq!(
        shown(&books, id).await["totals"],
        json!([{ "amount": "11.02" }])
    );
    approved(&books, id).await;
    // The run is approved, its only payment not yet.
    assert_eq!(
        posted(&t, LedgerTransactionKind::HoldbackRelease).await,
        1_000
    );
    assert_eq!(stages(&t).await, [1, 0, 0, 0]);
    t.check_books().await.unwrap();
    assert_eq!(step(&t, id).await, Step::Last);
    assert_eq!(
        posted(&t, LedgerTransactionKind::HoldbackRelease).await,
        1_101
    );
    assert_eq!(stages(&t).await, [0, 1, 0, 0]);
    t.settle().await;
    assert_eq!(books.balance(partner).await.payable, 1_102);
}

async fn an_answer_does_not_wait_for_a_large_run(t: TestApp) {
    let (books, partners) = crowded(&t).await;
    let busy = Busy::over(&t, "payout").await;
    let answer = books.create(&books.maker, "2026-01-01", "2026-01-31").await;
    let answer = answer
        .done("payoutRunCreate")
        .at("payoutRunCreate/payoutRun");
    assert_eq!(
        (&answer["status"], &answer["payoutCount"]),
        (&json!("CALCULATING"), &json!(0))
    );
    let id = answer["id"].as_str().unwrap().to_owned();
    // What was begun goes on, without a worker.
    busy.end(&t).await;
    let run = t.ask(&books.maker, RUN, json!({ "id": id })).await;
    assert_eq!(run.text("payoutRun/status"), "REVIEW");
    assert_eq!(books.paid(&id, &partners).await, vec![Some(1); 1_100]);
    t.settle().await;
}
