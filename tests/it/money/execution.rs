//! Executing payout runs: the file for the bank, providers that fail or keep silent, and interruptions.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ensemble::{
    entity::{
        ids::{PartnerId, PayoutId, PayoutRunId},
        payout::{self, PayoutStatus},
        payout_export,
    },
    payouts::{
        execute,
        provider::{Batch, Key, Outcome, PayoutProvider},
        retry::{self, Retry},
        settle,
    },
    platform::ids::TypedId,
    tx::Call,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;

use super::{Books, earned, payouts::influence};
use crate::{cases, support::TestApp};

cases!(
    the_export_file_is_exact,
    executing_twice_pays_once,
    an_interrupted_execution_is_finished_by_the_worker,
    a_failed_payment_is_payable_again_and_retried_under_its_key,
    an_unknown_outcome_is_asked_again,
    only_what_is_open_is_asked_again_and_a_retry_has_a_key_of_its_own,
);

async fn the_export_file_is_exact(t: TestApp) {
    let books = Books::open(&t, 0).await;
    influence(&books).await;
    let run = books.pay("2026-03-01", "2026-03-31").await;
    let id = PayoutRunId::parse(&run).unwrap();
    let mut rows = payout::Entity::find()
        .filter(payout::Column::RunId.eq(id))
        .all(t.app.db().reader())
        .await
        .unwrap();
    rows.sort_by_key(|row| row.id);
    let name = |amount| match amount {
        142_857 => ("Alpha", "1428.57"),
        285_714 => ("Beta", "2857.14"),
        _ => ("\"=Gamma, Inc.\"", "5714.29"),
    };
    let mut expected =
        "payout,partner,amount,currency,reference,account_holder,iban,account_number,bank_code,bic,bank_country\n"
            .to_owned();
    for row in &rows {
        let (partner, amount) = name(row.amount_minor);
        expected.push_str(&format!(
            "{},{partner},{amount},USD,{},,,,,,\n",
            row.id, row.number
        ));
    }
    let answer = t
        .ask(
            &books.maker,
            "query($id: ID!) { payoutRun(id: $id) { number exportFile } }",
            json!({ "id": run }),
        )
        .await;
    let file = answer.text("payoutRun/exportFile");
    assert_eq!(file, format!("{}.csv", answer.text("payoutRun/number")));
    let folder = t.folder().join("payouts");
    assert_eq!(
        std::fs::read_to_string(folder.join(&file)).unwrap(),
        expected
    );
    let export = payout_export::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    let digest = ensemble::platform::audit::digest(&expected);
    assert_eq!(
        (export.name, export.content_hash, export.payments),
        (file.clone(), digest, 3)
    );
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
    assert!(rows.iter().all(
        |row| row.provider_reference.as_deref() == Some(file.as_str())
            && row.status == PayoutStatus::Paid
    ));
    t.settle().await;
}

async fn executing_twice_pays_once(t: TestApp) {
    let books = Books::open(&t, 0).await;
    influence(&books).await;
    let run = books.created("2026-03-01", "2026-03-31").await;
    assert_eq!(
        books
            .execute(&books.checker, &run, "early")
            .await
            .refusal("payoutRunExecute"),
        "ILLEGAL_TRANSITION"
    );
    books
        .approve(&books.checker, &run)
        .await
        .done("payoutRunApprove");
    let (one, two) = tokio::join!(
        books.execute(&books.checker, &run, "same"),
        books.execute(&books.checker, &run, "same")
    );
    one.done("payoutRunExecute");
    two.done("payoutRunExecute");
    t.settle().await;
    let done = books.rows().await;
    let again = books.execute(&books.checker, &run, "same").await;
    assert_eq!(
        again
            .done("payoutRunExecute")
            .text("payoutRunExecute/payoutRun/status"),
        "COMPLETED"
    );
    assert_eq!(
        books
            .execute(&books.checker, &run, "other")
            .await
            .refusal("payoutRunExecute"),
        "ILLEGAL_TRANSITION"
    );
    assert_eq!(books.rows().await, done);
    t.settle().await;
    assert_eq!(books.rows().await, done);
}

async fn an_interrupted_execution_is_finished_by_the_worker(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let [a, ..] = influence(&books).await;
    let run = books.created("2026-03-01", "2026-03-31").await;
    books
        .approve(&books.checker, &run)
        .await
        .done("payoutRunApprove");
    let id = PayoutRunId::parse(&run).unwrap();
    // The start is committed, then the process dies.
    t.app
        .write(Call::of("test", books.checker.actor.clone()), move |tx| {
            Box::pin(execute::start(tx, id, "FILE_EXPORT"))
        })
        .await
        .unwrap();
    assert_eq!(books.balance(a).await.in_payout, 142_857);
    t.settle().await;
    assert_eq!(books.balance(a).await.paid, 142_857);
    let answer = t
        .ask(
            &books.maker,
            "query($id: ID!) { payoutRun(id: $id) { status } }",
            json!({ "id": run }),
        )
        .await;
    assert_eq!(answer.text("payoutRun/status"), "COMPLETED");
}

/// A provider that answers what it is told to.
pub struct Scripted {
    answers: Mutex<Vec<Outcome>>,
    pub asked: Mutex<Vec<Batch>>,
}

impl Scripted {
    pub fn new(answers: Vec<Outcome>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers),
            asked: Mutex::default(),
        })
    }
}

#[async_trait]
impl PayoutProvider for Scripted {
    fn name(&self) -> &'static str {
        "SCRIPTED"
    }

    async fn pay(&self, batch: &Batch) -> Vec<Outcome> {
        self.asked.lock().unwrap().push(batch.clone());
        let mut answers = self.answers.lock().unwrap();
        batch
            .payments
            .iter()
            .map(|_| {
                if answers.is_empty() {
                    Outcome::Unknown
                } else {
                    answers.remove(0)
                }
            })
            .collect()
    }
}

/// A run of one payment of 142,857 that is started with a provider and settled with its answers once.
async fn started(books: &Books, provider: &Arc<Scripted>) -> (PartnerId, PayoutRunId, PayoutId) {
    let partner = books.partner("Alpha").await;
    books
        .win("2026-03-01T08:00:00Z", &[earned(partner, 142_857)])
        .await;
    let run = books.created("2026-03-01", "2026-03-31").await;
    books
        .approve(&books.checker, &run)
        .await
        .done("payoutRunApprove");
    let id = PayoutRunId::parse(&run).unwrap();
    let call = Call::of("test", books.checker.actor.clone());
    books
        .t
        .app
        .write(call.clone(), move |tx| {
            Box::pin(execute::start(tx, id, "SCRIPTED"))
        })
        .await
        .unwrap();
    go_on(books, provider, id, None).await;
    let row = payout::Entity::find()
        .filter(payout::Column::RunId.eq(id))
        .one(books.t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    (partner, id, row.id)
}

async fn go_on(books: &Books, provider: &Arc<Scripted>, run: PayoutRunId, only: Option<PayoutId>) {
    let port: Arc<dyn PayoutProvider> = Arc::clone(provider) as Arc<dyn PayoutProvider>;
    let call = Call::of("test", books.checker.actor.clone());
    execute::go_on(&books.t.app, &call, &port, run, only)
        .await
        .unwrap();
}

async fn a_failed_payment_is_payable_again_and_retried_under_its_key(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let provider = Scripted::new(vec![Outcome::Failed {
        reason: "account closed".to_owned(),
    }]);
    let (partner, run, payout) = started(&books, &provider).await;
    let status = "query($id: ID!) { payoutRun(id: $id) { status payouts { nodes { status failure paidAt } } } }";
    let answer = t
        .ask(&books.maker, status, json!({ "id": run.text() }))
        .await;
    assert_eq!(answer.text("payoutRun/status"), "PARTIALLY_FAILED");
    assert_eq!(
        answer.at("payoutRun/payouts/nodes"),
        &json!([{"status": "FAILED", "failure": "account closed", "paidAt": null}])
    );
    let balance = books.balance(partner).await;
    assert_eq!(
        (balance.payable, balance.in_payout, balance.paid),
        (142_857, 0, 0)
    );
    // Its lines stay with it: another run does not find them.
    let other = books.created("2026-03-01", "2026-03-31").await;
    assert_eq!(books.paid(&other, &[partner]).await, [None]);
    let retry = r#"mutation($id: ID!) { payoutRetry(input: {payoutId: $id}) @idempotent(key: "r") { payout { status failure reference } userErrors { code } } }"#;
    let retried = t
        .ask(&books.checker, retry, json!({ "id": payout.text() }))
        .await;
    assert_eq!(
        retried
            .done("payoutRetry")
            .text("payoutRetry/payout/status"),
        "PAID"
    );
    let key = provider.asked.lock().unwrap()[0].payments[0].key;
    assert_eq!((key.payout, key.attempt), (payout, 1));
    let answer = t
        .ask(&books.maker, status, json!({ "id": run.text() }))
        .await;
    assert_eq!(answer.text("payoutRun/status"), "COMPLETED");
    assert_eq!(books.balance(partner).await.paid, 142_857);
    t.settle().await;
}

async fn an_unknown_outcome_is_asked_again(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let provider = Scripted::new(vec![
        Outcome::Unknown,
        Outcome::Paid {
            reference: "tx-1".to_owned(),
        },
    ]);
    let (partner, run, payout) = started(&books, &provider).await;
    let row = payout::Entity::find_by_id(payout)
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.status, PayoutStatus::Unknown);
    assert_eq!(books.balance(partner).await.in_payout, 142_857);
    go_on(&books, &provider, run, None).await;
    let row = payout::Entity::find_by_id(payout)
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.status, row.provider_reference.as_deref()),
        (PayoutStatus::Paid, Some("tx-1"))
    );
    let asked = provider.asked.lock().unwrap().clone();
    assert_eq!(asked[0], asked[1]);
    go_on(&books, &provider, run, None).await;
    assert_eq!(provider.asked.lock().unwrap().len(), 2);
    t.settle().await;
}

async fn only_what_is_open_is_asked_again_and_a_retry_has_a_key_of_its_own(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let provider = Scripted::new(Vec::new());
    let partners = [
        books.partner("Alpha").await,
        books.partner("Beta").await,
        books.partner("Gamma").await,
    ];
    let lines = partners.map(|partner| earned(partner, 1_000));
    books.win("2026-03-01T08:00:00Z", &lines).await;
    let run = books.created("2026-03-01", "2026-03-31").await;
    books
        .approve(&books.checker, &run)
        .await
        .done("payoutRunApprove");
    let id = PayoutRunId::parse(&run).unwrap();
    let call = Call::of("test", books.checker.actor.clone());
    t.app
        .write(call.clone(), move |tx| {
            Box::pin(execute::start(tx, id, "SCRIPTED"))
        })
        .await
        .unwrap();
    let paid = |reference: &str| Outcome::Paid {
        reference: reference.to_owned(),
    };
    let failed = || Outcome::Failed {
        reason: "account closed".to_owned(),
    };
    let answer = |outcomes| *provider.answers.lock().unwrap() = outcomes;
    let last = || provider.asked.lock().unwrap().last().unwrap().clone();
    let keys = |batch: &Batch| -> Vec<_> {
        let keys = batch.payments.iter().map(|payment| payment.key);
        keys.map(|key| (key.payout, key.attempt)).collect()
    };
    let states = async || {
        let mut rows = payout::Entity::find()
            .all(t.app.db().reader())
            .await
            .unwrap();
        rows.sort_by_key(|row| row.id);
        rows
    };
    let payouts: Vec<PayoutId> = states().await.iter().map(|row| row.id).collect();

    answer(vec![failed(), Outcome::Unknown, paid("tx-1")]);
    go_on(&books, &provider, id, None).await;
    // The one that is open is asked about, alone, and its answer is taken in.
    answer(vec![failed()]);
    go_on(&books, &provider, id, None).await;
    assert_eq!(keys(&last()), [(payouts[1], 1)]);
    let expected = [
        PayoutStatus::Failed,
        PayoutStatus::Failed,
        PayoutStatus::Paid,
    ];
    assert_eq!(
        states()
            .await
            .iter()
            .map(|row| row.status)
            .collect::<Vec<_>>(),
        expected
    );

    // Another attempt has another key, and is not mixed up with the first.
    let command = Retry {
        payout: payouts[0],
        to_current_account: false,
    };
    t.app
        .write(call.clone(), move |tx| {
            Box::pin(retry::start(tx, command, "SCRIPTED"))
        })
        .await
        .unwrap();
    answer(vec![Outcome::Unknown]);
    go_on(&books, &provider, id, Some(payouts[0])).await;
    assert_eq!(keys(&last()), [(payouts[0], 2)]);
    assert_eq!(last().name, format!("{}-2", states().await[0].number));
    let late = Key {
        payout: payouts[0],
        attempt: 1,
    };
    let answers = [(late, paid("late"))];
    t.app
        .write(call, move |tx| {
            let answers = answers.clone();
            Box::pin(async move { settle::settle(tx, id, &answers).await })
        })
        .await
        .unwrap();
    assert_eq!(states().await[0].status, PayoutStatus::Unknown);
    answer(vec![paid("tx-2")]);
    go_on(&books, &provider, id, None).await;
    assert_eq!(keys(&last()), [(payouts[0], 2)]);
    let rows = states().await;
    assert_eq!(rows[0].provider_reference.as_deref(), Some("tx-2"));
    let balances = [
        books.balance(partners[0]).await.paid,
        books.balance(partners[1]).await.payable,
        books.balance(partners[2]).await.paid,
    ];
    assert_eq!(balances, [1_000; 3]);
}
