//! The demo and the walk of the README, played as a new user would.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use ensemble::{
    entity::audit_event,
    platform::clock::Clock,
    seeds::{self, Player},
};
use rust_decimal::Decimal;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::{
    cases,
    support::{TestApp, export, http::Http, program::Installation, until},
};

cases!(
    the_examples_of_the_start_page_are_within_the_limits,
    the_walk_leads_from_sign_in_to_a_paid_partner,
    the_walk_leads_there_over_http_too,
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

fn sum(rows: &[(String, String)]) -> Decimal {
    rows.iter()
        .map(|(_, amount)| amount.parse::<Decimal>().unwrap())
        .sum()
}

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// The answers of the walk are what the README tells of it.
fn compare_with_the_readme(answers: &BTreeMap<String, Value>) {
    let won = &answers["Win"]["dealWin"]["deal"];
    assert_eq!(won["attribution"][0]["model"], "TIME_DECAY");
    let credit = amounts(&won["attribution"][0]["credits"]);
    assert_eq!(credit, three("14285.71", "28571.43", "57142.86"));
    // The credit is the whole deal, the commission a tenth of it.
    assert_eq!(sum(&credit), Decimal::from(100_000));
    let mut commission = amounts(&won["accruals"]["nodes"]);
    commission.sort();
    let mut expected = three("1428.57", "2857.14", "5714.29");
    expected.sort();
    assert_eq!(commission, expected);
    assert_eq!(sum(&commission), Decimal::from(100_000 / 10));

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
    let run = &answers["ExecuteRun"]["payoutRunExecute"]["payoutRun"];
    assert_eq!(run["status"], "COMPLETED");
    let mut paid = amounts(&run["payouts"]["nodes"]);
    paid.sort();
    assert_eq!(paid, expected);
    let balance = &answers["Balance"]["partner"]["balance"];
    for open in ["accrued", "held", "payable", "inPayout"] {
        assert_eq!(balance[open]["amount"], "0.00", "{open}");
    }
    // 916.19 for the demo's finished deal of seven partners, and 1,428.57 for this one.
    assert_eq!(balance["paid"]["amount"], "2344.76");
    let readme = readme();
    for told in [
        "now gets `CONFLICT`, and no name",
        "100,000.00 USD for `https://www.aurora-health.example/`",
        "Northwind 14,285.71, Blue Fjord 28,571.43, Cobalt 57,142.86 USD of credit",
        "of the 10 % pool 1,428.57, 2,857.14 and 5,714.29 USD of commission",
        "28.5714 %",
        "three payments, 10,000.00 USD",
        "1,428.57 USD of this deal paid, nothing open",
        // The real files, which tests/it/import counts where they are.
        "35 partners, 85 customers, 7 products and 8,800 deals",
        "4,238 of them won for 10,005,534.00 USD",
    ] {
        assert!(readme.contains(told), "the README lacks {told}");
    }
}

async fn the_walk_leads_from_sign_in_to_a_paid_partner(t: TestApp) {
    assert!(seeds::load(&t.app).await.unwrap());
    let readme = readme();
    let mut player = Player::new(&t.app);
    let mut answers = BTreeMap::new();
    for step in seeds::story().unwrap() {
        assert!(
            readme.contains(&step.title),
            "the README does not tell: {}",
            step.title
        );
        let answer = player.play(&step).await.unwrap();
        answers.insert(step.run.clone(), answer);
    }
    compare_with_the_readme(&answers);
    t.settle().await;
    assert!(
        t.outbox
            .sent()
            .iter()
            .any(|mail| mail.message.to_address == "nora@northwind.example")
    );
}

/// A new installation, started as the README says, and people who sign in with the password that it prints.
async fn the_walk_leads_there_over_http_too(t: TestApp) {
    let site = Installation::new(t.folder().join("site"), &t.fresh_database().await);
    let server = site.serve().await;
    let http = Http::default();
    let send = async |token: Option<&str>, run: &str, variables: &Value| {
        let document = seeds::operation(run).unwrap();
        let sent = http.graphql(&server.address, token, document, variables);
        sent.await.unwrap()
    };
    let ask = async |token: Option<&str>, run: &str, variables: &Value| {
        let answer = send(token, run, variables).await;
        assert!(answer.get("errors").is_none(), "{run}: {answer:#}");
        for payload in answer["data"].as_object().unwrap().values() {
            let refusals = payload.get("userErrors").unwrap_or(&Value::Null);
            assert!(
                refusals.is_null() || *refusals == json!([]),
                "{run}: {answer:#}"
            );
        }
        answer["data"].clone()
    };
    // Days and instants of the walk count from the time of the server.
    t.clock.set(Clock::System.now());
    let mut player = Player::new(&t.app);
    let mut tokens: BTreeMap<String, String> = BTreeMap::new();
    let mut answers = BTreeMap::new();
    for (number, step) in seeds::story().unwrap().into_iter().enumerate() {
        if !tokens.contains_key(&step.by) {
            let person = json!({ "email": step.by, "password": seeds::PASSWORD });
            let signed_in = ask(None, "SignIn", &person).await;
            let token = signed_in["login"]["accessToken"].as_str().unwrap();
            tokens.insert(step.by.clone(), token.to_owned());
        }
        let mut variables = player.resolve(&Value::Object(step.with.clone())).unwrap();
        variables["key"] = json!(format!("walk-{number}"));
        let answer = ask(Some(&tokens[&step.by]), &step.run, &variables).await;
        if step.run == "Register" {
            // Another partner claims the same customer in another spelling.
            variables["input"]["customer"]["domain"] = json!("AURORA-health.example.");
            variables["key"] = json!("another-claim");
            let bo = Some(tokens["bo@bluefjord.example"].as_str());
            let refused = send(bo, "Register", &variables).await;
            let refusals = &refused["data"]["dealRegistrationSubmit"]["userErrors"];
            assert_eq!(refusals[0]["code"], "CONFLICT", "{refused:#}");
            let told = refused.to_string();
            assert!(!told.contains("Nor"), "neither Northwind nor Nora: {told}");
        }
        for (name, pointer) in &step.save {
            let value = answer.pointer(&format!("/{pointer}")).unwrap();
            player.saved.insert(name.clone(), value.clone());
        }
        answers.insert(step.run, answer);
    }
    compare_with_the_readme(&answers);
    let files = |folder: &str| {
        // The folder comes with its first file.
        let files = std::fs::read_dir(site.folder().join(folder)).into_iter();
        let files = files.flatten();
        // One that is being written is there under another name in a moment.
        files
            .filter_map(|file| std::fs::read_to_string(file.ok()?.path()).ok())
            .collect::<Vec<_>>()
    };
    for (address, amount) in [
        ("nora@northwind.example", "1,428.57"),
        ("bo@bluefjord.example", "2,857.14"),
        ("clara@cobalt.example", "5.714,29"),
    ] {
        // A file for the bank has amounts without commas.
        let bare: String = amount.chars().filter(char::is_ascii_digit).collect();
        let in_file = |file: &String| file.replace('.', "").contains(&format!(",{bare},"));
        assert_eq!(
            files("payouts").iter().filter(|file| in_file(file)).count(),
            1,
            "{amount}"
        );
        until("the mail about a payment", || async {
            let paid = |mail: &&String| mail.contains("X-Ensemble-Event: payout.paid");
            let mails = files("mail");
            mails
                .iter()
                .filter(paid)
                .any(|mail| mail.contains(address) && mail.contains(amount))
        })
        .await;
    }
    site.done(["verify"]).await;
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
