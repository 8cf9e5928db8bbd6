//! The directory.

use ensemble::{entity::partner_attribute, identity::{Actor, Role}};
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait, Statement};
use serde_json::{Value, json};

use super::{active_partner, fields, partner, partner_id, run, traces};
use crate::{
    cases,
    support::{Answer, Person, TestApp},
};

cases!(
    the_directory_is_filtered_and_paged,
    a_partner_of_two_types_is_found_under_both,
    filters_combine_and_are_bounded,
    a_cursor_of_another_list_is_refused,
    all_faults_of_a_partner_are_told_at_once,
    an_external_id_is_given_once,
    what_is_absent_stays_and_null_clears,
    a_stale_change_is_refused,
    a_partner_sees_and_changes_itself_only,
    companies_form_no_circle_and_no_endless_tree,
    strangers_are_told_to_sign_in,
);

const LIST: &str = "query($filter: PartnerFilter, $order: [PartnerOrder!], $first: Int, $after: String, $last: Int, $before: String) {
    partners(filter: $filter, orderBy: $order, first: $first, after: $after, last: $last, before: $before) {
        totalCount pageInfo { hasNextPage hasPreviousPage endCursor startCursor } nodes { displayName types } } }";

async fn create(t: &TestApp, person: &Person, input: Value) -> String {
    let made = run(t, person, "partnerCreate", input, "partner { id status }").await;
    assert_eq!(made.done("partnerCreate").text("partnerCreate/partner/status"), "PROSPECT");
    made.text("partnerCreate/partner/id")
}

fn names(answer: &Answer) -> Vec<String> {
    let nodes = answer.at("partners/nodes").as_array().unwrap();
    nodes.iter().map(|node| node["displayName"].as_str().unwrap().to_owned()).collect()
}

/// Twenty-five partners over five types; those of odd number are system integrators too, every seventh is not in Germany.
async fn seed(t: &TestApp, person: &Person) -> Vec<String> {
    let mut expected = Vec::new();
    for number in 0..25 {
        let mut types = vec![["ISV", "SI", "MSP", "RESELLER", "AGENT"][number % 5]];
        if number % 2 == 1 && types[0] != "SI" {
            types.push("SI");
        }
        let countries = if number % 7 == 0 { json!(["AT"]) } else { json!(["DE", "FR"]) };
        let name = format!("{} {number:02}", if number % 3 == 0 { "alpha" } else { "BETA" });
        t.advance(chrono::TimeDelta::seconds(1));
        create(t, person, json!({ "legalName": name, "types": types, "countries": countries })).await;
        if types.contains(&"SI") && number % 7 != 0 {
            expected.push(name);
        }
    }
    expected.sort_by_key(|name| name.to_lowercase());
    expected
}

async fn the_directory_is_filtered_and_paged(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let expected = seed(&t, &ada).await;
    assert_eq!(expected.len(), 12);
    let filter = json!({ "type": "SI", "country": "DE" });
    let first = t.ask(&ada, LIST, json!({ "filter": filter, "first": 10 })).await;
    assert_eq!(names(&first), expected[..10]);
    assert_eq!(first.at("partners/pageInfo/hasNextPage"), true);
    let after = first.text("partners/pageInfo/endCursor");
    let second = t.ask(&ada, LIST, json!({ "filter": filter, "first": 10, "after": after })).await;
    assert_eq!(names(&second), expected[10..]);
    assert_eq!(second.at("partners/pageInfo/hasNextPage"), false);
    assert_eq!(second.at("partners/pageInfo/hasPreviousPage"), true);
    let before = second.text("partners/pageInfo/startCursor");
    let back = t.ask(&ada, LIST, json!({ "filter": filter, "last": 10, "before": before })).await;
    assert_eq!(names(&back), expected[..10]);

    let count = "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM partner p WHERE EXISTS (SELECT 1 FROM partner_attribute a WHERE \
        a.partner_id = p.id AND a.kind = 'TYPE' AND a.value = 'SI') AND EXISTS (SELECT 1 FROM partner_attribute a WHERE \
        a.partner_id = p.id AND a.kind = 'COUNTRY' AND a.value = 'DE')";
    let db = t.app.db();
    let row = db.reader().query_one_raw(Statement::from_string(db.backend(), count)).await.unwrap().unwrap();
    let counted = row.try_get::<i64>("", "n").unwrap();
    assert_eq!(first.at("partners/totalCount"), &json!(counted));
    assert_eq!(second.at("partners/totalCount"), &json!(12));

    let order = json!([{ "field": "CREATED_AT", "direction": "DESC" }]);
    let latest = t.ask(&ada, LIST, json!({ "order": order, "first": 2 })).await;
    assert_eq!(names(&latest), ["alpha 24", "BETA 23"]);
    assert_eq!(latest.at("partners/totalCount"), 25);
}

async fn a_partner_of_two_types_is_found_under_both(t: TestApp) {
    let ada = t.admin().await;
    create(&t, &ada, json!({ "legalName": "Northwind", "types": ["MSP", "SI"], "country": "DE" })).await;
    for (filter, found) in [
        (json!({ "type": "SI" }), 1),
        (json!({ "type": "MSP" }), 1),
        (json!({ "type": "ISV" }), 0),
        (json!({ "country": "DE" }), 1),
        (json!({ "country": "FR" }), 0),
    ] {
        let list = t.ask(&ada, LIST, json!({ "filter": filter })).await;
        assert_eq!(list.at("partners/totalCount"), found, "{filter}");
        if found == 1 {
            assert_eq!(list.at("partners/nodes/0/types"), &json!(["MSP", "SI"]));
        }
    }
}

async fn filters_combine_and_are_bounded(t: TestApp) {
    let ada = t.admin().await;
    let group = create(&t, &ada, json!({ "legalName": "Blue Fjord Group", "types": ["SI"], "industries": ["Health"] })).await;
    create(&t, &ada, json!({ "legalName": "Straße 50%", "types": ["MSP"], "competencies": ["Cloud"], "parentId": group })).await;
    active_partner(&t, &ada, "Éclair").await;
    let found = async |filter: Value| names(&t.ask(&ada, LIST, json!({ "filter": filter })).await);
    assert_eq!(found(json!({ "name": { "contains": "FJORD" } })).await, ["Blue Fjord Group"]);
    assert_eq!(found(json!({ "name": { "startsWith": "STRASSE" } })).await, ["Straße 50%"]);
    assert_eq!(found(json!({ "name": { "contains": "0%" } })).await, ["Straße 50%"]);
    assert_eq!(found(json!({ "name": { "contains": "f_o" } })).await, [""; 0]);
    assert_eq!(found(json!({ "name": { "startsWith": "éCL" } })).await, ["Éclair"]);
    assert_eq!(found(json!({ "industry": "Health" })).await, ["Blue Fjord Group"]);
    assert_eq!(found(json!({ "competency": "Cloud" })).await, ["Straße 50%"]);
    assert_eq!(found(json!({ "status": "ACTIVE" })).await, ["Éclair"]);
    assert_eq!(found(json!({ "parentId": group })).await, ["Straße 50%"]);
    assert_eq!(found(json!({ "parentId": "deal_x" })).await, [""; 0]);
    assert_eq!(found(json!({ "not": { "parentId": group } })).await, ["Blue Fjord Group", "Éclair"]);
    assert_eq!(found(json!({ "or": [{ "type": "MSP" }, { "status": "ACTIVE" }] })).await, ["Straße 50%", "Éclair"]);
    assert_eq!(found(json!({ "or": [] })).await, [""; 0]);
    assert_eq!(found(json!({ "and": [{ "type": "SI" }, { "not": { "status": "ACTIVE" } }] })).await, ["Blue Fjord Group"]);

    let three = json!({ "not": { "not": { "not": { "type": "SI" } } } });
    assert_eq!(found(three.clone()).await, ["Straße 50%"]);
    let too_deep = t.ask(&ada, LIST, json!({ "filter": { "not": three } })).await;
    assert_eq!(too_deep.error(), "BAD_USER_INPUT");
    let too_many = json!({ "or": vec![json!({ "type": "SI" }); 50] });
    assert_eq!(t.ask(&ada, LIST, json!({ "filter": too_many })).await.error(), "BAD_USER_INPUT");
    let two_orders = json!([{ "field": "NAME" }, { "field": "CREATED_AT" }]);
    assert_eq!(t.ask(&ada, LIST, json!({ "order": two_orders })).await.error(), "BAD_USER_INPUT");
}

async fn a_cursor_of_another_list_is_refused(t: TestApp) {
    let ada = t.admin().await;
    partner(&t, &ada, "Northwind").await;
    let by_time = json!([{ "field": "CREATED_AT" }]);
    let other = t.ask(&ada, LIST, json!({ "order": by_time })).await.text("partners/pageInfo/endCursor");
    for after in [other.as_str(), "x", "00", ""] {
        assert_eq!(t.ask(&ada, LIST, json!({ "after": after })).await.error(), "INVALID_CURSOR", "{after}");
    }
    assert_eq!(t.ask(&ada, LIST, json!({ "first": 101 })).await.error(), "BAD_USER_INPUT");
}

async fn all_faults_of_a_partner_are_told_at_once(t: TestApp) {
    let ada = t.admin().await;
    let before = traces(&t).await;
    let input = json!({
        "legalName": " ", "displayName": "x".repeat(201), "types": [], "website": "acme", "industries": ["Health", ""],
        "competencies": vec!["a"; 51],
    });
    let refused = run(&t, &ada, "partnerCreate", input, "partner { id }").await;
    let expected = ["legalName", "displayName", "website", "types", "industries.1", "competencies"];
    assert_eq!(fields(&refused, "partnerCreate"), expected);
    assert!(refused.refusals("partnerCreate").iter().all(|code| code == "BAD_USER_INPUT"));
    let orphan = json!({ "legalName": "Northwind", "types": ["SI"], "parentId": "partner_00000000000000000000000000" });
    let refused = run(&t, &ada, "partnerCreate", orphan, "partner { id }").await;
    assert_eq!((refused.refusal("partnerCreate").as_str(), fields(&refused, "partnerCreate")), ("NOT_FOUND", vec!["parentId".to_owned()]));
    let auditor = t.vendor(Role::Auditor).await;
    let refused = run(&t, &auditor, "partnerCreate", json!({ "legalName": "Northwind", "types": ["SI"] }), "partner { id }").await;
    assert_eq!(refused.refusal("partnerCreate"), "FORBIDDEN");
    assert_eq!(traces(&t).await, before);
}

async fn an_external_id_is_given_once(t: TestApp) {
    let ada = t.admin().await;
    create(&t, &ada, json!({ "legalName": "Northwind", "types": ["SI"], "externalId": "A-1" })).await;
    let other = partner(&t, &ada, "Fabrikam").await;
    let before = traces(&t).await;
    let again = json!({ "legalName": "Contoso", "types": ["SI"], "externalId": "A-1" });
    let refused = run(&t, &ada, "partnerCreate", again, "partner { id }").await;
    assert_eq!((refused.refusal("partnerCreate").as_str(), fields(&refused, "partnerCreate")), ("DUPLICATE", vec!["externalId".to_owned()]));
    let refused = run(&t, &ada, "partnerUpdate", json!({ "partnerId": other, "externalId": "A-1" }), "partner { id }").await;
    assert_eq!((refused.refusal("partnerUpdate").as_str(), fields(&refused, "partnerUpdate")), ("DUPLICATE", vec!["externalId".to_owned()]));
    assert_eq!(traces(&t).await, before);
}

const FACTS: &str = "partner { legalName displayName types size country countries region website industries competencies
    dpaValidUntil externalId version }";

async fn what_is_absent_stays_and_null_clears(t: TestApp) {
    let ada = t.admin().await;
    let all = json!({
        "legalName": "Northwind LLC", "displayName": "Northwind", "types": ["SI"], "size": "SMALL", "country": "DE",
        "countries": ["DE", "AT"], "region": "DACH", "website": "https://northwind.example", "industries": ["Health"],
        "competencies": ["Cloud", "Data"], "dpaValidUntil": "2027-01-31", "externalId": "A-1",
    });
    let id = create(&t, &ada, all).await;
    let changed = run(&t, &ada, "partnerUpdate", json!({ "partnerId": id, "region": "EMEA" }), FACTS).await;
    let mut expected = json!({
        "legalName": "Northwind LLC", "displayName": "Northwind", "types": ["SI"], "size": "SMALL", "country": "DE",
        "countries": ["AT", "DE"], "region": "EMEA", "website": "https://northwind.example", "industries": ["Health"],
        "competencies": ["Cloud", "Data"], "dpaValidUntil": "2027-01-31", "externalId": "A-1", "version": 2,
    });
    assert_eq!(changed.done("partnerUpdate").at("partnerUpdate/partner"), &expected);

    let clear = json!({
        "partnerId": id, "size": null, "country": null, "countries": null, "region": null, "website": null, "industries": null,
        "competencies": ["Data"], "dpaValidUntil": null, "externalId": null, "expectedVersion": 2,
    });
    let changed = run(&t, &ada, "partnerUpdate", clear, FACTS).await;
    for field in ["size", "country", "region", "website", "dpaValidUntil", "externalId"] {
        expected[field] = json!(null);
    }
    expected["countries"] = json!([]);
    expected["industries"] = json!([]);
    expected["competencies"] = json!(["Data"]);
    expected["version"] = json!(3);
    assert_eq!(changed.done("partnerUpdate").at("partnerUpdate/partner"), &expected);

    let before = traces(&t).await;
    let same = run(&t, &ada, "partnerUpdate", json!({ "partnerId": id, "competencies": ["Data"], "region": null }), FACTS).await;
    assert_eq!(same.done("partnerUpdate").at("partnerUpdate/partner"), &expected);
    let refused = run(&t, &ada, "partnerUpdate", json!({ "partnerId": id, "displayName": null, "types": null }), FACTS).await;
    assert_eq!(fields(&refused, "partnerUpdate"), ["displayName", "types"]);
    assert_eq!(traces(&t).await, before);
}

async fn a_stale_change_is_refused(t: TestApp) {
    let ada = t.admin().await;
    let id = partner(&t, &ada, "Northwind").await;
    let change = |region: &str| json!({ "partnerId": id, "region": region, "expectedVersion": 1 });
    run(&t, &ada, "partnerUpdate", change("DACH"), FACTS).await.done("partnerUpdate");
    let before = traces(&t).await;
    let refused = run(&t, &ada, "partnerUpdate", change("EMEA"), FACTS).await;
    assert_eq!(refused.refusal("partnerUpdate"), "STALE_OBJECT");
    assert_eq!(traces(&t).await, before);
}

async fn a_partner_sees_and_changes_itself_only(t: TestApp) {
    let ada = t.admin().await;
    let group = partner(&t, &ada, "Fjord Group").await;
    let own = create(&t, &ada, json!({ "legalName": "Blue Fjord", "types": ["SI"], "parentId": group })).await;
    create(&t, &ada, json!({ "legalName": "Little Fjord", "types": ["SI"], "parentId": own })).await;
    let nora = t.person(Role::PartnerAdministrator, Some(partner_id(&own))).await;
    let max = t.person(Role::PartnerMember, Some(partner_id(&own))).await;

    assert_eq!(names(&t.ask(&nora, LIST, json!({})).await), ["Blue Fjord"]);
    let one = "query($id: ID!) { partner(id: $id) { displayName parent { id } children { totalCount } allowedActions } }";
    let found = t.ask(&nora, one, json!({ "id": own })).await;
    let expected = json!({ "displayName": "Blue Fjord", "parent": null, "children": { "totalCount": 0 }, "allowedActions": [] });
    assert_eq!(found.at("partner"), &expected);
    let seen = t.ask(&ada, one, json!({ "id": own })).await;
    assert_eq!(seen.text("partner/parent/id"), group);
    assert_eq!(seen.at("partner/children/totalCount"), 1);
    let unknown = t.ask(&nora, one, json!({ "id": "partner_00000000000000000000000000" })).await;
    for id in [group.as_str(), "nonsense"] {
        assert_eq!(t.ask(&nora, one, json!({ "id": id })).await.json, unknown.json);
    }
    assert_eq!(unknown.error(), "NOT_FOUND");
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(t.ask(&nora, node, json!({ "id": group })).await.error(), "NOT_FOUND");
    assert_eq!(t.ask(&nora, node, json!({ "id": own })).await.text("node/id"), own);

    let attributes = partner_attribute::Entity::find().count(t.app.db().reader()).await.unwrap();
    let before = traces(&t).await;
    let update = async |person: &Person, input: Value| run(&t, person, "partnerUpdate", input, FACTS).await;
    let refused = update(&nora, json!({ "partnerId": group, "displayName": "Mine" })).await;
    assert_eq!(refused.refusal("partnerUpdate"), "NOT_FOUND");
    let refused = update(&nora, json!({ "partnerId": own, "legalName": "X", "types": ["MSP"], "displayName": "Y" })).await;
    assert_eq!(refused.refusals("partnerUpdate"), ["FORBIDDEN", "FORBIDDEN"]);
    assert_eq!(fields(&refused, "partnerUpdate"), ["legalName", "types"]);
    let refused = update(&max, json!({ "partnerId": own, "displayName": "Y" })).await;
    assert_eq!(refused.refusal("partnerUpdate"), "FORBIDDEN");
    assert_eq!(traces(&t).await, before);
    assert_eq!(partner_attribute::Entity::find().count(t.app.db().reader()).await.unwrap(), attributes);

    let input = json!({ "partnerId": own, "displayName": "Blue Fjord Systems", "industries": ["Health"] });
    let changed = update(&nora, input).await;
    assert_eq!(changed.done("partnerUpdate").text("partnerUpdate/partner/displayName"), "Blue Fjord Systems");
    assert_eq!(changed.at("partnerUpdate/partner/industries"), &json!(["Health"]));
}

async fn companies_form_no_circle_and_no_endless_tree(t: TestApp) {
    let ada = t.admin().await;
    let mut chain = vec![partner(&t, &ada, "Level 1").await];
    for level in 2..=8 {
        let parent = chain.last().unwrap();
        chain.push(create(&t, &ada, json!({ "legalName": format!("Level {level}"), "types": ["SI"], "parentId": parent })).await);
    }
    let before = traces(&t).await;
    let deeper = json!({ "legalName": "Level 9", "types": ["SI"], "parentId": chain[7] });
    let refused = run(&t, &ada, "partnerCreate", deeper, "partner { id }").await;
    assert_eq!((refused.refusal("partnerCreate").as_str(), fields(&refused, "partnerCreate")), ("BAD_USER_INPUT", vec!["parentId".to_owned()]));
    for (own, parent) in [(0, 7), (3, 3)] {
        let circle = json!({ "partnerId": chain[own], "parentId": chain[parent] });
        assert_eq!(run(&t, &ada, "partnerUpdate", circle, FACTS).await.refusal("partnerUpdate"), "BAD_USER_INPUT");
    }
    assert_eq!(traces(&t).await, before);
    let root = partner(&t, &ada, "Level 0").await;
    let below = json!({ "partnerId": chain[0], "parentId": root });
    assert_eq!(run(&t, &ada, "partnerUpdate", below, FACTS).await.refusal("partnerUpdate"), "BAD_USER_INPUT");
    let shorter = json!({ "partnerId": chain[1], "parentId": root });
    run(&t, &ada, "partnerUpdate", shorter, FACTS).await.done("partnerUpdate");

    let [a, b] = [partner(&t, &ada, "A").await, partner(&t, &ada, "B").await];
    let under = |own: &str, parent: &str| json!({ "partnerId": own, "parentId": parent });
    let (one, other) = tokio::join!(
        run(&t, &ada, "partnerUpdate", under(&a, &b), FACTS),
        run(&t, &ada, "partnerUpdate", under(&b, &a), FACTS)
    );
    let refusals = [one.refusals("partnerUpdate"), other.refusals("partnerUpdate")].concat();
    assert_eq!(refusals, ["BAD_USER_INPUT"]);
}

async fn strangers_are_told_to_sign_in(t: TestApp) {
    let ask = async |document: &str| t.ask_as(&Actor::Anonymous, document, json!({})).await.error();
    assert_eq!(ask("{ partners { totalCount } }").await, "UNAUTHENTICATED");
    assert_eq!(ask("{ partner(id: \"partner_x\") { id } }").await, "UNAUTHENTICATED");
    assert_eq!(ask("{ programs { totalCount } }").await, "UNAUTHENTICATED");
    assert_eq!(ask("{ customers { totalCount } }").await, "UNAUTHENTICATED");
    assert_eq!(ask("{ products { totalCount } }").await, "UNAUTHENTICATED");
    let create = "mutation { partnerCreate(input: { legalName: \"X\", types: [SI] }) { partner { id } } }";
    assert_eq!(ask(create).await, "UNAUTHENTICATED");
    let approve = "mutation { partnerApprove(input: { partnerId: \"partner_x\" }) { partner { id } } }";
    assert_eq!(ask(approve).await, "UNAUTHENTICATED");
    let customer = "mutation { customerCreate(input: { name: \"X\" }) { customer { id } } }";
    assert_eq!(ask(customer).await, "UNAUTHENTICATED");
    assert_eq!(traces(&t).await, [0, 0, 0, 0]);
}
