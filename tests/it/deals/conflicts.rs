//! One place per customer and product family, whatever the spelling and however many ask.

use ensemble::entity::{deal_registration, ids::ProductId, protection, user::Role};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use super::market::*;
use crate::{cases, support::TestApp};

cases!(
    the_same_domain_in_another_spelling_is_a_conflict,
    the_same_name_elsewhere_is_possible_and_a_longer_one_is_clear,
    one_s_own_place_is_a_duplicate,
    the_same_registration_number_is_a_conflict_whatever_the_name_and_domain,
    a_page_on_a_host_is_possible_and_never_a_conflict,
    one_name_is_two_customers_by_the_decision_of_a_person_only,
    a_conflict_that_came_after_the_review_began_is_decided_too,
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

fn numbered(product: ProductId, name: &str, domain: Option<&str>, number: &str) -> Value {
    let mut input = claim(product, name, domain);
    input["customer"]["country"] = json!("DE");
    input["customer"]["registrationNumber"] = json!(number);
    input
}

async fn the_same_registration_number_is_a_conflict_whatever_the_name_and_domain(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let first = numbered(market.router, "Acker GmbH", None, "HRB 4711 B");
    registered(&t, &a.manager, first).await;
    let before = written(&t).await;
    for (name, domain) in [
        ("Acker GmbH", None),
        ("Zenith", None),
        ("Acker", Some("acker.example")),
    ] {
        let input = numbered(market.switch, name, domain, "hrb4711-b");
        let answer = submit(&t, &b.manager, input).await;
        assert_eq!(
            answer.refusal("dealRegistrationSubmit"),
            "CONFLICT",
            "{name}"
        );
        let reasons = answer.at("dealRegistrationSubmit/userErrors/0/reasons");
        assert_eq!(reasons, &json!(["SAME_REGISTRATION_NUMBER"]), "{name}");
        assert!(!answer.json.to_string().contains("Northwind"));
    }
    assert_eq!(written(&t).await, before);
    // A record of its own by its domain, and the same company by its number all the same.
    let input = claim(market.backup, "Acker Online", Some("acker-online.example"));
    registered(&t, &b.manager, input).await;
    let input = numbered(
        market.switch,
        "Acker Online",
        Some("acker-online.example"),
        "HRB 4711 B",
    );
    let answer = submit(&t, &b.manager, input).await;
    assert_eq!(answer.refusal("dealRegistrationSubmit"), "CONFLICT");
    // Numbers of two countries are two registers.
    let mut input = numbered(market.switch, "Zenith", None, "HRB 4711 B");
    input["customer"]["country"] = json!("AT");
    registered(&t, &b.manager, input).await;
}

async fn a_page_on_a_host_is_possible_and_never_a_conflict(t: TestApp) {
    let market = market(&t).await;
    let reviewer = t.vendor(Role::AllianceManager).await;
    let mut waiting = Vec::new();
    for (name, address, outcome, reasons) in [
        (
            "Elm Furniture",
            "https://handelsplatz.example/elm/start",
            "CLEAR",
            json!([]),
        ),
        (
            "Oak Tools",
            "https://handelsplatz.example/oak/start",
            "POSSIBLE_CONFLICT",
            json!(["SAME_HOST"]),
        ),
        (
            "Larch Travel",
            "larch.handelsplatz.example",
            "POSSIBLE_CONFLICT",
            json!(["SAME_HOST"]),
        ),
        (
            "Trading Place",
            "https://www.handelsplatz.example/",
            "POSSIBLE_CONFLICT",
            json!(["SAME_HOST"]),
        ),
        (
            "Hazel Games",
            "https://play.google.com/store/apps/details?id=hazel",
            "CLEAR",
            json!([]),
        ),
        (
            "Willow Games",
            "https://play.google.com/store/apps/details?id=willow",
            "CLEAR",
            json!([]),
        ),
    ] {
        let seller = gold(&t, market, &format!("Seller of {name}")).await;
        let answer = submit(
            &t,
            &seller.manager,
            claim(market.router, name, Some(address)),
        )
        .await;
        let told = answer.done("dealRegistrationSubmit").at(CONFLICT);
        assert_eq!(
            told,
            &json!({ "outcome": outcome, "reasons": reasons }),
            "{name}"
        );
        waiting.push(answer.text("dealRegistrationSubmit/dealRegistration/id"));
    }
    let input = json!({ "registrationId": waiting[1] });
    let refused = decide(&t, &reviewer, "dealRegistrationApprove", input).await;
    assert_eq!(refused.refusal("dealRegistrationApprove"), "CONFLICT");
    let input = json!({ "registrationId": waiting[1], "differentCustomer": true });
    decide(&t, &reviewer, "dealRegistrationApprove", input)
        .await
        .done("dealRegistrationApprove");
    // The bare domain is proof again.
    let late = gold(&t, market, "Seller who is late").await;
    let input = claim(
        market.router,
        "Place of trade",
        Some("handelsplatz.example"),
    );
    let answer = submit(&t, &late.manager, input).await;
    assert_eq!(answer.refusal("dealRegistrationSubmit"), "CONFLICT");
    let reasons = answer.at("dealRegistrationSubmit/userErrors/0/reasons");
    assert_eq!(reasons, &json!(["SAME_DOMAIN"]));
}

const CONFLICT: &str = "dealRegistrationSubmit/dealRegistration/conflict";

async fn one_name_is_two_customers_by_the_decision_of_a_person_only(t: TestApp) {
    let market = market(&t).await;
    let reviewer = t.vendor(Role::AllianceManager).await;
    let spellings = [
        ("Acker Söhne GmbH", "HRB 111"),
        ("ACKER SOEHNE GMBH", "HRB 222"),
        ("Acker Söhne AG", "unknown"),
        ("Ac\u{200b}ker S\u{f6}hne", "HRB 444"),
        ("\u{410}cker Sohne GmbH", "pending"),
    ];
    let mut waiting = Vec::new();
    for (number, (name, register)) in spellings.into_iter().enumerate() {
        let seller = gold(&t, market, &format!("Seller number {number}")).await;
        let input = numbered(market.router, name, None, register);
        let answer = submit(&t, &seller.manager, input).await;
        let told = answer.done("dealRegistrationSubmit").at(CONFLICT);
        let outcome = if number == 0 {
            "CLEAR"
        } else {
            "POSSIBLE_CONFLICT"
        };
        assert_eq!(told["outcome"], outcome, "{name}");
        waiting.push(answer.text("dealRegistrationSubmit/dealRegistration/id"));
    }
    let before = written(&t).await;
    for id in &waiting {
        let input = json!({ "registrationId": id });
        let refused = decide(&t, &reviewer, "dealRegistrationApprove", input).await;
        assert_eq!(refused.refusal("dealRegistrationApprove"), "CONFLICT");
        let field = refused.at("dealRegistrationApprove/userErrors/0/field");
        assert_eq!(field, &json!(["differentCustomer"]));
    }
    assert_eq!(written(&t).await, before);
    // Rejected ones need no decision any more.
    for id in &waiting[2..] {
        let input =
            json!({ "registrationId": id, "reason": "DUPLICATE", "note": "The same company." });
        decide(&t, &reviewer, "dealRegistrationReject", input)
            .await
            .done("dealRegistrationReject");
    }
    let input = json!({ "registrationId": waiting[1], "differentCustomer": true });
    decide(&t, &reviewer, "dealRegistrationApprove", input)
        .await
        .done("dealRegistrationApprove");
    let dismissed = events(&t, "deal_registration.conflict_dismissed").await;
    assert_eq!(dismissed.len(), 1);
    let plain = json!({ "registrationId": waiting[0] });
    let refused = decide(&t, &reviewer, "dealRegistrationApprove", plain).await;
    assert_eq!(refused.refusal("dealRegistrationApprove"), "CONFLICT");
    assert_eq!(events(&t, "deal_registration.approved").await.len(), 1);
}

async fn a_conflict_that_came_after_the_review_began_is_decided_too(t: TestApp) {
    let market = market(&t).await;
    let reviewer = t.vendor(Role::AllianceManager).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let first = claim(market.router, "Zenith Optics", Some("zenith.example"));
    let first = registered(&t, &a.manager, first).await;
    let second = registered(
        &t,
        &b.manager,
        claim(market.switch, "Zenith Optics Ltd", None),
    )
    .await;
    let other = registered(
        &t,
        &b.manager,
        claim(market.backup, "Zenith Optics Ltd", None),
    )
    .await;
    let refused = decide(
        &t,
        &reviewer,
        "dealRegistrationApprove",
        json!({ "registrationId": first }),
    )
    .await;
    assert_eq!(refused.refusal("dealRegistrationApprove"), "CONFLICT");
    approved(&t, &reviewer, &other).await;
    let input = json!({ "registrationId": second });
    decide(&t, &b.manager, "dealRegistrationWithdraw", input)
        .await
        .done("dealRegistrationWithdraw");
    approved(&t, &reviewer, &first).await;
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
        "http://acme.com:8080/shop?utm_source=x",
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
        let both = |first: ProductId, second: ProductId| {
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
