//! Partners, programmes, customers and the catalogue.

mod catalog;
mod customer_access;
mod customers;
mod enrollment;
mod lifecycle;
mod partner_changes;
mod partners;
pub mod programs;
mod resolve;

use ensemble::{
    entity::{audit_event, ids::PartnerId, job, partner, partner_lifecycle_event},
    platform::ids::TypedId,
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::support::{Answer, Case, Person, TestApp};

/// The cases of this folder.
pub fn cases() -> Vec<Case> {
    [
        catalog::cases(),
        customer_access::cases(),
        customers::cases(),
        enrollment::cases(),
        lifecycle::cases(),
        partner_changes::cases(),
        partners::cases(),
        programs::cases(),
        resolve::cases(),
    ]
    .concat()
}

/// Runs the one mutation of a document with `$input`.
async fn run(
    t: &TestApp,
    person: &Person,
    mutation: &str,
    input: Value,
    selection: &str,
) -> Answer {
    let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation($input: {kind}!) {{ {mutation}(input: $input) {{ {selection} userErrors {{ code message field }} }} }}"
    );
    t.ask(person, &document, json!({ "input": input })).await
}

/// A new partner's id.
pub async fn partner(t: &TestApp, person: &Person, name: &str) -> String {
    let input = json!({ "legalName": name, "types": ["SI"] });
    let made = run(t, person, "partnerCreate", input, "partner { id }").await;
    made.done("partnerCreate").text("partnerCreate/partner/id")
}

/// A new partner as described; it is a prospect.
async fn enter(t: &TestApp, person: &Person, input: Value) -> String {
    let made = run(t, person, "partnerCreate", input, "partner { id status }").await;
    assert_eq!(
        made.done("partnerCreate")
            .text("partnerCreate/partner/status"),
        "PROSPECT"
    );
    made.text("partnerCreate/partner/id")
}

/// A new partner in full standing.
async fn active_partner(t: &TestApp, person: &Person, name: &str) -> String {
    let id = partner(t, person, name).await;
    run(
        t,
        person,
        "partnerActivate",
        json!({ "partnerId": id }),
        "partner { id }",
    )
    .await
    .done("partnerActivate");
    id
}

fn partner_id(text: &str) -> PartnerId {
    PartnerId::parse(text).unwrap()
}

/// How many rows a refused mutation could have added to.
async fn traces(t: &TestApp) -> [u64; 4] {
    let db = t.app.db().reader();
    [
        partner::Entity::find().count(db).await.unwrap(),
        partner_lifecycle_event::Entity::find()
            .count(db)
            .await
            .unwrap(),
        audit_event::Entity::find().count(db).await.unwrap(),
        job::Entity::find().count(db).await.unwrap(),
    ]
}

/// The paths at which a mutation refused.
fn fields(answer: &Answer, mutation: &str) -> Vec<String> {
    let errors = answer
        .at(&format!("{mutation}/userErrors"))
        .as_array()
        .unwrap();
    let path = |error: &Value| {
        error["field"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    errors.iter().map(|error| path(error).join(".")).collect()
}
