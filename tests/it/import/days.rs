//! Dates without a time are business days of the programme, and touchpoints after a close earn nothing.

use chrono::{DateTime, Utc};
use ensemble::entity::{
    deal,
    touchpoint::{self, TouchpointStatus},
    user::Role,
};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::json;

use super::{Files, counts, paid};
use crate::{
    cases,
    support::{Person, TestApp},
};

cases!(
    a_date_is_a_day_of_the_programme_whatever_the_zone_of_the_file,
    a_programme_that_an_import_creates_has_the_zone_of_its_deals,
    an_imported_touchpoint_after_the_close_earns_nothing,
);

const MAPPING: &str = r#"
program = "Partner programme"

[conventions]
currency = "USD"
time_zone = "Europe/Berlin"

[[files]]
file = "partners.csv"
format = "csv"
entity = "partner"
columns = { external_id = "id", legal_name = "id" }

[[files]]
file = "deals.csv"
format = "csv"
entity = "deal"
columns = { external_id = "id", name = "id", stage = "stage", value = "value", opened_on = "opened", closed_on = "closed" }

[[files]]
file = "touchpoints.csv"
format = "csv"
entity = "touchpoint"
columns = { external_id = "id", deal = "deal", partner = "partner", kind = "kind", occurred_on = "day" }
constants = { phase = "CONSIDERATION" }
"#;

fn files(closed: &str, touches: &str) -> Files {
    let deals = format!("id,stage,value,opened,closed\nd1,WON,1000,2026-02-01,{closed}\n");
    let touches = format!("id,deal,partner,kind,day\n{touches}");
    Files::new(
        MAPPING,
        &[
            ("partners.csv", "id\nnorth\nsouth\n"),
            ("deals.csv", &deals),
            ("touchpoints.csv", &touches),
        ],
    )
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A programme in UTC that pays by the last touch.
async fn programme(t: &TestApp, admin: &Person) -> String {
    let create = "mutation { programCreate(input: { name: \"Partner programme\", settings: { officialModel: LAST } }) { program { id } userErrors { code message field } } }";
    t.ask(admin, create, json!({}))
        .await
        .done("programCreate")
        .text("programCreate/program/id")
}

/// What each partner earned in a month.
async fn earned(t: &TestApp, person: &Person, start: &str, end: &str) -> Vec<(String, String)> {
    let document = "query($start: Date!, $end: Date!) { partners(first: 10, orderBy: [{ field: NAME, direction: ASC }]) { nodes { displayName \
        statement(periodStart: $start, periodEnd: $end, currency: \"USD\") { earned { amount } } } } }";
    let answer = t
        .ask(person, document, json!({ "start": start, "end": end }))
        .await;
    let partners = answer.at("partners/nodes").as_array().unwrap().clone();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    partners
        .iter()
        .map(|partner| {
            (
                text(&partner["displayName"]),
                text(&partner["statement"]["earned"]["amount"]),
            )
        })
        .collect()
}

async fn accrue(t: &TestApp, person: &Person, program: &str) {
    let run = "mutation($program: ID!) { accrualRun(input: { programId: $program }) { report { deals } userErrors { code message } } }";
    t.ask(person, run, json!({ "program": program }))
        .await
        .done("accrualRun");
}

fn rows(north: &str, south: &str) -> Vec<(String, String)> {
    [("north", north), ("south", south)]
        .map(|(name, amount)| (name.to_owned(), amount.to_owned()))
        .to_vec()
}

async fn a_date_is_a_day_of_the_programme_whatever_the_zone_of_the_file(t: TestApp) {
    t.clock.set(at("2026-06-10T09:00:00Z"));
    let (admin, finance) = (t.admin().await, t.vendor(Role::Finance).await);
    let program = programme(&t, &admin).await;
    paid::ten_percent(&t, &admin, &finance, &program).await;
    let files = files("2026-05-01", "t1,d1,north,DEMO,2026-05-01\n");
    let report = files.import(&t).await;
    assert_eq!(counts(&report), [[2, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]);
    let stored = deal::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.closed_at, Some(at("2026-05-01T00:00:00Z")));
    accrue(&t, &finance, &program).await;
    assert_eq!(
        earned(&t, &finance, "2026-05-01", "2026-05-31").await,
        rows("100.00", "0.00")
    );
    assert_eq!(
        earned(&t, &finance, "2026-04-01", "2026-04-30").await,
        rows("0.00", "0.00")
    );
    // Nothing changes when it is imported again.
    assert_eq!(
        counts(&files.import(&t).await),
        [[0, 0, 2, 0], [0, 0, 1, 0], [0, 0, 1, 0]]
    );
}

async fn a_programme_that_an_import_creates_has_the_zone_of_its_deals(t: TestApp) {
    t.clock.set(at("2026-06-10T09:00:00Z"));
    let (admin, finance) = (t.admin().await, t.vendor(Role::Finance).await);
    files("2026-05-01", "t1,d1,north,DEMO,2026-05-01\n")
        .import(&t)
        .await;
    let programs = "{ programs(first: 2) { nodes { id settings { defaultTimeZone } } } }";
    let programs = t.ask(&admin, programs, json!({})).await;
    assert_eq!(
        programs.text("programs/nodes/0/settings/defaultTimeZone"),
        "Europe/Berlin"
    );
    let stored = deal::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.closed_at, Some(at("2026-04-30T22:00:00Z")));
    let program = programs.text("programs/nodes/0/id");
    paid::ten_percent(&t, &admin, &finance, &program).await;
    accrue(&t, &finance, &program).await;
    let may = earned(&t, &finance, "2026-05-01", "2026-05-31").await;
    let april = earned(&t, &finance, "2026-04-01", "2026-04-30").await;
    let sum =
        |rows: &[(String, String)]| rows.iter().filter(|(_, amount)| amount != "0.00").count();
    assert_eq!((sum(&may), sum(&april)), (1, 0));
}

async fn an_imported_touchpoint_after_the_close_earns_nothing(t: TestApp) {
    t.clock.set(at("2026-10-01T09:00:00Z"));
    let (admin, finance) = (t.admin().await, t.vendor(Role::Finance).await);
    let program = programme(&t, &admin).await;
    paid::ten_percent(&t, &admin, &finance, &program).await;
    let touches = "t1,d1,north,DEMO,2026-05-20\nt2,d1,south,DEMO,2026-09-15\n";
    let report = files("2026-06-01", touches).import(&t).await;
    assert_eq!(counts(&report)[2], [2, 0, 0, 0]);
    let stored = touchpoint::Entity::find()
        .order_by_asc(touchpoint::Column::OccurredAt)
        .all(t.app.db().reader())
        .await
        .unwrap();
    let statuses: Vec<_> = stored.iter().map(|row| row.status).collect();
    assert_eq!(
        statuses,
        [
            TouchpointStatus::Verified,
            TouchpointStatus::AwaitingApproval
        ]
    );
    accrue(&t, &finance, &program).await;
    assert_eq!(
        earned(&t, &finance, "2026-06-01", "2026-06-30").await,
        rows("100.00", "0.00")
    );
}
