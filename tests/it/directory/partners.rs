//! The directory.

use ensemble::{access::Actor, entity::user::Role};

use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use super::{active_partner, enter, partner, partner_id, traces};
use crate::{
    cases,
    support::{Answer, Person, TestApp},
};

cases!(
    the_directory_is_filtered_and_paged,
    a_partner_of_two_types_is_found_under_both,
    filters_combine_and_are_bounded,
    a_cursor_of_another_list_is_refused,
    a_partner_sees_itself_only,
    strangers_are_told_to_sign_in,
);

const LIST: &str = "query($filter: PartnerFilter, $order: [PartnerOrder!], $first: Int, $after: String, $last: Int, $before: String) {
    partners(filter: $filter, orderBy: $order, first: $first, after: $after, last: $last, before: $before) {
        totalCount pageInfo { hasNextPage hasPreviousPage endCursor startCursor } nodes { displayName types } } }";

fn names(answer: &Answer) -> Vec<String> {
    let nodes = answer.at("partners/nodes").as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["displayName"].as_str().unwrap().to_owned())
        .collect()
}

/// Twenty-five partners over five types; those of odd number are system integrators too, every seventh is not in Germany.
async fn seed(t: &TestApp, person: &Person) -> Vec<String> {
    let mut expected = Vec::new();
    for number in 0..25 {
        let mut types = vec![["ISV", "SI", "MSP", "RESELLER", "AGENT"][number % 5]];
        if number % 2 == 1 && types[0] != "SI" {
            types.push("SI");
        }
        let countries = if number % 7 == 0 {
            json!(["AT"])
        } else {
            json!(["DE", "FR"])
        };
        let name = format!(
            "{} {number:02}",
            if number % 3 == 0 { "alpha" } else { "BETA" }
        );
        t.advance(chrono::TimeDelta::seconds(1));
        enter(
            t,
            person,
            json!({ "legalName": name, "types": types, "countries": countries }),
        )
        .await;
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
    let first = t
        .ask(&ada, LIST, json!({ "filter": filter, "first": 10 }))
        .await;
    assert_eq!(names(&first), expected[..10]);
    assert_eq!(first.at("partners/pageInfo/hasNextPage"), true);
    let after = first.text("partners/pageInfo/endCursor");
    let second = t
        .ask(
            &ada,
            LIST,
            json!({ "filter": filter, "first": 10, "after": after }),
        )
        .await;
    assert_eq!(names(&second), expected[10..]);
    assert_eq!(second.at("partners/pageInfo/hasNextPage"), false);
    assert_eq!(second.at("partners/pageInfo/hasPreviousPage"), true);
    let before = second.text("partners/pageInfo/startCursor");
    let back = t
        .ask(
            &ada,
            LIST,
            json!({ "filter": filter, "last": 10, "before": before }),
        )
        .await;
    assert_eq!(names(&back), expected[..10]);

    let count = "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM partner p WHERE EXISTS (SELECT 1 FROM partner_attribute a WHERE \
        a.partner_id = p.id AND a.kind = 'TYPE' AND a.value = 'SI') AND EXISTS (SELECT 1 FROM partner_attribute a WHERE \
        a.partner_id = p.id AND a.kind = 'COUNTRY' AND a.value = 'DE')";
    let db = t.app.db();
    let row = db
        .reader()
        .query_one_raw(Statement::from_string(db.backend(), count))
        .await
        .unwrap()
        .unwrap();
    let counted = row.try_get::<i64>("", "n").unwrap();
    assert_eq!(first.at("partners/totalCount"), &json!(counted));
    assert_eq!(second.at("partners/totalCount"), &json!(12));

    let order = json!([{ "field": "CREATED_AT", "direction": "DESC" }]);
    let latest = t
        .ask(&ada, LIST, json!({ "order": order, "first": 2 }))
        .await;
    assert_eq!(names(&latest), ["alpha 24", "BETA 23"]);
    assert_eq!(latest.at("partners/totalCount"), 25);
}

async fn a_partner_of_two_types_is_found_under_both(t: TestApp) {
    let ada = t.admin().await;
    enter(
        &t,
        &ada,
        json!({ "legalName": "Northwind", "types": ["MSP", "SI"], "country": "DE" }),
    )
    .await;
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
    let group = enter(
        &t,
        &ada,
        json!({ "legalName": "Blue Fjord Group", "types": ["SI"], "industries": ["Health"] }),
    )
    .await;
    enter(&t, &ada, json!({ "legalName": "Straße 50%", "types": ["MSP"], "competencies": ["Cloud"], "parentId": group })).await;
    active_partner(&t, &ada, "Éclair").await;
    let found = async |filter: Value| names(&t.ask(&ada, LIST, json!({ "filter": filter })).await);
    assert_eq!(
        found(json!({ "name": { "contains": "FJORD" } })).await,
        ["Blue Fjord Group"]
    );
    assert_eq!(
        found(json!({ "name": { "startsWith": "STRASSE" } })).await,
        ["Straße 50%"]
    );
    assert_eq!(
        found(json!({ "name": { "contains": "0%" } })).await,
        ["Straße 50%"]
    );
    assert_eq!(
        found(json!({ "name": { "contains": "f_o" } })).await,
        [""; 0]
    );
    assert_eq!(
        found(json!({ "name": { "startsWith": "éCL" } })).await,
        ["Éclair"]
    );
    assert_eq!(
        found(json!({ "industry": "Health" })).await,
        ["Blue Fjord Group"]
    );
    assert_eq!(
        found(json!({ "competency": "Cloud" })).await,
        ["Straße 50%"]
    );
    assert_eq!(found(json!({ "status": "ACTIVE" })).await, ["Éclair"]);
    assert_eq!(found(json!({ "parentId": group })).await, ["Straße 50%"]);
    assert_eq!(found(json!({ "parentId": "deal_x" })).await, [""; 0]);
    assert_eq!(
        found(json!({ "not": { "parentId": group } })).await,
        ["Blue Fjord Group", "Éclair"]
    );
    assert_eq!(
        found(json!({ "or": [{ "type": "MSP" }, { "status": "ACTIVE" }] })).await,
        ["Straße 50%", "Éclair"]
    );
    assert_eq!(found(json!({ "or": [] })).await, [""; 0]);
    assert_eq!(
        found(json!({ "and": [{ "type": "SI" }, { "not": { "status": "ACTIVE" } }] })).await,
        ["Blue Fjord Group"]
    );

    let three = json!({ "not": { "not": { "not": { "type": "SI" } } } });
    assert_eq!(found(three.clone()).await, ["Straße 50%"]);
    let too_deep = t
        .ask(&ada, LIST, json!({ "filter": { "not": three } }))
        .await;
    assert_eq!(too_deep.error(), "BAD_USER_INPUT");
    let too_many = json!({ "or": vec![json!({ "type": "SI" }); 50] });
    assert_eq!(
        t.ask(&ada, LIST, json!({ "filter": too_many }))
            .await
            .error(),
        "BAD_USER_INPUT"
    );
    let two_orders = json!([{ "field": "NAME" }, { "field": "CREATED_AT" }]);
    assert_eq!(
        t.ask(&ada, LIST, json!({ "order": two_orders }))
            .await
            .error(),
        "BAD_USER_INPUT"
    );
}

async fn a_cursor_of_another_list_is_refused(t: TestApp) {
    let ada = t.admin().await;
    partner(&t, &ada, "Northwind").await;
    let by_time = json!([{ "field": "CREATED_AT" }]);
    let other = t
        .ask(&ada, LIST, json!({ "order": by_time }))
        .await
        .text("partners/pageInfo/endCursor");
    for after in [other.as_str(), "x", "00", ""] {
        assert_eq!(
            t.ask(&ada, LIST, json!({ "after": after })).await.error(),
            "INVALID_CURSOR",
            "{after}"
        );
    }
    assert_eq!(
        t.ask(&ada, LIST, json!({ "first": 101 })).await.error(),
        "BAD_USER_INPUT"
    );
}

async fn a_partner_sees_itself_only(t: TestApp) {
    let ada = t.admin().await;
    let group = partner(&t, &ada, "Fjord Group").await;
    let own = enter(
        &t,
        &ada,
        json!({ "legalName": "Blue Fjord", "types": ["SI"], "parentId": group }),
    )
    .await;
    enter(
        &t,
        &ada,
        json!({ "legalName": "Little Fjord", "types": ["SI"], "parentId": own }),
    )
    .await;
    let nora = t
        .person(Role::PartnerAdministrator, Some(partner_id(&own)))
        .await;

    assert_eq!(names(&t.ask(&nora, LIST, json!({})).await), ["Blue Fjord"]);
    let one = "query($id: ID!) { partner(id: $id) { displayName parent { id } children { totalCount } allowedActions } }";
    let found = t.ask(&nora, one, json!({ "id": own })).await;
    let expected = json!({ "displayName": "Blue Fjord", "parent": null, "children": { "totalCount": 0 }, "allowedActions": [] });
    assert_eq!(found.at("partner"), &expected);
    let seen = t.ask(&ada, one, json!({ "id": own })).await;
    assert_eq!(seen.text("partner/parent/id"), group);
    assert_eq!(seen.at("partner/children/totalCount"), 1);
    let unknown = t
        .ask(
            &nora,
            one,
            json!({ "id": "partner_00000000000000000000000000" }),
        )
        .await;
    for id in [group.as_str(), "nonsense"] {
        assert_eq!(
            t.ask(&nora, one, json!({ "id": id })).await.json,
            unknown.json
        );
    }
    assert_eq!(unknown.error(), "NOT_FOUND");
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(
        t.ask(&nora, node, json!({ "id": group })).await.error(),
        "NOT_FOUND"
    );
    assert_eq!(
        t.ask(&nora, node, json!({ "id": own }))
            .await
            .text("node/id"),
        own
    );
}

async fn strangers_are_told_to_sign_in(t: TestApp) {
    let ask = async |document: &str| {
        t.ask_as(&Actor::Anonymous, document, json!({}))
            .await
            .error()
    };
    assert_eq!(ask("{ partners { totalCount } }").await, "UNAUTHENTICATED");
    assert_eq!(
        ask("{ partner(id: \"partner_x\") { id } }").await,
        "UNAUTHENTICATED"
    );
    assert_eq!(ask("{ programs { totalCount } }").await, "UNAUTHENTICATED");
    assert_eq!(ask("{ customers { totalCount } }").await, "UNAUTHENTICATED");
    assert_eq!(ask("{ products { totalCount } }").await, "UNAUTHENTICATED");
    let create =
        "mutation { partnerCreate(input: { legalName: \"X\", types: [SI] }) { partner { id } } }";
    assert_eq!(ask(create).await, "UNAUTHENTICATED");
    let approve =
        "mutation { partnerApprove(input: { partnerId: \"partner_x\" }) { partner { id } } }";
    assert_eq!(ask(approve).await, "UNAUTHENTICATED");
    let customer = "mutation { customerCreate(input: { name: \"X\" }) { customer { id } } }";
    assert_eq!(ask(customer).await, "UNAUTHENTICATED");
    assert_eq!(traces(&t).await, [0, 0, 0, 0]);
}
