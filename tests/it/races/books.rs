//! Payout runs and refunds from two processes at once: no line twice, no cent lost.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use chrono::TimeDelta;
use ensemble::{
    entity::{
        accrual::{self, AccrualKind},
        ids::PayoutRunId,
        payout::{self, PayoutStatus},
        payout_run::{self, RunStatus},
    },
    payouts::{
        execute,
        provider::{Batch, Outcome, PayoutProvider},
    },
    platform::ids::TypedId,
    tx::Call,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::json;

use super::{Realm, answered, at_once, tally};
use crate::{cases, deals::market::*, support::TestApp};

cases!(
    runs_created_by_two_processes_claim_each_line_once,
    approving_and_cancelling_a_run_at_once_has_one_winner,
    two_processes_execute_a_run_once,
    refunds_while_a_run_is_approved_and_executed_are_carried,
    a_refund_while_the_money_is_on_its_way_is_carried,
    refunds_while_runs_are_created_lose_nothing,
);

async fn run_row(t: &TestApp, run: &str) -> payout_run::Model {
    payout_run::Entity::find_by_id(PayoutRunId::parse(run).unwrap())
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap()
}

async fn runs_created_by_two_processes_claim_each_line_once(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let mut earned = BTreeMap::new();
    for (n, name) in ["Alpha", "Beta", "Gamma", "Delta"].into_iter().enumerate() {
        let seller = realm.seller(name).await;
        let value = 100_000 * (i64::try_from(n).unwrap() + 1);
        realm.win(&seller, value).await;
        realm.win(&seller, value).await;
        // Ten percent of two deals, a quarter of it held back.
        earned.insert(seller.partner, value * 2 / 10 * 3 / 4);
    }
    let other = t.beside().await;
    let answers = at_once((0..8).map(|n| {
        let (realm, on) = (
            realm.clone(),
            if n % 2 == 0 { t.clone() } else { other.clone() },
        );
        async move { answered(|| realm.create(&on)).await }
    }))
    .await;
    assert_eq!(tally(&answers, "payoutRunCreate"), (8, vec![]));
    let db = t.app.db().reader();
    let payments = payout::Entity::find().all(db).await.unwrap();
    let paid: BTreeMap<_, _> = payments
        .iter()
        .map(|row| (row.partner_id, row.amount_minor))
        .collect();
    assert_eq!((payments.len(), paid), (4, earned));
    let runs: std::collections::BTreeSet<_> = payments.iter().map(|row| row.run_id).collect();
    assert_eq!(runs.len(), 1, "one run claimed everything");
    let lines = accrual::Entity::find().all(db).await.unwrap();
    assert!(
        lines
            .iter()
            .all(|line| line.payout_id.is_some() == (line.kind == AccrualKind::Earned))
    );
}

async fn approving_and_cancelling_a_run_at_once_has_one_winner(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Alpha").await;
    let other = t.beside().await;
    let (mut approved, mut waiting) = (0, 0);
    for _ in 0..6 {
        realm.win(&seller, 100_000).await;
        waiting += 7_500;
        let run = realm.created().await;
        let (approval, cancellation) =
            tokio::join!(realm.approve(&t, &run), realm.cancel(&other, &run));
        let refused = [
            approval.refusals("payoutRunApprove"),
            cancellation.refusals("payoutRunCancel"),
        ];
        assert_eq!(refused.concat(), ["ILLEGAL_TRANSITION"]);
        let won = refused[0].is_empty();
        let (run_status, payout_status) = if won {
            (RunStatus::Approved, PayoutStatus::Approved)
        } else {
            (RunStatus::Cancelled, PayoutStatus::Cancelled)
        };
        let row = run_row(&t, &run).await;
        assert_eq!((row.status, row.approved_by.is_some()), (run_status, won));
        let payment = payout::Entity::find()
            .filter(payout::Column::RunId.eq(row.id))
            .one(t.app.db().reader())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (payment.status, payment.amount_minor),
            (payout_status, waiting)
        );
        let lines = accrual::Entity::find()
            .filter(accrual::Column::PayoutId.eq(payment.id))
            .count(t.app.db().reader())
            .await
            .unwrap();
        assert_eq!(lines > 0, won);
        if won {
            approved += waiting;
            waiting = 0;
        }
        let balance = realm.balance(seller.partner).await;
        assert_eq!((balance.accrued, balance.payable), (waiting, approved));
    }
}

async fn two_processes_execute_a_run_once(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let (a, b) = (realm.seller("Alpha").await, realm.seller("Beta").await);
    for seller in [&a, &b] {
        realm.win(seller, 100_000).await;
    }
    let run = realm.created().await;
    realm.approve(&t, &run).await.done("payoutRunApprove");
    let other = t.beside().await;
    let answers = at_once((0..8).map(|n| {
        let (realm, run) = (realm.clone(), run.clone());
        let on = if n % 2 == 0 { t.clone() } else { other.clone() };
        async move { answered(|| realm.execute(&on, &run)).await }
    }))
    .await;
    // Whoever comes while it is executed goes on with it; whoever comes later is told that it is over.
    let (done, codes) = tally(&answers, "payoutRunExecute");
    assert!(done >= 1, "{codes:?}");
    assert_eq!(codes, vec!["ILLEGAL_TRANSITION"; 8 - done]);
    assert_eq!(run_row(&t, &run).await.status, RunStatus::Completed);
    for seller in [&a, &b] {
        let balance = realm.balance(seller.partner).await;
        assert_eq!(
            (balance.paid, balance.in_payout, balance.payable),
            (7_500, 0, 0)
        );
    }
    assert_eq!(events(&t, "payout.paid").await.len(), 2);
    assert_eq!(events(&t, "payout_run.completed").await.len(), 1);
    t.settle().await;
    other.settle().await;
    assert_eq!(events(&t, "payout.paid").await.len(), 2);
}

async fn refunds_while_a_run_is_approved_and_executed_are_carried(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Alpha").await;
    let other = t.beside().await;
    // What the deals themselves still have held goes first, and only when it becomes available.
    let (mut paid, mut from_held) = (0, 0);
    for round in 0..4 {
        let deal = realm.win(&seller, 1_000_000).await;
        let due = realm.balance(seller.partner).await;
        let due = due.accrued - (due.clawback_receivable - from_held);
        let run = realm.created().await;
        let pay = {
            let (realm, on, run) = (realm.clone(), t.clone(), run.clone());
            tokio::spawn(async move {
                realm.approve(&on, &run).await.done("payoutRunApprove");
                realm.execute(&on, &run).await.done("payoutRunExecute");
            })
        };
        let refunds = at_once((0..4).map(|_| {
            let (realm, on, deal) = (realm.clone(), other.clone(), deal.clone());
            async move { realm.refund(&on, &deal, 112_500).await }
        }))
        .await;
        pay.await.unwrap();
        assert_eq!(tally(&refunds, "dealRefund"), (4, vec![]));
        paid += due;
        from_held += 25_000;
        let balance = realm.balance(seller.partner).await;
        // Four refunds of 1,125.00 take 450.00 back: the 250.00 that the deal has held, and 200.00 of what is due next. The
        // run had taken what was due before.
        assert_eq!(
            (
                balance.paid,
                balance.accrued,
                balance.payable,
                balance.in_payout
            ),
            (paid, 0, 0, 0),
            "round {round}"
        );
        assert_eq!(
            (balance.held, balance.clawback_receivable),
            (from_held, from_held + 20_000),
            "round {round}"
        );
        let report = ensemble::verify::verify(t.app.db().reader()).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }
    // What was taken back last is more than nothing and nets against nothing: it is carried, not paid.
    let answer = realm.create(&t).await;
    assert_eq!(
        answer
            .done("payoutRunCreate")
            .at("payoutRunCreate/payoutRun/payoutCount"),
        0
    );
    let carried = realm.balance(seller.partner).await.clawback_receivable;
    assert_eq!(carried, from_held + 20_000);
    // 750.00 of the first deal, 550.00 of each of the three that followed.
    assert_eq!(paid, 75_000 + 3 * 55_000);
    // What was held and what was taken of it cancel out when their time comes.
    realm.win(&seller, 1_000_000).await;
    t.advance(TimeDelta::days(60));
    t.settle().await;
    realm.pay().await;
    let balance = realm.balance(seller.partner).await;
    assert_eq!(
        (balance.paid, balance.held, balance.clawback_receivable),
        (paid + 100_000 - 20_000, 0, 0)
    );
}

/// Refunds a part of the deal while it has the money, and only then says that it paid.
struct Meanwhile {
    realm: Realm,
    deal: String,
    run: String,
}

#[async_trait]
impl PayoutProvider for Meanwhile {
    fn name(&self) -> &'static str {
        "MEANWHILE"
    }

    async fn pay(&self, batch: &Batch) -> Vec<Outcome> {
        let t = &self.realm.t;
        assert_eq!(run_row(t, &self.run).await.status, RunStatus::Executing);
        let refund = self.realm.refund(t, &self.deal, 200_000).await;
        refund.done("dealRefund");
        let paid = |reference: &String| Outcome::Paid {
            reference: reference.clone(),
        };
        let references = batch.payments.iter().map(|payment| &payment.reference);
        references.map(paid).collect()
    }
}

async fn a_refund_while_the_money_is_on_its_way_is_carried(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Alpha").await;
    let deal = realm.win(&seller, 1_000_000).await;
    let run = realm.created().await;
    realm.approve(&t, &run).await.done("payoutRunApprove");
    let (id, call) = (
        PayoutRunId::parse(&run).unwrap(),
        Call::of("payoutRunExecute", realm.checker.actor.clone()),
    );
    t.app
        .write(call.clone(), move |tx| {
            Box::pin(execute::start(tx, id, "MEANWHILE"))
        })
        .await
        .unwrap();
    let provider: Arc<dyn PayoutProvider> = Arc::new(Meanwhile {
        realm: realm.clone(),
        deal,
        run: run.clone(),
    });
    execute::go_on(&t.app, &call, &provider, id, None)
        .await
        .unwrap();
    assert_eq!(run_row(&t, &run).await.status, RunStatus::Completed);
    let states = async || {
        let balance = realm.balance(seller.partner).await;
        let on_the_way = (balance.payable, balance.in_payout);
        assert_eq!(on_the_way, (0, 0));
        (balance.paid, balance.clawback_receivable)
    };
    // 750.00 went out; of the refund ten percent is owed back.
    assert_eq!(states().await, (75_000, 20_000));
    // The deal itself still has 250.00 held: it is taken from there, so the next run pays in full.
    realm.win(&seller, 1_000_000).await;
    realm.pay().await;
    assert_eq!(states().await, (75_000 + 75_000, 20_000));
    t.advance(TimeDelta::days(60));
    t.settle().await;
    realm.pay().await;
    assert_eq!(states().await, (150_000 + 25_000 + 5_000, 0));
    let verified = ensemble::verify::verify(t.app.db().reader()).await;
    let report = verified.unwrap();
    assert!(report.is_clean(), "{report}");
}

async fn refunds_while_runs_are_created_lose_nothing(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Alpha").await;
    let mut deals = Vec::new();
    for _ in 0..6 {
        deals.push(realm.win(&seller, 100_000).await);
    }
    let other = t.beside().await;
    let runs = (0..4).map(|_| {
        let (realm, on) = (realm.clone(), t.clone());
        tokio::spawn(async move { answered(|| realm.create(&on)).await })
    });
    let runs: Vec<_> = runs.collect();
    let refunds = at_once(deals.into_iter().map(|deal| {
        let (realm, on) = (realm.clone(), other.clone());
        async move { realm.refund(&on, &deal, 40_000).await }
    }))
    .await;
    assert_eq!(tally(&refunds, "dealRefund"), (6, vec![]));
    for run in runs {
        run.await.unwrap().done("payoutRunCreate");
    }
    let db = t.app.db().reader();
    let open = payout_run::Entity::find().all(db).await.unwrap();
    for run in open {
        let run = run.id.text();
        realm.approve(&t, &run).await.done("payoutRunApprove");
        realm.execute(&t, &run).await.done("payoutRunExecute");
    }
    // Six times 100.00 less the quarter held back is 450.00. Six times 40.00 was taken back, before or after the run: 25.00
    // of each is what the deal has held, 15.00 is taken from what is paid.
    let balance = realm.balance(seller.partner).await;
    assert_eq!(balance.paid - balance.clawback_receivable, 45_000 - 24_000);
    assert_eq!((balance.accrued, balance.held), (0, 15_000));
    realm.win(&seller, 1_000_000).await;
    realm.pay().await;
    let balance = realm.balance(seller.partner).await;
    assert_eq!(
        (balance.paid, balance.held, balance.clawback_receivable),
        (45_000 - 9_000 + 75_000, 15_000 + 25_000, 15_000)
    );
    let list = "{ payoutRuns { nodes { status } } }";
    let seen = t.ask(&realm.maker, list, json!({})).await;
    assert_eq!(seen.count("payoutRuns/nodes"), 5);
}
