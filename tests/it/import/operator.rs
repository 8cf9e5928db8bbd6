//! The commands of an operator who takes files over: the real program, from an empty database to commission.

use std::time::Duration;

use serde_json::{Value, json};

use super::rows::everything;
use crate::{
    cases,
    durability::account::{counted, number, observer},
    support::{TestApp, http::Http, program::Installation},
};

cases!(an_operator_takes_files_over_and_pays_what_they_earned);

const PASSWORD: &str = "correct horse battery";
const DEALS: &str = "SELECT count(*) FROM deal";

async fn an_operator_takes_files_over_and_pays_what_they_earned(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    for email in ["ada@vendor.example", "bea@vendor.example"] {
        site.administrator_at(email, PASSWORD).await;
    }
    let db = observer(&url).await;
    let files = everything();
    let import = async |more: &[&str]| {
        let (mapping, folder) = (files.path("mapping.toml"), files.path(""));
        let all = [
            "import",
            "--mapping",
            mapping.to_str().unwrap(),
            "--folder",
            folder.to_str().unwrap(),
        ];
        let output = site.run(all.iter().chain(more)).await;
        // One row was refused, which is not a failure of the command.
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let dry = import(&["--dry-run"]).await;
    assert_eq!(number(&db, DEALS).await, 0);
    let report = import(&[]).await;
    // A dry run tells what the import will, and that it was one.
    let same = dry.replace("Nothing was written: this was a dry run.\n", "");
    assert_ne!(dry, same);
    assert_eq!(same, report);
    assert_eq!(number(&db, DEALS).await, 4);
    let total = report
        .lines()
        .find(|line| line.starts_with("total"))
        .unwrap();
    let total: Vec<_> = total.split_whitespace().skip(1).collect();
    // Rows, created, changed, unchanged, refused.
    assert_eq!(total, ["10", "9", "0", "0", "1"]);

    let server = site.serve_with(["serve", "--no-worker"]).await;
    let http = Http::default();
    let ask = async |token: Option<&str>, document: &str, variables: Value| {
        let answer = http
            .graphql(&server.address, token, document, &variables)
            .await;
        let answer = answer.unwrap();
        assert!(answer.get("errors").is_none(), "{answer:#}");
        answer["data"].clone()
    };
    let token = async |email: &str| {
        let document = "mutation($input: LoginInput!) { login(input: $input) { accessToken } }";
        let input = json!({ "input": { "email": email, "password": PASSWORD } });
        let answer = ask(None, document, input).await;
        answer["login"]["accessToken"].as_str().unwrap().to_owned()
    };
    let (ada, bea) = (
        token("ada@vendor.example").await,
        token("bea@vendor.example").await,
    );
    let programs = ask(Some(&ada), "{ programs { nodes { id } } }", json!({})).await;
    let plan = json!({ "input": {
        "programId": programs["programs"]["nodes"][0]["id"], "name": "Ten percent", "currency": "EUR",
        "effectiveFrom": "2016-01-01T00:00:00Z", "components": [{ "kind": "INFLUENCE_POOL", "ratePercent": "10" }],
    } });
    let document =
        "mutation($input: IncentivePlanCreateInput!) { incentivePlanCreate(input: $input)
        { incentivePlan { id } userErrors { code } } }";
    let plan = ask(Some(&ada), document, plan).await;
    let plan = json!({ "id": plan["incentivePlanCreate"]["incentivePlan"]["id"] });
    let document = "mutation($id: ID!) { incentivePlanActivate(input: {planId: $id})
        { incentivePlan { status } userErrors { code } } }";
    let active = ask(Some(&bea), document, plan).await;
    assert_eq!(
        active["incentivePlanActivate"]["incentivePlan"]["status"],
        "ACTIVE"
    );

    let accrue = ["run", "accrual", "--program", "Partner programme"];
    let told = site.done(accrue).await;
    assert_eq!(told, "1 won deals looked at, 1 commission lines booked.\n");
    let document = "{ partners(filter: {name: {startsWith: \"Nordlicht\"}}) { nodes { balance(currency: \"EUR\") { accrued { amount } } } } }";
    let earned = ask(Some(&ada), document, json!({})).await;
    // A tenth of 12,345.60.
    let accrued = &earned["partners"]["nodes"][0]["balance"]["accrued"]["amount"];
    assert_eq!(accrued, "1234.56");

    // A worker would have begun within milliseconds; this server has none.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let jobs = "SELECT status AS name, count(*) AS n FROM job GROUP BY status";
    let waiting = counted(&db, jobs).await;
    assert_eq!(
        waiting.keys().collect::<Vec<_>>(),
        ["PENDING"],
        "{waiting:?}"
    );
    server.kill();
    site.done(["verify"]).await;
}
