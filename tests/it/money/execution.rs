//! Executing payout runs: the file for the bank, providers that fail or keep silent, and interruptions.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ensemble::{
    entity::{
        ids::{PartnerId, PayoutId, PayoutRunId},
        payout,
    },
    payouts::{
        PayoutStatus, execute,
        provider::{Batch, Outcome, PayoutProvider},
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
        _ => ("\"'=Gamma, Inc.\"", "5714.29"),
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
    let folder = t.app.site().data_dir.join("payouts");
    assert_eq!(
        std::fs::read_to_string(folder.join(&file)).unwrap(),
        expected
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
    assert_eq!(provider.asked.lock().unwrap()[0].payments[0].key, payout);
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
