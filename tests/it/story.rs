//! The demo and the walk of the README, played as a new user would.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use ensemble::{
    entity::audit_event,
    seeds::{self, Player},
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::{
    cases,
    support::{TestApp, export, until},
};

cases!(
    the_examples_of_the_start_page_are_within_the_limits,
    the_walk_leads_from_sign_in_to_a_paid_partner,
    the_demo_is_the_same_every_time,
    a_demo_that_was_interrupted_is_the_same_too,
    the_demo_loads_only_into_a_new_database
);

async fn the_examples_of_the_start_page_are_within_the_limits(_: TestApp) {
    let limits = ensemble::server::settings().limits;
    let guard = ensemble::graphql::guard::Guard::new(&ensemble::graphql::sdl(), limits).unwrap();
    for name in ["Look", "DealPage", "MyMoney"] {
        let document = seeds::operation(name).unwrap();
        let checked = guard.check(document, None, &async_graphql::Variables::default());
        assert!(checked.is_ok(), "{name}: {checked:?}");
    }
}

fn amounts(rows: &Value) -> Vec<(String, String)> {
    let rows = rows.as_array().unwrap().iter().map(|row| {
        let name = row["partner"]["displayName"]
            .as_str()
            .unwrap_or("vendor")
            .to_owned();
        (name, row["amount"]["amount"].as_str().unwrap().to_owned())
    });
    rows.collect()
}

fn three(a: &str, b: &str, c: &str) -> Vec<(String, String)> {
    [
        ("Northwind Advisory", a),
        ("Blue Fjord Systems", b),
        ("Cobalt Implementation", c),
    ]
    .map(|(name, amount)| (name.to_owned(), amount.to_owned()))
    .to_vec()
}

async fn the_walk_leads_from_sign_in_to_a_paid_partner(t: TestApp) {
    assert!(seeds::load(&t.app).await.unwrap());
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut player = Player::new(&t.app);
    let mut answers: BTreeMap<String, Value> = BTreeMap::new();
    for step in seeds::story().unwrap() {
        assert!(
            readme.contains(&step.title),
            "the README does not tell: {}",
            step.title
        );
        let answer = player.play(&step).await.unwrap();
        answers.insert(step.run.clone(), answer);
    }
    let won = &answers["Win"]["dealWin"]["deal"];
    assert_eq!(won["attribution"][0]["model"], "TIME_DECAY");
    assert_eq!(
        amounts(&won["attribution"][0]["credits"]),
        three("14285.71", "28571.43", "57142.86")
    );
    let mut commission = amounts(&won["accruals"]["nodes"]);
    commission.sort();
    let mut expected = three("1428.57", "2857.14", "5714.29");
    expected.sort();
    assert_eq!(commission, expected);

    let explained = &answers["Explain"]["attributionExplanation"];
    assert_eq!(explained["credits"][0]["share"], "28.5714");
    assert_eq!(explained["otherPartnerCount"], 2);
    let text = explained.to_string();
    assert!(
        !text.contains("Northwind") && !text.contains("Cobalt"),
        "{text}"
    );

    let run = &answers["DraftRun"]["payoutRunCreate"]["payoutRun"];
    assert_eq!(
        run["totals"],
        json!([{"amount": "10000.00", "currency": "USD"}])
    );
    assert_eq!(run["payoutCount"], 3);
    assert_eq!(
        answers["ExecuteRun"]["payoutRunExecute"]["payoutRun"]["status"],
        "COMPLETED"
    );
    let balance = &answers["Balance"]["partner"]["balance"];
    assert_eq!(balance["accrued"]["amount"], "0.00");
    // 916.19 for the demo's finished deal of seven partners, and 1,428.57 for this one.
    assert_eq!(balance["paid"]["amount"], "2344.76");
    for number in [
        "14,285.71",
        "28,571.43",
        "57,142.86",
        "1,428.57",
        "2,857.14",
        "5,714.29",
        "10,000.00",
        "28.5714",
    ] {
        assert!(readme.contains(number), "the README lacks {number}");
    }
    t.settle().await;
    assert!(
        t.outbox
            .sent()
            .iter()
            .any(|mail| mail.message.to_address == "nora@northwind.example")
    );
}

async fn the_demo_is_the_same_every_time(t: TestApp) {
    seeds::load(&t.app).await.unwrap();
    let first = export::normalised(t.app.db().reader()).await;
    let other = t.another().await;
    seeds::load(&other.app).await.unwrap();
    let second = export::normalised(other.app.db().reader()).await;
    assert!(first.len() > 500, "{} rows", first.len());
    let differing = first.iter().zip(&second).find(|(one, two)| one != two);
    assert_eq!((first.len(), differing), (second.len(), None));
    assert_eq!(export::hash(&first), export::hash(&second));
    t.settle().await;
    other.settle().await;
    assert_ne!(
        export::hash(&export::normalised(t.app.db().reader()).await),
        export::hash(&first)
    );
}

async fn a_demo_that_was_interrupted_is_the_same_too(t: TestApp) {
    let other = t.another().await;
    seeds::load(&other.app).await.unwrap();
    let whole = export::normalised(other.app.db().reader()).await;
    for events in [1, 30, 110] {
        let app = t.app.clone();
        let loading = tokio::spawn(async move { seeds::load(&app).await });
        until("more of the demo", || async {
            let written = audit_event::Entity::find().count(t.app.db().reader());
            written.await.unwrap() >= events
        })
        .await;
        loading.abort();
        assert!(loading.await.unwrap_err().is_cancelled());
        // What was under way when it was given up.
        while !t.app.tasks().is_empty() {
            tokio::task::yield_now().await;
        }
        t.advance(TimeDelta::hours(30));
    }
    assert!(seeds::load(&t.app).await.unwrap());
    assert_eq!(export::normalised(t.app.db().reader()).await, whole);
    assert!(!seeds::load(&t.app).await.unwrap());
    t.settle().await;
    other.settle().await;
}

async fn the_demo_loads_only_into_a_new_database(t: TestApp) {
    t.admin().await;
    assert!(!seeds::load(&t.app).await.unwrap());
}
