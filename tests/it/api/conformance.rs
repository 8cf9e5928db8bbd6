//! What the GraphQL specification demands and clients rely on, whatever the version of the library.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use super::{Door, demo, partners, token};
use crate::{cases, support::TestApp};

cases!(
    an_error_below_a_non_null_field_nulls_the_nearest_nullable_parent,
    an_error_that_nulls_a_list_keeps_the_path_of_its_field,
    a_request_that_ends_early_keeps_no_connection,
    an_error_at_a_nullable_field_nulls_it_alone,
    response_keys_come_in_the_order_of_the_document,
    in_a_patch_absent_keeps_null_clears_and_a_default_sets,
    a_value_that_does_not_fit_stops_every_mutation_of_its_request,
    a_variable_stands_only_where_its_type_fits,
    mutations_run_one_after_the_other_and_each_key_once,
    the_operation_is_chosen_by_its_name,
    numbers_beyond_their_type_are_refused,
    each_fault_is_one_error_with_path_and_code,
    skip_and_include_decide_what_is_asked,
    fragments_on_interfaces_select_by_type,
    every_request_that_was_read_tells_its_cost,
);

async fn an_error_below_a_non_null_field_nulls_the_nearest_nullable_parent(t: TestApp) {
    let (door, ada) = demo(&t).await;
    let ids = "{ deals(first: 1) { nodes { id } } partners(first: 1) { nodes { id } } }";
    let ids = door.ask(&ada, ids, json!({})).await;
    let deal = ids.data()["deals"]["nodes"][0]["id"].clone();
    let partner = ids.data()["partners"]["nodes"][0]["id"].clone();

    // The page is too long: the connection fails and may not be null.
    let one = "query($id: ID!) { viewer { role } partner(id: $id) { id children(first: 101) { totalCount } } }";
    let answer = door.ask(&ada, one, json!({ "id": partner })).await;
    assert_eq!(
        answer.json["data"],
        json!({ "viewer": { "role": "ADMINISTRATOR" }, "partner": null })
    );
    assert_eq!(
        answer.json["errors"][0]["path"],
        json!(["partner", "children"])
    );
    assert_eq!(answer.codes(), ["BAD_USER_INPUT"]);

    let many = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Partner { children(first: 101) { totalCount } } } }";
    let answer = door
        .ask(&ada, many, json!({ "ids": [partner, deal] }))
        .await;
    assert_eq!(
        answer.json["data"],
        json!({ "nodes": [null, { "id": deal }] })
    );
    assert_eq!(
        answer.json["errors"][0]["path"],
        json!(["nodes", 0, "children"])
    );

    let root =
        "{ viewer { role } partners(first: 1) { nodes { children(first: 101) { totalCount } } } }";
    let answer = door.ask(&ada, root, json!({})).await;
    assert_eq!(answer.json["data"], Value::Null);
    assert!(answer.text.contains("\"data\":null"), "{}", answer.text);
}

/// The library itself would end the path of such an error at the list, or at the object around it.
async fn an_error_that_nulls_a_list_keeps_the_path_of_its_field(t: TestApp) {
    let (door, ada) = demo(&t).await;
    let far = "children(first: 101) { totalCount }";
    let place = |path: &str| -> Vec<Value> {
        let segment = |name: &str| {
            name.parse()
                .map_or_else(|_| json!(name), |at: u32| json!(at))
        };
        path.split(' ').map(segment).collect()
    };
    for (document, path) in [
        (
            format!("{{ partners(first: 2) {{ nodes {{ {far} }} }} }}"),
            "partners nodes 0 children",
        ),
        (
            format!("{{ partners(first: 1) {{ edges {{ cursor node {{ id {far} }} }} }} }}"),
            "partners edges 0 node children",
        ),
        (
            format!(
                "{{ p: partners(first: 1) {{ e: edges {{ n: node {{ ...more }} }} }} }} fragment more on Partner {{ c: {far} }}"
            ),
            "p e 0 n c",
        ),
        (
            format!(
                "{{ payoutRuns(first: 1) {{ nodes {{ payouts(first: 1) {{ nodes {{ partner {{ {far} }} }} }} }} }} }}"
            ),
            "payoutRuns nodes 0 payouts nodes 0 partner children",
        ),
    ] {
        let answer = door.ask(&ada, &document, json!({})).await;
        assert_eq!(answer.json["data"], Value::Null, "{document}");
        let told = &answer.json["errors"];
        assert_eq!(told[0]["path"], json!(place(path)), "{document}");
        assert_eq!(
            (told.as_array().unwrap().len(), answer.codes()),
            (1, vec!["BAD_USER_INPUT"])
        );
        let column = document.find(far).unwrap() + 1;
        let column = if document.contains("c: ") {
            column - 3
        } else {
            column
        };
        assert_eq!(
            told[0]["locations"],
            json!([{ "line": 1, "column": column }]),
            "{document}"
        );
    }
}

async fn a_request_that_ends_early_keeps_no_connection(t: TestApp) {
    let (door, ada) = demo(&t).await;
    // The fault ends it while other fields wait for what they asked for.
    let faulty = "{ partners(first: 2) { nodes { parent { id } enrollments { id program { name } } lifecycleEvents(first: 1) { totalCount }
        children(first: 101) { totalCount } } } }";
    for _ in 0..40 {
        let answer = door.ask(&ada, faulty, json!({})).await;
        assert_eq!(answer.codes(), ["BAD_USER_INPUT"]);
    }
    let whole = "{ partners(first: 1) { nodes { __typename } } }";
    let answer = door.ask(&ada, whole, json!({})).await;
    assert_eq!(
        answer.data(),
        &json!({ "partners": { "nodes": [{ "__typename": "Partner" }] } })
    );
}

async fn an_error_at_a_nullable_field_nulls_it_alone(t: TestApp) {
    let (door, ada) = demo(&t).await;
    let document =
        "{ deals(first: 1) { nodes { __typename accruals(first: 101) { totalCount } } } }";
    let answer = door.ask(&ada, document, json!({})).await;
    let whole = json!({ "nodes": [{ "__typename": "Deal", "accruals": null }] });
    assert_eq!(answer.json["data"]["deals"], whole);
    assert_eq!(
        answer.json["errors"][0]["path"],
        json!(["deals", "nodes", 0, "accruals"])
    );
    assert_eq!(answer.codes(), ["BAD_USER_INPUT"]);
}

async fn response_keys_come_in_the_order_of_the_document(t: TestApp) {
    let ada = t.admin().await;
    let door = Door::open(&t, |_| ());
    let document = "{ z: __typename viewer { role } a: viewer { ...n __typename z: role } m: __typename } fragment n on User { status name }";
    let answer = door.ask(&token(&t, &ada), document, json!({})).await;
    let expected = r#"{"data":{"z":"Query","viewer":{"role":"ADMINISTRATOR"},"a":{"status":"ACTIVE","name":"Administrator","__typename":"User","z":"ADMINISTRATOR"},"m":"Query"},"#;
    assert!(answer.text.starts_with(expected), "{}", answer.text);
}

async fn in_a_patch_absent_keeps_null_clears_and_a_default_sets(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    let create = r#"mutation { partnerCreate(input: {legalName: "Northwind", types: [SI], region: "DACH"}) { partner { id region } } }"#;
    let made = door.ask(&ada, create, json!({})).await;
    let id = made.data()["partnerCreate"]["partner"]["id"].clone();

    let field = "mutation($id: ID!, $region: String) { partnerUpdate(input: {partnerId: $id, region: $region}) { partner { region } userErrors { code } } }";
    let defaulted = field.replace("$region: String", "$region: String = \"EMEA\"");
    let whole = "mutation($input: PartnerUpdateInput!) { partnerUpdate(input: $input) { partner { region } userErrors { code } } }";
    let literal = r#"mutation($id: ID!) { partnerUpdate(input: {partnerId: $id, region: null}) { partner { region } userErrors { code } } }"#;
    let id = &id;
    for (document, variables, region) in [
        (field, json!({ "id": id }), json!("DACH")),
        (field, json!({ "id": id, "region": null }), json!(null)),
        (field, json!({ "id": id, "region": "APAC" }), json!("APAC")),
        (
            &*defaulted,
            json!({ "id": id, "region": null }),
            json!(null),
        ),
        (&*defaulted, json!({ "id": id }), json!("EMEA")),
        (
            whole,
            json!({ "input": { "partnerId": id } }),
            json!("EMEA"),
        ),
        (
            whole,
            json!({ "input": { "partnerId": id, "region": null } }),
            json!(null),
        ),
        (field, json!({ "id": id, "region": "DACH" }), json!("DACH")),
        (literal, json!({ "id": id }), json!(null)),
    ] {
        let answer = door.ask(&ada, document, variables.clone()).await;
        assert_eq!(
            answer.data()["partnerUpdate"],
            json!({ "partner": { "region": region }, "userErrors": [] }),
            "{document} {variables}"
        );
    }
}

async fn a_value_that_does_not_fit_stops_every_mutation_of_its_request(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    let first = r#"one: partnerCreate(input: {legalName: "One", types: [SI]}) { partner { id } }"#;
    let second = |head: &str, input: &str| {
        format!(
            "mutation{head} {{ {first} two: partnerCreate(input: {input}) {{ partner {{ id }} }} }}"
        )
    };
    let cases = [
        (
            second(
                "",
                r#"{legalName: "Two", types: [SI], dpaValidUntil: "soon"}"#,
            ),
            json!({}),
        ),
        (
            second(
                "($d: Date)",
                r#"{legalName: "Two", types: [SI], dpaValidUntil: $d}"#,
            ),
            json!({ "d": "soon" }),
        ),
        // An omitted variable beside the fault must not hide it.
        (
            second(
                "($r: String)",
                r#"{legalName: "Two", types: [SI], region: $r, dpaValidUntil: "soon"}"#,
            ),
            json!({}),
        ),
        (
            second(
                "($r: String)",
                r#"{legalName: "Two", types: [NOTHING], region: $r}"#,
            ),
            json!({}),
        ),
        (
            second("($r: String)", r#"{legalName: 2, types: [SI], region: $r}"#),
            json!({}),
        ),
        (
            second("($r: String)", r#"{types: [SI], region: $r}"#),
            json!({}),
        ),
        (
            second(
                "($r: String)",
                r#"{legalName: "Two", types: [SI], region: $r, bogus: 1}"#,
            ),
            json!({}),
        ),
        (
            second(
                "($r: String = 5)",
                r#"{legalName: "Two", types: [SI], region: $r}"#,
            ),
            json!({}),
        ),
        (
            second("", r#"{legalName: "Two", types: ["SI"]}"#),
            json!({}),
        ),
        (second("", "5"), json!({})),
        (second("", "[5]"), json!({})),
        (second("($i: PartnerCreateInput!)", "$i"), json!({ "i": 5 })),
        (
            second("($i: PartnerCreateInput!)", "$i"),
            json!({ "i": { "legalName": "Two", "types": null } }),
        ),
        (
            second("($i: PartnerCreateInput!)", "$i"),
            json!({ "i": { "legalName": "Two", "types": ["SI", 1] } }),
        ),
        (
            second("($i: PartnerCreateInput!)", "$i"),
            json!({ "i": { "legalName": "Two", "types": ["SI"], "bogus": 1 } }),
        ),
        (second("($i: PartnerCreateInput!)", "$i"), json!({})),
        (
            format!(
                "mutation {{ {first} two: partnerUpdate(input: {{partnerId: \"x\", expectedVersion: 2147483648}}) {{ partner {{ id }} }} }}"
            ),
            json!({}),
        ),
        (
            format!(
                "mutation($v: Int) {{ {first} two: partnerUpdate(input: {{partnerId: \"x\", expectedVersion: $v}}) {{ partner {{ id }} }} }}"
            ),
            json!({ "v": 9_007_199_254_740_993_i64 }),
        ),
        (
            format!(
                "mutation($k: String) {{ {first} two: partnerCreate(input: {{legalName: \"Two\", types: [SI]}}) @idempotent(key: 5) {{ partner {{ id }} }} three: partnerCreate(input: {{legalName: \"Three\", types: [SI], region: $k}}) {{ partner {{ id }} }} }}"
            ),
            json!({}),
        ),
    ];
    for (document, variables) in cases {
        let answer = door.ask(&ada, &document, variables.clone()).await;
        assert_eq!(answer.refused(), "BAD_USER_INPUT", "{document} {variables}");
        assert_eq!(partners(&t).await, 0, "{document} {variables}");
    }
    let fits = second(
        "($r: String)",
        r#"{legalName: "Two", types: SI, region: $r}"#,
    );
    door.ask(&ada, &fits, json!({})).await.data();
    assert_eq!(partners(&t).await, 2);
}

async fn a_variable_stands_only_where_its_type_fits(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    for (head, place) in [
        ("$v: String!", "deal(id: $v) { id }"),
        ("$v: ID", "deal(id: $v) { id }"),
        ("$v: ID!", "deals(first: $v) { totalCount }"),
        ("$v: ID!", "nodes(ids: $v) { id }"),
        ("$v: [ID]!", "nodes(ids: $v) { id }"),
        (
            "$v: EmailAddress",
            "customers(filter: {name: {contains: $v}}) { totalCount }",
        ),
        ("$v: String", "viewer @include(if: $v) { id }"),
        ("$v: Boolean", "viewer @include(if: $v) { id }"),
    ] {
        let document = format!("query({head}) {{ {place} }}");
        let answer = door.ask(&ada, &document, json!({ "v": "1" })).await;
        let known = ["GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"];
        let codes = answer.codes();
        assert!(
            !codes.is_empty() && codes.iter().all(|code| known.contains(code)),
            "{document}: {}",
            answer.text
        );
        assert!(answer.json.get("data").is_none(), "{}", answer.text);
        let answer = door.ask(&ada, &document, json!({})).await;
        assert!(
            answer.json.get("data").is_none(),
            "{document}: {}",
            answer.text
        );
    }
    for (head, place) in [
        ("$v: ID = \"x\"", "nodes(ids: [$v]) { id }"),
        ("$v: [ID!]! = []", "nodes(ids: $v) { id }"),
        ("$v: Boolean! = true", "viewer @include(if: $v) { id }"),
        ("$v: Boolean = true", "viewer @include(if: $v) { id }"),
        ("$v: Int! = 1", "deals(first: $v) { totalCount }"),
    ] {
        let document = format!("query({head}) {{ {place} }}");
        door.ask(&ada, &document, json!({})).await.data();
    }
}

async fn mutations_run_one_after_the_other_and_each_key_once(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    let create = r#"partnerCreate(input: {legalName: "Northwind", types: [SI], externalId: "A-1"}) { partner { id version } userErrors { code } }"#;
    let twice = door
        .ask(
            &ada,
            &format!("mutation {{ {create} {create} }}"),
            json!({}),
        )
        .await;
    // As the specification merges them: one call, one effect.
    assert_eq!(
        twice.data()["partnerCreate"]["userErrors"],
        json!([]),
        "{}",
        twice.text
    );
    assert_eq!(partners(&t).await, 1);
    let differ = create.replace("A-1", "A-2");
    let document = format!("mutation {{ {create} {differ} }}");
    let refused = door.ask(&ada, &document, json!({})).await;
    assert_eq!(refused.refused(), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(partners(&t).await, 1);
    let create = create.replace("A-1", "A-3");

    let aliased = format!("mutation {{ a: {create} b: {create} }}");
    let answer = door.ask(&ada, &aliased, json!({})).await;
    let data = answer.data();
    assert_eq!(data["a"]["userErrors"], json!([]));
    assert_eq!(
        data["b"],
        json!({ "partner": null, "userErrors": [{ "code": "DUPLICATE" }] })
    );
    let id = data["a"]["partner"]["id"].as_str().unwrap();
    let update = |key: &str, region: &str, version: i32| {
        format!(
            "{key}: partnerUpdate(input: {{partnerId: \"{id}\", region: \"{region}\", expectedVersion: {version}}}) {{ partner {{ region version }} userErrors {{ code }} }}"
        )
    };
    let chain = format!(
        "mutation {{ {} {} {} }}",
        update("c", "one", 1),
        update("b", "two", 2),
        update("a", "three", 2)
    );
    let answer = door.ask(&ada, &chain, json!({})).await;
    assert_eq!(
        answer.data(),
        &json!({
            "c": { "partner": { "region": "one", "version": 2 }, "userErrors": [] },
            "b": { "partner": { "region": "two", "version": 3 }, "userErrors": [] },
            "a": { "partner": null, "userErrors": [{ "code": "STALE_OBJECT" }] },
        })
    );
}

async fn the_operation_is_chosen_by_its_name(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    let document = "query a { viewer { role } } query b { viewer { status } } mutation c { logout { userErrors { code } } }";
    for (name, expected) in [
        (
            json!("a"),
            Some(json!({ "viewer": { "role": "ADMINISTRATOR" } })),
        ),
        (
            json!("b"),
            Some(json!({ "viewer": { "status": "ACTIVE" } })),
        ),
        (json!("d"), None),
        (json!(null), None),
        (json!(""), None),
    ] {
        let body = json!({ "query": document, "operationName": name });
        let posted = door.post(&ada, body.to_string()).await;
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("query", document)
            .append_pair("operationName", name.as_str().unwrap_or_default())
            .finish();
        let got = Request::get(format!("/graphql?{query}"))
            .header("authorization", format!("Bearer {ada}"))
            .header("accept", "application/graphql-response+json");
        let got = door.send(got.body(Body::empty()).unwrap()).await;
        for answer in [posted, got] {
            match &expected {
                Some(data) => assert_eq!(answer.data(), data),
                None => assert_eq!(answer.refused(), "BAD_USER_INPUT"),
            }
        }
    }
    let get = format!(
        "/graphql?operationName=c&query={}",
        url::form_urlencoded::byte_serialize(document.as_bytes()).collect::<String>()
    );
    let got = door
        .send(Request::get(get).body(Body::empty()).unwrap())
        .await;
    assert_eq!(got.status, 405);
    let body = json!({ "query": document, "operationName": 1 });
    assert_eq!(
        door.post(&ada, body.to_string()).await.refused(),
        "BAD_REQUEST"
    );
    // An unfit variable of another operation is no fault of this one.
    let two = "query a { viewer { role } } query b($n: Int!) { deals(first: $n) { totalCount } }";
    let body = json!({ "query": two, "operationName": "a" });
    door.post(&ada, body.to_string()).await.data();
}

async fn numbers_beyond_their_type_are_refused(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    for number in [
        "2147483648",
        "-2147483649",
        "9007199254740993",
        "1e400",
        "1.5",
        "4611686018427387904",
        "99999999999999999999999",
    ] {
        let literal = format!("{{ deals(first: {number}) {{ totalCount }} }}");
        let code = door.ask(&ada, &literal, json!({})).await;
        assert!(
            ["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&code.refused()),
            "{number}: {}",
            code.text
        );
        let body = format!(
            r#"{{"query": "query($n: Int) {{ deals(first: $n) {{ totalCount }} }}", "variables": {{"n": {number}}}}}"#
        );
        let code = door.post(&ada, body).await;
        // JSON itself has no number as large as 1e400.
        assert!(
            ["BAD_USER_INPUT", "BAD_REQUEST"].contains(&code.refused()),
            "{number}: {}",
            code.text
        );
    }
    // An id may be written as a number and is text all the same.
    let answer = door
        .ask(&ada, "{ deal(id: 9007199254740993) { id } }", json!({}))
        .await;
    assert_eq!(answer.codes(), ["NOT_FOUND"]);
}

async fn each_fault_is_one_error_with_path_and_code(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    let document = r#"{ a: deal(id: "x") { id } viewer { role } b: node(id: "y") { id } c: partner(id: "z") { id } }"#;
    let answer = door.ask(&ada, document, json!({})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json["data"],
        json!({ "a": null, "viewer": { "role": "ADMINISTRATOR" }, "b": null, "c": null })
    );
    let mut told: Vec<(String, String)> = answer.json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            assert!(error["extensions"]["requestId"].is_string());
            assert_eq!(error["extensions"]["retryable"], false);
            assert!(error["locations"][0]["line"].is_u64());
            (
                error["path"].to_string(),
                error["extensions"]["code"].to_string(),
            )
        })
        .collect();
    told.sort();
    let expected =
        ["[\"a\"]", "[\"b\"]", "[\"c\"]"].map(|path| (path.to_owned(), "\"NOT_FOUND\"".to_owned()));
    assert_eq!(told, expected);
    // Faults of the document itself are told each with its place, and are bounded in number.
    let unknown: String = (0..40).map(|at| format!("unknown{at} ")).collect();
    let answer = door
        .ask(&ada, &format!("{{ viewer {{ {unknown} }} }}"), json!({}))
        .await;
    assert_eq!(answer.codes(), vec!["GRAPHQL_VALIDATION_FAILED"; 21]);
    assert_eq!(
        answer.json["errors"][20]["message"],
        "There are more errors; the first 20 are listed."
    );
    assert!(answer.json.get("data").is_none());
}

async fn skip_and_include_decide_what_is_asked(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    let document = "query($yes: Boolean!, $no: Boolean! = false) { viewer { a: role @include(if: $yes) b: role @skip(if: $yes)
        c: role @include(if: $no) d: role @skip(if: $no) e: role @include(if: $yes) @skip(if: $yes)
        ... @include(if: $no) { f: role } ...g @skip(if: $no) } } fragment g on User { g: role }";
    let answer = door.ask(&ada, document, json!({ "yes": true })).await;
    let role = "ADMINISTRATOR";
    assert_eq!(
        answer.data()["viewer"],
        json!({ "a": role, "d": role, "g": role })
    );
    // What is left out does not run.
    let answer = door
        .ask(
            &ada,
            r#"{ viewer { id } deal(id: "x") @skip(if: true) { id } }"#,
            json!({}),
        )
        .await;
    assert!(answer.data().get("deal").is_none());
    let mutation = r#"mutation { partnerCreate(input: {legalName: "One", types: [SI]}) @skip(if: true) { partner { id } } __typename }"#;
    let answer = door.ask(&ada, mutation, json!({})).await;
    assert_eq!(answer.data(), &json!({ "__typename": "Mutation" }));
    assert_eq!(partners(&t).await, 0);
}

async fn fragments_on_interfaces_select_by_type(t: TestApp) {
    let (door, ada) = demo(&t).await;
    let ids = "{ deals(first: 1) { nodes { id number } } partners(first: 1) { nodes { id displayName } } }";
    let ids = door.ask(&ada, ids, json!({})).await;
    let deal = &ids.data()["deals"]["nodes"][0];
    let partner = &ids.data()["partners"]["nodes"][0];
    let document = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename ...any ... on Deal { number } ... on Partner { displayName } } __typename }
        fragment any on Node { id ... on Deal { pageInfo: __typename } }";
    let answer = door
        .ask(
            &ada,
            document,
            json!({ "ids": [deal["id"], partner["id"], "nothing"] }),
        )
        .await;
    assert_eq!(
        answer.data(),
        &json!({ "nodes": [
            { "__typename": "Deal", "id": deal["id"], "number": deal["number"], "pageInfo": "Deal" },
            { "__typename": "Partner", "id": partner["id"], "displayName": partner["displayName"] },
            null,
        ], "__typename": "Query" })
    );
    let refusal = r#"mutation { partnerUpdate(input: {partnerId: "x"}) { __typename partner { __typename } userErrors { __typename code ... on PlainError { message } ... on ConflictError { reasons } } } }"#;
    let answer = door.ask(&ada, refusal, json!({})).await;
    let payload = &answer.data()["partnerUpdate"];
    assert_eq!(payload["__typename"], "PartnerUpdatePayload");
    assert_eq!(payload["userErrors"][0]["__typename"], "PlainError");
    assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND");
    let page = "{ deals(first: 1) { __typename edges { __typename node { __typename value { __typename } } } pageInfo { __typename } } }";
    let answer = door.ask(&ada, page, json!({})).await;
    assert_eq!(
        answer.data()["deals"],
        json!({ "__typename": "DealConnection", "edges": [{ "__typename": "DealEdge",
            "node": { "__typename": "Deal", "value": { "__typename": "Money" } } }], "pageInfo": { "__typename": "PageInfo" } })
    );
}

async fn every_request_that_was_read_tells_its_cost(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    for (document, requested) in [
        ("{ viewer { id } }", 1),
        ("{ deals(first: 3) { nodes { id } } }", 5),
        (r#"{ deal(id: "x") { id } }"#, 1),
        ("{ nothing }", 1),
        ("{", 1),
        ("{ deals(first: 2147483648) { totalCount } }", 1),
        (
            r#"mutation { partnerUpdate(input: {partnerId: "x"}) { partner { id } } }"#,
            11,
        ),
    ] {
        let cost = &door.ask(&ada, document, json!({})).await.json["extensions"]["cost"];
        assert_eq!(cost["requested"], requested, "{document}");
        assert_eq!(cost["restoreRate"], 2_500);
        assert!(cost["available"].as_u64().unwrap() <= 50_000);
    }
}
