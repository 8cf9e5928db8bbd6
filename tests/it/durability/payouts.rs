//! The real program, killed while it approves and starts the payments of a large run: it goes on where it was.

use ensemble::{
    entity::ids::PayoutRunId,
    payouts::{
        advance::{self, Step},
        create,
    },
    platform::ids::TypedId,
    tx::Call,
};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

use super::account::{number, observer};
use crate::{
    cases,
    money::{APPROVE, Books, EXECUTE, at, day},
    support::{TestApp, http::Http, program::Installation, until},
};

cases!(a_large_run_survives_kills_exactly_once);

const PASSWORD: &str = "a password of the tests 1";

/// A calculated run of 1,100 payments of a cent.
async fn reviewed(t: &TestApp) -> PayoutRunId {
    t.clock.set(at("2026-01-05T08:00:00Z"));
    let books = Books::open(t, 0).await;
    books.crowd(1_100).await;
    t.clock.set(at("2026-02-01T00:00:00Z"));
    t.settle().await;
    let command = create::Create {
        program_id: Some(books.program),
        period_start: day("2026-01-01"),
        period_end: day("2026-01-31"),
    };
    let call = Call::of("payoutRunCreate", books.maker.actor.clone());
    let created = t
        .app
        .write(call, move |tx| Box::pin(create::create(tx, command)));
    let run = created.await.unwrap();
    let step = || t.write(move |tx| Box::pin(advance::step(tx, run)));
    while step().await.unwrap() == Step::Taken {}
    t.settle().await;
    run
}

async fn in_state(db: &DatabaseConnection, status: &str) -> i64 {
    number(
        db,
        &format!("SELECT count(*) FROM payout WHERE status = '{status}'"),
    )
    .await
}

/// Sends a mutation to a server of its own, which is killed as soon as it has come to some payments.
async fn killed(
    site: &Installation,
    db: &DatabaseConnection,
    document: &'static str,
    run: &str,
    reached: &str,
) {
    let server = site.serve().await;
    let address = server.address.clone();
    let http = Http::default();
    let sign_in = ensemble::seeds::operation("SignIn").unwrap();
    let who = json!({"email": "root@vendor.example", "password": PASSWORD});
    let answer: Value = http.graphql(&address, None, sign_in, &who).await.unwrap();
    let token = answer["data"]["login"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let variables = json!({ "id": run, "key": format!("{reached} {run}") });
    let sent = tokio::spawn(async move {
        let variables = variables;
        let http = Http::default();
        let _ = http
            .graphql(&address, Some(&token), document, &variables)
            .await;
    });
    until(&format!("payments in {reached}"), || async {
        in_state(db, reached).await > 0
    })
    .await;
    server.kill();
    sent.await.unwrap();
}

async fn a_large_run_survives_kills_exactly_once(t: TestApp) {
    let run = reviewed(&t).await;
    let db = observer(t.url()).await;
    let site = Installation::new(t.folder().join("site"), t.url());
    site.administrator(PASSWORD).await;
    // Whose process was killed leaves its leases.
    let freed = || async {
        let due = "UPDATE job SET lease_until = NULL, run_at = created_at WHERE status = 'PENDING'";
        sea_orm::ConnectionTrait::execute_unprepared(&db, due)
            .await
            .unwrap();
    };

    killed(&site, &db, APPROVE, &run.text(), "APPROVED").await;
    freed().await;
    let server = site.serve().await;
    until("all payments approved", || async {
        in_state(&db, "APPROVED").await == 1_100
    })
    .await;
    server.kill();

    killed(&site, &db, EXECUTE, &run.text(), "EXECUTING").await;
    freed().await;
    let server = site.serve().await;
    until("all payments paid", || async {
        in_state(&db, "PAID").await == 1_100
    })
    .await;
    until("the end of the run", || async {
        number(
            &db,
            "SELECT count(*) FROM payout_run WHERE status = 'COMPLETED'",
        )
        .await
            == 1
    })
    .await;
    server.kill();
    for kind in ["PAYOUT_APPROVAL", "PAYOUT_START", "PAYOUT_SETTLEMENT"] {
        let posted = format!("SELECT count(*) FROM ledger_transaction WHERE kind = '{kind}'");
        assert_eq!(number(&db, &posted).await, 1_100, "{kind}");
    }
    let files = std::fs::read_dir(site.folder().join("payouts")).unwrap();
    let files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    let files: Vec<_> = files
        .iter()
        .filter(|path| path.extension().is_some_and(|of| of == "csv"))
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let rows = csv::Reader::from_path(files[0])
        .unwrap()
        .into_records()
        .count();
    assert_eq!(rows, 1_100);
}
