//! The demo and the walk of the README, played as a new user would.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use ensemble::{
    entity::audit_event,
    platform::clock::Clock,
    seeds::{self, Customer, Player, Step},
};
use rust_decimal::Decimal;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::{
    cases,
    support::{
        TestApp, export,
        http::Http,
        program::{Installation, Server},
        until,
    },
};

cases!(
    the_readme_prints_the_walk_of_the_start_page,
    the_walk_leads_from_sign_in_to_a_paid_partner_as_often_as_it_is_taken,
    the_walk_leads_there_over_http_too,
    the_demo_is_the_same_every_time,
    a_demo_that_was_interrupted_is_the_same_too,
    the_demo_loads_only_into_a_new_database
);

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

fn sum(rows: &[(String, String)]) -> Decimal {
    rows.iter()
        .map(|(_, amount)| amount.parse::<Decimal>().unwrap())
        .sum()
}

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// The figures of an act are in its answer, as the start page and the README show them.
fn compare_figures(act: &Step, answer: &Value) {
    for figure in &act.figures {
        let read = figure.read(answer);
        assert!(read.is_some(), "{}: {answer:#}", figure.at);
        if figure.shows.is_some() {
            assert_eq!(read, figure.shows, "{}", figure.at);
        }
    }
}

/// What the answers hold beyond the figures.
fn compare_sums(answers: &BTreeMap<String, Value>) {
    let won = &answers["Win"]["dealWin"]["deal"];
    assert_eq!(won["attribution"][0]["model"], "TIME_DECAY");
    let credit = amounts(&won["attribution"][0]["credits"]);
    // The credit is the whole deal, the commission a tenth of it.
    assert_eq!(sum(&credit), Decimal::from(100_000));
    let mut commission = amounts(&won["accruals"]["nodes"]);
    assert_eq!(sum(&commission), Decimal::from(100_000 / 10));
    assert_eq!((credit.len(), commission.len()), (3, 3));
    let explained = answers["Explain"].to_string();
    assert!(
        !explained.contains("Northwind") && !explained.contains("Cobalt"),
        "{explained}"
    );
    let run = &answers["ExecuteRun"]["payoutRunExecute"]["payoutRun"];
    let mut paid = amounts(&run["payouts"]["nodes"]);
    commission.sort();
    paid.sort();
    assert_eq!(paid, commission);
    let balance = &answers["Paid"]["partner"]["balance"];
    assert_eq!(balance["inPayout"]["amount"], "0.00");
}

async fn the_readme_prints_the_walk_of_the_start_page(_: TestApp) {
    let walk = seeds::walk().unwrap();
    let steps = walk.steps.iter().zip(1..);
    let printed: Vec<_> = steps
        .map(|(step, number)| format!("{number}. **{}.** {}", step.title, step.text))
        .collect();
    let readme = readme();
    let (_, from) = readme
        .split_once("## From sign-in to a paid partner")
        .unwrap();
    let section = from.split("\n## ").next().unwrap();
    let items = section
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(items.collect::<Vec<_>>(), printed);
    for step in &walk.steps {
        for figure in step.acts.iter().flat_map(|act| &act.figures) {
            // Amounts are in the text; names and states do not have to be.
            let shows = figure.shows.as_deref().unwrap_or_default();
            let is_number = shows.starts_with(|c: char| c.is_ascii_digit());
            assert!(!is_number || section.contains(shows), "{shows} is not told");
        }
    }
    let Customer { name, domain } = &walk.customers[0];
    assert!(section.contains(name) && section.contains(domain), "{name}");
    for told in [
        // The real files, which tests/it/import counts where they are.
        "35 partners, 85 customers, 7 products and 8,800 deals",
        "4,238 of them won for 10,005,534.00 USD",
    ] {
        assert!(readme.contains(told), "the README lacks {told}");
    }
}

async fn the_walk_leads_from_sign_in_to_a_paid_partner_as_often_as_it_is_taken(t: TestApp) {
    assert!(seeds::load(&t.app).await.unwrap());
    let walk = seeds::walk().unwrap();
    for customer in &walk.customers[..2] {
        let mut player = Player::new(&t.app);
        player.meet(customer);
        let mut answers = BTreeMap::new();
        for act in walk.steps.iter().flat_map(|step| &step.acts) {
            let answer = player.play(act).await.unwrap();
            compare_figures(act, &answer);
            answers.insert(act.run.clone(), answer);
        }
        compare_sums(&answers);
        t.settle().await;
        let mails = t.outbox.sent();
        let to_nora = mails
            .iter()
            .filter(|mail| mail.message.to_address == "nora@northwind.example");
        let paid = to_nora.filter(|mail| mail.message.text.contains("1,428.57"));
        assert!(paid.count() > 0);
        t.advance(TimeDelta::minutes(5));
    }
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
    // Days and instants of the walk count from the time of the server.
    t.clock.set(Clock::System.now());
    let walk = seeds::walk().unwrap();
    let mut player = Player::new(&t.app);
    player.meet(&walk.customers[0]);
    let mut tokens: BTreeMap<String, String> = BTreeMap::new();
    let mut answers = BTreeMap::new();
    let acts = walk.steps.iter().flat_map(|step| &step.acts);
    for (number, act) in acts.enumerate() {
        if !tokens.contains_key(&act.by) {
            let person = json!({ "email": act.by, "password": seeds::PASSWORD });
            let signed_in = send(None, "SignIn", &person).await;
            let token = signed_in["data"]["login"]["accessToken"].as_str().unwrap();
            tokens.insert(act.by.clone(), token.to_owned());
        }
        let mut variables = player.resolve(&Value::Object(act.with.clone())).unwrap();
        variables["key"] = json!(format!("walk-{number}"));
        let answer = send(Some(&tokens[&act.by]), &act.run, &variables).await;
        assert!(answer.get("errors").is_none(), "{}: {answer:#}", act.run);
        let data = &answer["data"];
        let expected = Vec::from_iter(act.refused.as_deref());
        assert_eq!(seeds::refusals(data), expected, "{}: {answer:#}", act.run);
        if act.refused.is_some() {
            let told = answer.to_string();
            assert!(!told.contains("Nor"), "neither Northwind nor Nora: {told}");
        }
        compare_figures(act, data);
        for (name, pointer) in &act.save {
            let value = data.pointer(&format!("/{pointer}")).unwrap();
            player.saved.insert(name.clone(), value.clone());
        }
        answers.insert(act.run.clone(), data.clone());
    }
    compare_sums(&answers);
    let files = |folder: &str| {
        // A folder is made with its first file.
        let files = std::fs::read_dir(site.folder().join(folder));
        let files = files.into_iter().flatten();
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
    the_pages_show_it(&server, &http).await;
    site.done(["verify"]).await;
}

/// The start page offers the walk and the people; the mails of the walk are readable, and only on this machine.
async fn the_pages_show_it(server: &Server, http: &Http) {
    let address = &server.address;
    let (status, start) = http.get(&format!("{address}/")).await.unwrap();
    assert_eq!(status, 200);
    for step in seeds::walk().unwrap().steps {
        assert!(
            start.contains(&step.title.replace('\'', "&#x27;")),
            "{}",
            step.title
        );
    }
    // The schema has no subscriptions, so the page offers none.
    assert!(start.contains("href=\"/mail\"") && !start.contains("Subscriptions"));
    let (_, data) = http.get(&format!("{address}/start.json")).await.unwrap();
    let data: Value = serde_json::from_str(&data).unwrap();
    let nora = data["people"]
        .as_array()
        .unwrap()
        .iter()
        .find(|person| person["name"] == "Nora Lind");
    assert_eq!(
        nora.unwrap(),
        &json!({"name": "Nora Lind", "email": "nora@northwind.example", "password": seeds::PASSWORD,
            "role": "partner administrator", "company": "Northwind Advisory"})
    );
    let documents = data["walk"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|step| step["acts"].as_array().unwrap());
    assert_eq!(
        documents.filter(|act| act["document"].is_string()).count(),
        23
    );

    let (status, mails) = http.get(&format!("{address}/mail")).await.unwrap();
    assert_eq!(status, 200);
    let paid = mails
        .split("<li>")
        .find(|item| item.contains("Nora Lind") && item.contains("Paid: USD 1,428.57"))
        .unwrap();
    let (_, rest) = paid.split_once("href=\"").unwrap();
    let path = rest.split('"').next().unwrap();
    let (_, mail) = http.get(&format!("{address}{path}")).await.unwrap();
    assert!(
        mail.contains("We paid your commission.") && mail.contains("<iframe sandbox "),
        "{mail}"
    );
    let (_, html) = http.get(&format!("{address}{path}/html")).await.unwrap();
    assert!(html.contains("1,428.57") && html.contains("<p>"), "{html}");
    for path in ["/mail".to_owned(), path.to_owned(), format!("{path}/html")] {
        let told = http
            .get_as("rebound.example", &format!("{address}{path}"))
            .await
            .unwrap();
        assert_eq!(told.0, 403, "{path}");
        assert!(!told.1.contains("1,428.57"), "{}", told.1);
    }
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
