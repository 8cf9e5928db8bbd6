//! Handing in a claim and deciding about it.

use ensemble::{
    access::Actor,
    entity::{deal_registration, partner::PartnerStatus},
    platform::ids::TypedId,
    settings::ProgramSettings,
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use super::market::*;
use crate::{cases, support::TestApp};

cases!(
    a_registration_gets_a_number_and_a_promise,
    every_fault_of_a_registration_is_told_at_once,
    the_limit_of_the_tier_holds,
    only_active_partners_register,
    a_repetition_returns_the_same_registration,
    a_renewal_stays_one_from_the_registration_to_the_deal,
);

async fn a_registration_gets_a_number_and_a_promise(t: TestApp) {
    let market = market(&t).await;
    let a = gold(&t, market, "Northwind Partners").await;
    let answer = submit(
        &t,
        &a.manager,
        claim(market.router, "Acme Corp.", Some("acme.com")),
    )
    .await;
    let registration = answer
        .done("dealRegistrationSubmit")
        .at("dealRegistrationSubmit/dealRegistration");
    assert!(registration["number"].as_str().unwrap().starts_with("DR-"));
    assert_eq!(registration["status"], "SUBMITTED");
    assert_eq!(registration["submittedAt"], "2026-03-01T09:00:00Z");
    assert_eq!(registration["reviewDueAt"], "2026-03-03T09:00:00Z");
    assert_eq!(
        registration["conflict"],
        json!({ "outcome": "CLEAR", "reasons": [] })
    );
    assert_eq!(events(&t, "deal_registration.submitted").await.len(), 1);
    let [registrations, protections, customers, ..] = written(&t).await;
    assert_eq!((registrations, protections, customers), (1, 1, 1));
}

async fn every_fault_of_a_registration_is_told_at_once(t: TestApp) {
    let market = market(&t).await;
    let a = gold(&t, market, "Northwind Partners").await;
    let before = written(&t).await;
    let mut input = claim(market.router, " ", Some("no domain"));
    input["value"] = json!({ "amount": "-1", "currency": "XXX" });
    input["products"] = json!([
        { "productId": market.router.text(), "quantity": 0 },
        { "productId": "product_unknown" },
        { "productId": market.router.text() },
    ]);
    input["expectedCloseOn"] = json!("2026-02-28");
    input["timeZone"] = json!("Mars/Olympus");
    input["contacts"] = json!([{ "name": "" }]);
    let answer = submit(&t, &a.manager, input).await;
    let errors = answer
        .at("dealRegistrationSubmit/userErrors")
        .as_array()
        .unwrap()
        .clone();
    let told: Vec<_> = errors
        .iter()
        .map(|error| (error["code"].as_str().unwrap(), path(&error["field"])))
        .collect();
    let bad = |field: &str| ("BAD_USER_INPUT", field.to_owned());
    assert_eq!(
        told,
        [
            bad("customer.name"),
            bad("customer.domain"),
            bad("products.0.quantity"),
            bad("products.2.productId"),
            ("NOT_FOUND", "products.1.productId".to_owned()),
            bad("value.currency"),
            bad("value.amount"),
            bad("timeZone"),
            bad("expectedCloseOn"),
            bad("contacts.0.name"),
        ]
    );
    assert_eq!(written(&t).await, before);
}

fn path(field: &Value) -> String {
    let steps: Vec<_> = field
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step.as_str().unwrap())
        .collect();
    steps.join(".")
}

async fn the_limit_of_the_tier_holds(t: TestApp) {
    let mut settings = ProgramSettings::default();
    settings
        .program
        .tiers
        .iter_mut()
        .for_each(|tier| tier.max_open_registrations = 2);
    let market = market_with(&t, settings).await;
    let a = gold(&t, market, "Northwind Partners").await;
    let claims = (0..6).map(|number| {
        let input = claim(
            market.router,
            &format!("Customer {number}"),
            Some(&format!("customer{number}.com")),
        );
        let (t, person) = (t.clone(), a.manager.clone());
        tokio::spawn(async move { submit(&t, &person, input).await })
    });
    let mut refused = Vec::new();
    for answer in claims.collect::<Vec<_>>() {
        refused.extend(answer.await.unwrap().refusals("dealRegistrationSubmit"));
    }
    assert_eq!(refused, ["LIMIT_REACHED"; 4]);
    assert_eq!(
        deal_registration::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        2
    );
}

async fn only_active_partners_register(t: TestApp) {
    let market = market(&t).await;
    let a = seller(
        &t,
        market,
        "Northwind Partners",
        "GOLD",
        PartnerStatus::Suspended,
    )
    .await;
    let before = written(&t).await;
    let answer = submit(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    assert_eq!(answer.refusal("dealRegistrationSubmit"), "NOT_ELIGIBLE");
    assert_eq!(written(&t).await, before);
}

async fn a_repetition_returns_the_same_registration(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let input = claim(market.router, "Acme", Some("acme.com"));
    let id = "dealRegistrationSubmit/dealRegistration/id";
    let first = submit_keyed(&t, &a.manager, input.clone(), "key-1")
        .await
        .done("dealRegistrationSubmit")
        .text(id);
    let before = written(&t).await;
    let again = submit_keyed(&t, &a.manager, input.clone(), "key-1")
        .await
        .done("dealRegistrationSubmit")
        .text(id);
    assert_eq!(again, first);
    let other = submit_keyed(
        &t,
        &a.manager,
        claim(market.router, "Globex", Some("globex.com")),
        "key-1",
    )
    .await;
    assert_eq!(
        other.refusal("dealRegistrationSubmit"),
        "IDEMPOTENCY_KEY_MISMATCH"
    );
    let stranger = submit_keyed(&t, &b.manager, input.clone(), "key-1").await;
    assert_eq!(stranger.refusal("dealRegistrationSubmit"), "CONFLICT");
    let document =
        "mutation($input: DealRegistrationSubmitInput!) { dealRegistrationSubmit(input: $input) {
        dealRegistration { id } userErrors { code } } }";
    let keyless = t.ask(&a.manager, document, json!({ "input": input })).await;
    assert_eq!(
        keyless.refusal("dealRegistrationSubmit"),
        "IDEMPOTENCY_KEY_REQUIRED"
    );
    let nobody = t
        .ask_as(&Actor::Anonymous, document, json!({ "input": input }))
        .await;
    assert_eq!(nobody.error(), "UNAUTHENTICATED");
    assert_eq!(written(&t).await, before);
}

async fn a_renewal_stays_one_from_the_registration_to_the_deal(t: TestApp) {
    let market = market(&t).await;
    let a = gold(&t, market, "Northwind Partners").await;
    let mut input = claim(market.router, "Acme Corp.", Some("acme.com"));
    input["business"] = json!("RENEWAL");
    let renewal = registered(&t, &a.manager, input).await;
    let new = registered(
        &t,
        &a.manager,
        claim(market.router, "Initech", Some("initech.com")),
    )
    .await;
    let reviewer = t.admin().await;
    for (registration, business) in [(renewal, "RENEWAL"), (new, "NEW_BUSINESS")] {
        let deal = approved(&t, &reviewer, &registration).await;
        let query = "query($r: ID!, $d: ID!) { dealRegistration(id: $r) { business } deal(id: $d) { business } }";
        let told = t
            .ask(&a.manager, query, json!({"r": registration, "d": deal}))
            .await;
        assert_eq!(told.text("dealRegistration/business"), business);
        assert_eq!(told.text("deal/business"), business);
    }
}
