//! One place per customer and product family, whatever the spelling and however many ask.

use ensemble::{
    entity::{deal_registration, protection},
    identity::Role,
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::json;

use super::market::*;
use crate::{cases, support::TestApp};

cases!(
    the_same_domain_in_another_spelling_is_a_conflict,
    the_same_name_elsewhere_is_possible_and_a_longer_one_is_clear,
    one_s_own_place_is_a_duplicate,
    another_family_is_free,
    of_twenty_at_once_one_is_accepted,
    overlapping_claims_at_once_do_not_block_each_other,
);

async fn the_same_domain_in_another_spelling_is_a_conflict(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    registered(
        &t,
        &a.manager,
        claim(market.router, "Acme Corp.", Some("acme.com")),
    )
    .await;
    let before = written(&t).await;
    let answer = submit(
        &t,
        &b.manager,
        claim(market.switch, "Acme", Some("https://www.ACME.com/")),
    )
    .await;
    assert_eq!(answer.refusal("dealRegistrationSubmit"), "CONFLICT");
    assert_eq!(
        answer.at("dealRegistrationSubmit/userErrors/0/reasons"),
        &json!(["SAME_DOMAIN"])
    );
    assert!(
        !answer.json.to_string().contains("Northwind"),
        "{}",
        answer.json
    );
    assert_eq!(written(&t).await, before);
}

async fn the_same_name_elsewhere_is_possible_and_a_longer_one_is_clear(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    registered(
        &t,
        &a.manager,
        claim(market.router, "Acme Corp.", Some("acme.com")),
    )
    .await;
    let conflict = "dealRegistrationSubmit/dealRegistration/conflict";
    let answer = submit(
        &t,
        &b.manager,
        claim(market.router, "ACME Corporation", None),
    )
    .await;
    let told = answer.done("dealRegistrationSubmit").at(conflict);
    assert_eq!(
        told,
        &json!({ "outcome": "POSSIBLE_CONFLICT", "reasons": ["SAME_NAME"] })
    );
    assert!(
        !answer.json.to_string().contains("Northwind"),
        "{}",
        answer.json
    );
    let answer = submit(&t, &b.manager, claim(market.router, "Acme Dental", None)).await;
    let told = answer.done("dealRegistrationSubmit").at(conflict);
    assert_eq!(told, &json!({ "outcome": "CLEAR", "reasons": [] }));
    let answer = submit(
        &t,
        &b.manager,
        claim(market.backup, "Acme Corp", Some("acme.example")),
    )
    .await;
    let told = answer.done("dealRegistrationSubmit").at(conflict);
    assert_eq!(
        told,
        &json!({ "outcome": "CLEAR", "reasons": [] }),
        "nobody holds the other family"
    );
}

async fn one_s_own_place_is_a_duplicate(t: TestApp) {
    let market = market(&t).await;
    let a = gold(&t, market, "Northwind Partners").await;
    registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let before = written(&t).await;
    let answer = submit(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    assert_eq!(answer.refusal("dealRegistrationSubmit"), "DUPLICATE");
    assert_eq!(written(&t).await, before);
}

async fn another_family_is_free(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    registered(
        &t,
        &b.manager,
        claim(market.backup, "Acme", Some("acme.com")),
    )
    .await;
    let [_, protections, customers, ..] = written(&t).await;
    assert_eq!((protections, customers), (2, 1));
}

async fn of_twenty_at_once_one_is_accepted(t: TestApp) {
    let market = market(&t).await;
    let spellings = [
        "acme.com",
        "ACME.com",
        "www.acme.com",
        "https://www.ACME.com/",
        "http://acme.com:8080/shop?x=1",
        "sales@acme.com",
        "mail.acme.com",
        "acme.com.",
        "ａｃｍｅ.com",
        "Shop.Acme.Com",
    ];
    let mut sellers = Vec::new();
    for number in 0..20 {
        sellers.push(gold(&t, market, &format!("Seller number {number} Ltd")).await);
    }
    let before = events(&t, "deal_registration.submitted").await.len();
    let claims = sellers.iter().enumerate().map(|(number, seller)| {
        let product = if number % 2 == 0 {
            market.router
        } else {
            market.switch
        };
        let input = claim(
            product,
            "Acme Corp.",
            Some(spellings[number % spellings.len()]),
        );
        let (t, person) = (t.clone(), seller.manager.clone());
        tokio::spawn(async move { submit(&t, &person, input).await })
    });
    let (mut accepted, mut refused) = (0, 0);
    for answer in claims.collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        match answer.refusals("dealRegistrationSubmit").as_slice() {
            [] => accepted += 1,
            [code] => {
                assert_eq!(code, "CONFLICT");
                assert_eq!(
                    answer.at("dealRegistrationSubmit/userErrors/0/reasons"),
                    &json!(["SAME_DOMAIN"])
                );
                assert!(
                    !answer.json.to_string().contains("Seller"),
                    "{}",
                    answer.json
                );
                refused += 1;
            }
            more => panic!("{more:?}"),
        }
    }
    assert_eq!((accepted, refused), (1, 19));
    let db = t.app.db().reader();
    assert_eq!(protection::Entity::find().count(db).await.unwrap(), 1);
    assert_eq!(
        deal_registration::Entity::find().count(db).await.unwrap(),
        1
    );
    assert_eq!(
        events(&t, "deal_registration.submitted").await.len(),
        before + 1
    );
}

async fn overlapping_claims_at_once_do_not_block_each_other(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    for number in 0..5 {
        let domain = format!("customer{number}.com");
        let both = |first: ensemble::entity::ids::ProductId,
                    second: ensemble::entity::ids::ProductId| {
            use ensemble::platform::ids::TypedId;
            let mut input = claim(first, "Customer", Some(&domain));
            input["products"] =
                json!([{ "productId": first.text() }, { "productId": second.text() }]);
            input
        };
        let (one, two) = tokio::join!(
            submit(&t, &a.manager, both(market.router, market.backup)),
            submit(&t, &b.manager, both(market.backup, market.router)),
        );
        let refused = [
            one.refusals("dealRegistrationSubmit"),
            two.refusals("dealRegistrationSubmit"),
        ]
        .concat();
        assert_eq!(refused, ["CONFLICT"]);
    }
    let reviewer = t.vendor(Role::AllianceManager).await;
    let document = "{ dealRegistrations { totalCount } }";
    assert_eq!(
        t.ask(&reviewer, document, json!({}))
            .await
            .at("dealRegistrations/totalCount"),
        &json!(5)
    );
}
