//! Customers: one record each, seen by those who work with them.

use std::collections::BTreeSet;

use ensemble::{
    customers::{
        MatchOutcome, MatchReason,
        resolve::{self, ClaimedCustomer, Resolved},
    },
    deals::{ParticipantRole, ParticipantStatus, SalesStatus},
    entity::{
        customer, customer_block_key, deal, deal_participant,
        ids::{CustomerId, DealId, DealParticipantId, PartnerId, ProgramId},
        program_version,
    },
    identity::Role,
    platform::{ids::TypedId, money::Currency},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use super::{fields, partner, partner_id, run, traces};
use crate::{
    cases,
    support::{Person, TestApp},
};

cases!(
    many_spellings_at_once_give_one_customer,
    a_customer_is_known_by_its_domain_or_its_name_and_country,
    what_looks_alike_is_shown_with_its_reasons,
    a_claim_that_names_nobody_is_refused,
    a_customer_is_recorded_once,
    a_customer_changes_and_keeps_its_identity,
    customers_are_found_by_what_is_known,
    a_partner_sees_the_customers_of_its_work,
    executives_see_no_customers,
);

/// The similarity of the standard programme.
const SIMILAR: i32 = 920_000;

fn named(name: &str, domain: Option<&str>, country: Option<&str>) -> ClaimedCustomer {
    ClaimedCustomer {
        name: name.to_owned(),
        domain: domain.map(str::to_owned),
        country: country.map(str::to_owned),
        ..ClaimedCustomer::default()
    }
}

async fn resolve(t: &TestApp, claimed: ClaimedCustomer) -> ensemble::error::Result<Resolved> {
    t.write(move |tx| {
        let claimed = claimed.clone();
        Box::pin(async move { resolve::find_or_create(tx, &claimed, SIMILAR, "customer").await })
    })
    .await
}

async fn id_of(t: &TestApp, claimed: ClaimedCustomer) -> CustomerId {
    resolve(t, claimed).await.unwrap().customer.id
}

async fn customers(t: &TestApp) -> u64 {
    customer::Entity::find().count(t.app.db().reader()).await.unwrap()
}

async fn many_spellings_at_once_give_one_customer(t: TestApp) {
    let by_domain = ["acme.com", "https://www.ACME.com/", "jane@acme.com", "HTTP://acme.com:8080/x", "shop.acme.com."];
    let by_name = ["Zenith Corp.", "ZENITH Corporation", "Zenith, Inc.", "zenith", "The Zenith Company"];
    let racers = (0..20).map(|number: usize| {
        let t = t.clone();
        let claim = if number % 2 == 0 {
            named("Acme", Some(by_domain[number / 2 % 5]), Some("US"))
        } else {
            named(by_name[number / 2 % 5], None, Some("US"))
        };
        tokio::spawn(async move { (number % 2, id_of(&t, claim).await) })
    });
    let mut found = BTreeSet::new();
    for racer in racers.collect::<Vec<_>>() {
        found.insert(racer.await.unwrap());
    }
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(customers(&t).await, 2);
    assert_eq!(traces(&t).await, [0, 0, 2, 2]);
}

async fn a_customer_is_known_by_its_domain_or_its_name_and_country(t: TestApp) {
    let acme = id_of(&t, named("Acme", Some("acme.com"), Some("US"))).await;
    assert_eq!(id_of(&t, named("Somebody else", Some("www.acme.com"), None)).await, acme);
    let at_gmail = id_of(&t, named("Acme", Some("acme@gmail.com"), Some("US"))).await;
    assert_ne!(at_gmail, acme);
    assert_eq!(id_of(&t, named("ACME Inc", None, Some("US"))).await, at_gmail);
    let abroad = id_of(&t, named("Acme", None, Some("DE"))).await;
    let nowhere = id_of(&t, named("Acme", None, None)).await;
    assert_eq!(BTreeSet::from([acme, at_gmail, abroad, nowhere]).len(), 4);
    assert_eq!(id_of(&t, named("acme corp", None, None)).await, nowhere);
    assert_eq!(customers(&t).await, 4);
}

async fn what_looks_alike_is_shown_with_its_reasons(t: TestApp) {
    let acme = id_of(&t, named("Acme Corp.", Some("acme.com"), Some("US"))).await;
    let dental = id_of(&t, named("Acme Dental", Some("acmedental.com"), Some("US"))).await;
    let phone = ClaimedCustomer { phone: Some("+1 (555) 010-2030".to_owned()), ..named("Zenith", None, Some("US")) };
    let zenith = id_of(&t, phone).await;
    let number = ClaimedCustomer { registration_number: Some("hrb 123-45".to_owned()), ..named("Globex", None, Some("US")) };
    let globex = id_of(&t, number).await;

    let claim = ClaimedCustomer {
        phone: Some("001 555 010 2030".to_owned()),
        registration_number: Some("HRB 12345".to_owned()),
        ..named("ACME Corporation", Some("acme.org"), Some("US"))
    };
    let resolved = resolve(&t, claim).await.unwrap();
    let alike: Vec<_> = resolved.lookalikes.iter().map(|(other, outcome, reasons)| (other.id, *outcome, reasons.0.clone())).collect();
    let possible = MatchOutcome::PossibleConflict;
    let expected = [
        (acme, possible, vec![MatchReason::SameName]),
        (globex, possible, vec![MatchReason::SameRegistrationNumber]),
        (zenith, possible, vec![MatchReason::SamePhone]),
    ];
    assert_eq!(alike, expected);
    assert!(![acme, dental, zenith, globex].contains(&resolved.customer.id));
    let misspelt = resolve(&t, named("Acme Dentel", None, Some("US"))).await.unwrap();
    let alike: Vec<_> = misspelt.lookalikes.iter().map(|(other, _, reasons)| (other.id, reasons.0.clone())).collect();
    assert_eq!(alike, [(dental, vec![MatchReason::SimilarName])]);
    assert!(resolve(&t, named("Acme Rental", None, Some("US"))).await.unwrap().lookalikes.is_empty());
}

async fn a_claim_that_names_nobody_is_refused(t: TestApp) {
    let claim = ClaimedCustomer { phone: Some("x".repeat(81)), ..named("!!", Some("co.uk"), Some("usa")) };
    let Err(ensemble::error::Error::Refused(refusals)) = resolve(&t, claim).await else { panic!("it was taken") };
    let paths: Vec<_> = refusals.iter().map(|refusal| refusal.field.join(".")).collect();
    assert_eq!(paths, ["customer.name", "customer.domain", "customer.country", "customer.phone"]);
    assert_eq!(customers(&t).await, 0);
    assert_eq!(traces(&t).await, [0, 0, 0, 0]);
}

async fn create(t: &TestApp, person: &Person, input: Value) -> String {
    let made = run(t, person, "customerCreate", input, "customer { id }").await;
    made.done("customerCreate").text("customerCreate/customer/id")
}

async fn a_customer_is_recorded_once(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let parent = create(&t, &ada, json!({ "name": "Acme Holding", "domain": "holding.example" })).await;
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
    assert_eq!(made.done("customerCreate").at("customerCreate/customer"), &expected);
    create(&t, &ada, json!({ "name": "Zenith" })).await;

    let before = (traces(&t).await, customers(&t).await);
    for (input, path) in [
        (json!({ "name": "Other", "domain": "shop.acme.com" }), "domain"),
        (json!({ "name": "ZENITH Inc." }), "name"),
        (json!({ "name": "Other", "externalId": "C-1" }), "externalId"),
    ] {
        let refused = run(&t, &ada, "customerCreate", input, "customer { id }").await;
        assert_eq!((refused.refusal("customerCreate").as_str(), fields(&refused, "customerCreate")), ("DUPLICATE", vec![path.to_owned()]));
    }
    let finance = t.vendor(Role::Finance).await;
    let refused = run(&t, &finance, "customerCreate", json!({ "name": "Other" }), "customer { id }").await;
    assert_eq!(refused.refusal("customerCreate"), "FORBIDDEN");
    assert_eq!((traces(&t).await, customers(&t).await), before);
}

async fn a_customer_changes_and_keeps_its_identity(t: TestApp) {
    let ada = t.admin().await;
    let acme = create(&t, &ada, json!({ "name": "Acme", "domain": "acme.com", "country": "US", "industry": "Health" })).await;
    let zenith = create(&t, &ada, json!({ "name": "Zenith", "country": "US" })).await;
    let selection = "customer { name domain country industry version parent { id } }";
    let update = async |input: Value| run(&t, &ada, "customerUpdate", input, selection).await;
    let changed = update(json!({ "customerId": zenith, "name": "Zenith Software", "industry": "Retail", "parentId": acme })).await;
    let expected = json!({
        "name": "Zenith Software", "domain": null, "country": "US", "industry": "Retail", "version": 2, "parent": { "id": acme },
    });
    assert_eq!(changed.done("customerUpdate").at("customerUpdate/customer"), &expected);
    let zenith_id = CustomerId::parse(&zenith).unwrap();
    assert_eq!(id_of(&t, named("zenith SOFTWARE Ltd", None, Some("US"))).await, zenith_id);
    let keys = customer_block_key::Entity::find().filter(customer_block_key::Column::CustomerId.eq(zenith_id));
    let keys: Vec<_> = keys.all(t.app.db().reader()).await.unwrap().into_iter().map(|row| row.block_key).collect();
    assert!(keys.contains(&"w:sof zen".to_owned()), "{keys:?}");

    let before = traces(&t).await;
    let stale = update(json!({ "customerId": zenith, "industry": null, "expectedVersion": 1 })).await;
    assert_eq!(stale.refusal("customerUpdate"), "STALE_OBJECT");
    let taken = update(json!({ "customerId": zenith, "domain": "www.acme.com" })).await;
    assert_eq!((taken.refusal("customerUpdate").as_str(), fields(&taken, "customerUpdate")), ("DUPLICATE", vec!["domain".to_owned()]));
    let circle = update(json!({ "customerId": acme, "parentId": zenith })).await;
    assert_eq!(fields(&circle, "customerUpdate"), ["parentId"]);
    let nameless = update(json!({ "customerId": acme, "name": null, "employees": -1 })).await;
    assert_eq!(fields(&nameless, "customerUpdate"), ["name", "employees"]);
    assert_eq!(traces(&t).await, before);
    let cleared = update(json!({ "customerId": zenith, "industry": null, "parentId": null, "expectedVersion": 2 })).await;
    let expected = json!({
        "name": "Zenith Software", "domain": null, "country": "US", "industry": null, "version": 3, "parent": null,
    });
    assert_eq!(cleared.done("customerUpdate").at("customerUpdate/customer"), &expected);
}

const LIST: &str = "query($filter: CustomerFilter, $first: Int, $after: String) {
    customers(filter: $filter, first: $first, after: $after) { totalCount pageInfo { endCursor } nodes { name } } }";

async fn found(t: &TestApp, person: &Person, filter: Value) -> Vec<String> {
    let answer = t.ask(person, LIST, json!({ "filter": filter })).await;
    let nodes = answer.at("customers/nodes").as_array().unwrap();
    nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect()
}

async fn customers_are_found_by_what_is_known(t: TestApp) {
    let ada = t.vendor(Role::Auditor).await;
    let admin = t.admin().await;
    let acme = create(&t, &admin, json!({ "name": "Acme Corp.", "domain": "acme.com", "country": "US", "industry": "Health" })).await;
    create(&t, &admin, json!({ "name": "Société Générale S.A.", "country": "FR", "parentId": acme })).await;
    create(&t, &admin, json!({ "name": "Acme Dental", "country": "US" })).await;
    assert_eq!(found(&t, &ada, json!({})).await, ["Acme Corp.", "Acme Dental", "Société Générale S.A."]);
    assert_eq!(found(&t, &ada, json!({ "name": { "contains": "GENERALE" } })).await, ["Société Générale S.A."]);
    assert_eq!(found(&t, &ada, json!({ "name": { "startsWith": "ACME Inc." } })).await, ["Acme Corp.", "Acme Dental"]);
    assert_eq!(found(&t, &ada, json!({ "domain": "https://WWW.acme.com/x" })).await, ["Acme Corp."]);
    assert_eq!(found(&t, &ada, json!({ "domain": "jane@gmail.com" })).await, [""; 0]);
    assert_eq!(found(&t, &ada, json!({ "country": "US", "industry": "Health" })).await, ["Acme Corp."]);
    assert_eq!(found(&t, &ada, json!({ "parentId": acme })).await, ["Société Générale S.A."]);
    assert_eq!(found(&t, &ada, json!({ "parentId": "x" })).await, [""; 0]);
    assert_eq!(t.ask(&ada, LIST, json!({ "filter": { "domain": "co.uk" } })).await.error(), "BAD_USER_INPUT");
    let first = t.ask(&ada, LIST, json!({ "first": 2 })).await;
    assert_eq!(first.at("customers/totalCount"), 3);
    let second = t.ask(&ada, LIST, json!({ "first": 2, "after": first.text("customers/pageInfo/endCursor") })).await;
    assert_eq!(second.at("customers/nodes"), &json!([{ "name": "Société Générale S.A." }]));
    let children = "query($id: ID!) { customer(id: $id) { children { totalCount nodes { name } } } }";
    let children = t.ask(&ada, children, json!({ "id": acme })).await;
    assert_eq!(children.at("customer/children"), &json!({ "totalCount": 1, "nodes": [{ "name": "Société Générale S.A." }] }));
}

/// A deal with a customer, owned by a partner, and a participant.
async fn deal(t: &TestApp, customer: &str, owner: Option<PartnerId>, participant: Option<(PartnerId, ParticipantStatus)>) {
    let version = program_version::Entity::find().one(t.app.db().reader()).await.unwrap().unwrap();
    let customer = CustomerId::parse(customer).unwrap();
    t.write(move |tx| {
        let version = version.clone();
        Box::pin(async move {
            let id: DealId = tx.id();
            let program: ProgramId = version.program_id;
            tx.insert(deal::ActiveModel {
                id: Set(id),
                number: Set(id.text()),
                name: Set("A deal".to_owned()),
                program_id: Set(program),
                program_version_id: Set(version.id),
                customer_id: Set(Some(customer)),
                partner_id: Set(owner),
                value_minor: Set(100),
                currency: Set(Currency::USD),
                stage: Set("PROSPECT".to_owned()),
                status: Set(SalesStatus::Open),
                time_zone: Set("UTC".to_owned()),
                opened_at: Set(tx.now()),
                refunded_minor: Set(0),
                version: Set(1),
                created_at: Set(tx.now()),
                updated_at: Set(tx.now()),
                ..Default::default()
            })
            .await?;
            let Some((partner, status)) = participant else { return Ok(()) };
            tx.insert(deal_participant::ActiveModel {
                id: Set(tx.id::<DealParticipantId>()),
                deal_id: Set(id),
                partner_id: Set(partner),
                role: Set(ParticipantRole::Influencer),
                status: Set(status),
                invited_at: Set(tx.now()),
                version: Set(1),
                created_at: Set(tx.now()),
                updated_at: Set(tx.now()),
                ..Default::default()
            })
            .await
        })
    })
    .await
    .unwrap();
}

async fn a_partner_sees_the_customers_of_its_work(t: TestApp) {
    let ada = t.admin().await;
    run(&t, &ada, "programCreate", json!({ "name": "Programme" }), "program { id }").await.done("programCreate");
    let own = partner_id(&partner(&t, &ada, "Northwind").await);
    let other = partner_id(&partner(&t, &ada, "Fabrikam").await);
    let mut ids = Vec::new();
    for name in ["Owned", "Invited", "Joined", "Declined", "Foreign", "Idle"] {
        ids.push(create(&t, &ada, json!({ "name": name })).await);
    }
    deal(&t, &ids[0], Some(own), None).await;
    deal(&t, &ids[1], Some(other), Some((own, ParticipantStatus::Invited))).await;
    deal(&t, &ids[2], None, Some((own, ParticipantStatus::Accepted))).await;
    deal(&t, &ids[3], None, Some((own, ParticipantStatus::Declined))).await;
    deal(&t, &ids[4], Some(other), Some((other, ParticipantStatus::Accepted))).await;
    run(&t, &ada, "customerUpdate", json!({ "customerId": ids[0], "parentId": ids[4] }), "customer { id }").await.done("customerUpdate");

    let nora = t.person(Role::PartnerMember, Some(own)).await;
    assert_eq!(found(&t, &nora, json!({})).await, ["Invited", "Joined", "Owned"]);
    let one = "query($id: ID!) { customer(id: $id) { name parent { id } } }";
    assert_eq!(t.ask(&nora, one, json!({ "id": ids[0] })).await.at("customer"), &json!({ "name": "Owned", "parent": null }));
    let unknown = t.ask(&nora, one, json!({ "id": "customer_00000000000000000000000000" })).await;
    assert_eq!(unknown.error(), "NOT_FOUND");
    for hidden in &ids[3..] {
        assert_eq!(t.ask(&nora, one, json!({ "id": hidden })).await.json, unknown.json);
        assert_eq!(t.ask(&nora, "query($id: ID!) { node(id: $id) { id } }", json!({ "id": hidden })).await.error(), "NOT_FOUND");
    }
    let update = async |id: &str| run(&t, &nora, "customerUpdate", json!({ "customerId": id, "name": "Mine" }), "customer { id }").await;
    let before = traces(&t).await;
    assert_eq!(update(&ids[0]).await.refusal("customerUpdate"), "FORBIDDEN");
    assert_eq!(update(&ids[4]).await.refusal("customerUpdate"), "NOT_FOUND");
    assert_eq!(traces(&t).await, before);
}

async fn executives_see_no_customers(t: TestApp) {
    let ada = t.admin().await;
    let id = create(&t, &ada, json!({ "name": "Acme" })).await;
    let eve = t.vendor(Role::Executive).await;
    assert_eq!(t.ask(&eve, LIST, json!({})).await.error(), "FORBIDDEN");
    assert_eq!(t.ask(&eve, "query($id: ID!) { customer(id: $id) { id } }", json!({ "id": id })).await.error(), "FORBIDDEN");
    assert_eq!(t.ask(&eve, "query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await.error(), "NOT_FOUND");
}
