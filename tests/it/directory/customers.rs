//! Recording, changing and finding customers.

use ensemble::{
    entity::{customer_block_key, ids::CustomerId, user::Role},
    platform::ids::TypedId,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::{fields, resolve::customers, run, traces};
use crate::{
    cases,
    deals::market::events,
    support::{Answer, Person, TestApp},
};

cases!(
    a_customer_is_recorded_once,
    a_customer_that_looks_like_another_is_recorded_by_the_decision_of_a_person_only,
    a_customer_changes_and_keeps_its_identity,
    a_page_on_a_host_is_a_hint_and_no_domain,
    a_registration_number_is_one_however_the_place_of_its_court_is_written,
    customers_are_found_by_what_is_known,
);

pub async fn create(t: &TestApp, person: &Person, input: Value) -> String {
    let made = run(t, person, "customerCreate", input, "customer { id }").await;
    made.done("customerCreate")
        .text("customerCreate/customer/id")
}

async fn a_customer_is_recorded_once(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let parent = create(
        &t,
        &ada,
        json!({ "name": "Acme Holding", "domain": "holding.example" }),
    )
    .await;
    let selection = "customer { name domain country industry employees registrationNumber phone externalId version parent { name } }";
    let all = json!({
        "name": " Acme Corp. ", "domain": "https://www.ACME.com/about", "country": "US", "industry": "Health", "employees": 250,
        "registrationNumber": "hrb 123-45", "phone": "+1 (555) 010-2030", "parentId": parent, "externalId": "C-1",
    });
    let made = run(&t, &ada, "customerCreate", all, selection).await;
    let expected = json!({
        "name": "Acme Corp.", "domain": "acme.com", "country": "US", "industry": "Health", "employees": 250,
        "registrationNumber": "HRB12345", "phone": "15550102030", "externalId": "C-1", "version": 1,
        "parent": { "name": "Acme Holding" },
    });
    assert_eq!(
        made.done("customerCreate").at("customerCreate/customer"),
        &expected
    );
    create(&t, &ada, json!({ "name": "Zenith" })).await;

    let before = (traces(&t).await, customers(&t).await);
    for (input, path) in [
        (
            json!({ "name": "Other", "domain": "shop.acme.com" }),
            "domain",
        ),
        (
            json!({ "name": "Other", "registrationNumber": "HRB-123/45", "country": "US" }),
            "registrationNumber",
        ),
        (
            json!({ "name": "Other", "externalId": "C-1" }),
            "externalId",
        ),
    ] {
        let refused = run(&t, &ada, "customerCreate", input, "customer { id }").await;
        assert_eq!(
            (
                refused.refusal("customerCreate").as_str(),
                fields(&refused, "customerCreate")
            ),
            ("DUPLICATE", vec![path.to_owned()])
        );
    }
    assert_eq!((traces(&t).await, customers(&t).await), before);
    let finance = t.vendor(Role::Finance).await;
    let refused = run(
        &t,
        &finance,
        "customerCreate",
        json!({ "name": "Other" }),
        "customer { id }",
    )
    .await;
    assert_eq!(refused.refusal("customerCreate"), "FORBIDDEN");
    assert_eq!((traces(&t).await, customers(&t).await), before);
}

async fn a_customer_that_looks_like_another_is_recorded_by_the_decision_of_a_person_only(
    t: TestApp,
) {
    let ada = t.vendor(Role::AllianceManager).await;
    let schmidt = create(&t, &ada, json!({ "name": "Schmidt GmbH", "country": "DE" })).await;
    let acker = json!({ "name": "Acker GmbH", "country": "DE", "registrationNumber": "HRB 111" });
    let acker = create(&t, &ada, acker).await;
    let phone = json!({ "name": "Zenith", "country": "DE", "domain": "zenith.example", "phone": "+49 30 123456" });
    create(&t, &ada, phone).await;
    let before = (traces(&t).await, customers(&t).await);
    let doubtful = [
        (
            json!({ "name": "Schmidt AG", "country": "DE" }),
            vec!["SAME_NAME"],
        ),
        (
            json!({ "name": "ACKER GmbH", "country": "DE", "registrationNumber": "HRB 222" }),
            vec!["SAME_NAME"],
        ),
        (
            json!({ "name": "Acker", "domain": "acker.example" }),
            vec!["SAME_NAME"],
        ),
        (
            json!({ "name": "Schmitd GmbH", "country": "DE", "phone": "0049 30 123456" }),
            vec!["SIMILAR_NAME", "SAME_PHONE"],
        ),
    ];
    let document = "mutation($input: CustomerCreateInput!) { customerCreate(input: $input) {
        customer { id name } userErrors { code message field ... on ConflictError { reasons } } } }";
    for (input, reasons) in &doubtful {
        let refused = t.ask(&ada, document, json!({ "input": input })).await;
        assert_eq!(refused.refusal("customerCreate"), "CONFLICT", "{input}");
        let error = refused.at("customerCreate/userErrors/0");
        assert_eq!(error["field"], json!(["differentCustomer"]), "{input}");
        assert_eq!(error["reasons"], json!(reasons), "{input}");
    }
    let [(first, _), (second, _), ..] = &doubtful;
    let message = async |input: &Value| {
        let refused = t.ask(&ada, document, json!({ "input": input })).await;
        refused.text("customerCreate/userErrors/0/message")
    };
    assert_eq!(
        message(first).await,
        format!(
            "This may be an existing customer: \"Schmidt GmbH\" ({schmidt}). Use that one, or create this one with \
             `differentCustomer: true` if it is another company."
        )
    );
    assert!(message(second).await.contains(&acker));
    assert_eq!((traces(&t).await, customers(&t).await), before);

    for (input, _) in &doubtful {
        let mut input = input.clone();
        input["differentCustomer"] = json!(true);
        create(&t, &ada, input).await;
    }
    let dismissed = events(&t, "customer.conflict_dismissed").await;
    assert_eq!(dismissed.len(), doubtful.len());
    // A proven match cannot be overridden.
    let proven = json!({ "name": "Acker", "country": "DE", "registrationNumber": "HRB-222", "differentCustomer": true });
    let refused = run(&t, &ada, "customerCreate", proven, "customer { id }").await;
    assert_eq!(refused.refusal("customerCreate"), "DUPLICATE");
    // Customers that each have their own domain are different, and so is one with a new name.
    let own = json!({ "name": "Zenith AG", "domain": "zenith.de", "country": "DE" });
    create(&t, &ada, own).await;
    create(
        &t,
        &ada,
        json!({ "name": "Birnbaum", "differentCustomer": true }),
    )
    .await;
    assert_eq!(
        events(&t, "customer.conflict_dismissed").await.len(),
        doubtful.len()
    );
}

async fn a_customer_changes_and_keeps_its_identity(t: TestApp) {
    let ada = t.admin().await;
    let acme = create(
        &t,
        &ada,
        json!({ "name": "Acme", "domain": "acme.com", "country": "US", "industry": "Health" }),
    )
    .await;
    let zenith = create(&t, &ada, json!({ "name": "Zenith", "country": "US" })).await;
    let selection = "customer { name domain country industry version parent { id } }";
    let update = async |input: Value| run(&t, &ada, "customerUpdate", input, selection).await;
    let changed = update(json!({ "customerId": zenith, "name": "Zenith Software", "industry": "Retail", "parentId": acme })).await;
    let expected = json!({
        "name": "Zenith Software", "domain": null, "country": "US", "industry": "Retail", "version": 2, "parent": { "id": acme },
    });
    assert_eq!(
        changed.done("customerUpdate").at("customerUpdate/customer"),
        &expected
    );
    let zenith_id = CustomerId::parse(&zenith).unwrap();
    let keys = customer_block_key::Entity::find()
        .filter(customer_block_key::Column::CustomerId.eq(zenith_id));
    let keys: Vec<_> = keys
        .all(t.app.db().reader())
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.block_key)
        .collect();
    assert!(keys.contains(&"w:sof zen".to_owned()), "{keys:?}");

    let before = traces(&t).await;
    let stale =
        update(json!({ "customerId": zenith, "industry": null, "expectedVersion": 1 })).await;
    assert_eq!(stale.refusal("customerUpdate"), "STALE_OBJECT");
    let taken = update(json!({ "customerId": zenith, "domain": "www.acme.com" })).await;
    assert_eq!(
        (
            taken.refusal("customerUpdate").as_str(),
            fields(&taken, "customerUpdate")
        ),
        ("DUPLICATE", vec!["domain".to_owned()])
    );
    let circle = update(json!({ "customerId": acme, "parentId": zenith })).await;
    assert_eq!(fields(&circle, "customerUpdate"), ["parentId"]);
    let nameless = update(json!({ "customerId": acme, "name": null, "employees": -1 })).await;
    assert_eq!(fields(&nameless, "customerUpdate"), ["name", "employees"]);
    assert_eq!(traces(&t).await, before);
    let cleared = update(
        json!({ "customerId": zenith, "industry": null, "parentId": null, "expectedVersion": 2 }),
    )
    .await;
    let expected = json!({
        "name": "Zenith Software", "domain": null, "country": "US", "industry": null, "version": 3, "parent": null,
    });
    assert_eq!(
        cleared.done("customerUpdate").at("customerUpdate/customer"),
        &expected
    );
}

async fn a_page_on_a_host_is_a_hint_and_no_domain(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let selection = "customer { id domain domainHint }";
    let made = async |name: &str, address: &str, different: bool| {
        let input = json!({ "name": name, "country": "DE", "domain": address, "differentCustomer": different });
        run(&t, &ada, "customerCreate", input, selection).await
    };
    let shown = |answer: &Answer, mutation: &str| {
        let customer = answer.done(mutation).at(&format!("{mutation}/customer"));
        (customer["domain"].clone(), customer["domainHint"].clone())
    };
    // Two sellers on an unlisted marketplace are two companies if a person says so.
    let elm = made("Elm Möbel", "https://markt-halle.de/anbieter/elm", false).await;
    assert_eq!(
        shown(&elm, "customerCreate"),
        (Value::Null, json!("markt-halle.de"))
    );
    let before = (traces(&t).await, customers(&t).await);
    for address in [
        "https://markt-halle.de/anbieter/oak",
        "oak.markt-halle.de",
        "https://www.markt-halle.de/?shop=oak",
        "info@oak.markt-halle.de",
        "markt-halle.de",
    ] {
        let refused = made("Oak Werkzeug", address, false).await;
        assert_eq!(refused.refusal("customerCreate"), "CONFLICT", "{address}");
        assert_eq!(fields(&refused, "customerCreate"), ["differentCustomer"]);
    }
    assert_eq!((traces(&t).await, customers(&t).await), before);
    let oak = made("Oak Werkzeug", "oak.markt-halle.de", true).await;
    assert_eq!(
        shown(&oak, "customerCreate"),
        (Value::Null, json!("markt-halle.de"))
    );
    // The marketplace itself, and a company with a domain of its own.
    let host = made(
        "Markthalle",
        "https://www.markt-halle.de/de/impressum",
        true,
    )
    .await;
    assert_eq!(
        shown(&host, "customerCreate"),
        (json!("markt-halle.de"), Value::Null)
    );
    let own = made("Birke Reisen", "https://shop.birke-reisen.de/", false).await;
    assert_eq!(
        shown(&own, "customerCreate"),
        (json!("birke-reisen.de"), Value::Null)
    );
    // A hint does not claim another customer's domain, and a domain replaces a hint.
    let update = async |customer: &Answer, address: &str| {
        let input =
            json!({ "customerId": customer.text("customerCreate/customer/id"), "domain": address });
        run(&t, &ada, "customerUpdate", input, selection).await
    };
    let page = update(&elm, "https://birke-reisen.de/partner/elm").await;
    assert_eq!(
        shown(&page, "customerUpdate"),
        (Value::Null, json!("birke-reisen.de"))
    );
    let taken = update(&elm, "www.birke-reisen.de").await;
    assert_eq!(taken.refusal("customerUpdate"), "DUPLICATE");
    assert_eq!(fields(&taken, "customerUpdate"), ["domain"]);
    let own = update(&elm, "https://elm-moebel.de").await;
    assert_eq!(
        shown(&own, "customerUpdate"),
        (json!("elm-moebel.de"), Value::Null)
    );
    // A page and a subdomain of the domain that is known take nothing from it.
    for address in ["https://elm-moebel.de/landing/1", "berlin.elm-moebel.de"] {
        let page = update(&elm, address).await;
        assert_eq!(
            shown(&page, "customerUpdate"),
            (json!("elm-moebel.de"), Value::Null),
            "{address}"
        );
    }
    let shared = update(&elm, "https://apps.apple.com/de/app/elm/id1").await;
    assert_eq!(shown(&shared, "customerUpdate"), (Value::Null, Value::Null));
    assert_eq!(
        found(
            &t,
            &ada,
            json!({ "domain": "https://birke-reisen.de/any/page" })
        )
        .await,
        ["Birke Reisen"]
    );
}

async fn a_registration_number_is_one_however_the_place_of_its_court_is_written(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let numbered = |name: &str, number: &str| json!({ "name": name, "country": "DE", "registrationNumber": number });
    create(&t, &ada, numbered("Acker GmbH", "HRB 4711 Köln")).await;
    create(&t, &ada, numbered("Birnbaum AG", "HRB 4711 Bonn")).await;
    let before = (traces(&t).await, customers(&t).await);
    for number in [
        "HRB 4711 koeln",
        "HRB 4711, Koeln",
        "hrb4711 KÖLN",
        "HRB 4711 Koln",
    ] {
        let input = numbered("Zeder Holding", number);
        let refused = run(&t, &ada, "customerCreate", input, "customer { id }").await;
        assert_eq!(refused.refusal("customerCreate"), "DUPLICATE", "{number}");
        assert_eq!(fields(&refused, "customerCreate"), ["registrationNumber"]);
    }
    assert_eq!((traces(&t).await, customers(&t).await), before);
}

pub const LIST: &str = "query($filter: CustomerFilter, $first: Int, $after: String) {
    customers(filter: $filter, first: $first, after: $after) { totalCount pageInfo { endCursor } nodes { name } } }";

pub async fn found(t: &TestApp, person: &Person, filter: Value) -> Vec<String> {
    let answer = t.ask(person, LIST, json!({ "filter": filter })).await;
    let nodes = answer.at("customers/nodes").as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn customers_are_found_by_what_is_known(t: TestApp) {
    let ada = t.vendor(Role::Auditor).await;
    let admin = t.admin().await;
    let acme = create(&t, &admin, json!({ "name": "Acme Corp.", "domain": "acme.com", "country": "US", "industry": "Health" })).await;
    create(
        &t,
        &admin,
        json!({ "name": "Société Générale S.A.", "country": "FR", "parentId": acme }),
    )
    .await;
    create(
        &t,
        &admin,
        json!({ "name": "Acme Dental", "country": "US" }),
    )
    .await;
    assert_eq!(
        found(&t, &ada, json!({})).await,
        ["Acme Corp.", "Acme Dental", "Société Générale S.A."]
    );
    assert_eq!(
        found(&t, &ada, json!({ "name": { "contains": "GENERALE" } })).await,
        ["Société Générale S.A."]
    );
    assert_eq!(
        found(&t, &ada, json!({ "name": { "startsWith": "ACME Inc." } })).await,
        ["Acme Corp.", "Acme Dental"]
    );
    assert_eq!(
        found(&t, &ada, json!({ "domain": "https://WWW.acme.com/x" })).await,
        ["Acme Corp."]
    );
    assert_eq!(
        found(&t, &ada, json!({ "domain": "jane@gmail.com" })).await,
        [""; 0]
    );
    assert_eq!(
        found(&t, &ada, json!({ "country": "US", "industry": "Health" })).await,
        ["Acme Corp."]
    );
    assert_eq!(
        found(&t, &ada, json!({ "parentId": acme })).await,
        ["Société Générale S.A."]
    );
    assert_eq!(found(&t, &ada, json!({ "parentId": "x" })).await, [""; 0]);
    assert_eq!(
        t.ask(&ada, LIST, json!({ "filter": { "domain": "co.uk" } }))
            .await
            .error(),
        "BAD_USER_INPUT"
    );
    let first = t.ask(&ada, LIST, json!({ "first": 2 })).await;
    assert_eq!(first.at("customers/totalCount"), 3);
    let second = t
        .ask(
            &ada,
            LIST,
            json!({ "first": 2, "after": first.text("customers/pageInfo/endCursor") }),
        )
        .await;
    assert_eq!(
        second.at("customers/nodes"),
        &json!([{ "name": "Société Générale S.A." }])
    );
    let children =
        "query($id: ID!) { customer(id: $id) { children { totalCount nodes { name } } } }";
    let children = t.ask(&ada, children, json!({ "id": acme })).await;
    assert_eq!(
        children.at("customer/children"),
        &json!({ "totalCount": 1, "nodes": [{ "name": "Société Générale S.A." }] })
    );
}
