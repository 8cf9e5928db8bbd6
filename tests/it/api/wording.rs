//! What a client is told that sent something wrong: the value, its place, its type and what would be right.

use serde_json::{Value, json};

use super::{Door, Reply, demo, partners, token};
use crate::{cases, support::TestApp};

cases!(
    everything_wrong_with_the_values_of_a_document_is_reported_at_once,
    a_wrong_value_is_named_with_its_path_its_type_and_its_choices,
    an_argument_out_of_range_is_named_with_its_value_and_path,
    the_schema_is_not_spelled_out_to_strangers,
    a_field_given_twice_is_refused_before_anything_is_written,
    a_misplaced_idempotency_key_is_an_error,
    only_an_address_on_the_internet_is_invited,
);

fn message(reply: &Reply) -> &str {
    reply.json["errors"][0]["message"].as_str().unwrap()
}

async fn a_wrong_value_is_named_with_its_path_its_type_and_its_choices(t: TestApp) {
    let (door, ada) = demo(&t).await;
    let typed = "query($filter: DealFilter) { deals(filter: $filter) { totalCount } }";
    let reply = door
        .ask(&ada, typed, json!({"filter": {"status": ["OPEN", "WN"]}}))
        .await;
    assert_eq!(reply.refused(), "BAD_USER_INPUT");
    assert_eq!(
        message(&reply),
        "Variable \"$filter\" got invalid value \"WN\" at \"filter.status[1]\"; Value \"WN\" does not exist in \
         \"SalesStatus\" enum. Did you mean the enum value \"WON\"? Use one of: LOST, OPEN, WON."
    );
    for (document, expected) in [
        (
            "{ deals(filter: {status: [WN]}) { totalCount } }",
            "Argument \"filter\" got invalid value WN at \"filter.status[0]\"; Value \"WN\" does not exist in \
             \"SalesStatus\" enum. Did you mean the enum value \"WON\"? Use one of: LOST, OPEN, WON.",
        ),
        (
            "{ deals(filter: {statu: [WON]}) { totalCount } }",
            "Argument \"filter\" got invalid value { statu: [WON] }; Field \"statu\" is not defined by type \"DealFilter\". \
             Did you mean \"status\" or \"stage\"?",
        ),
        (
            "{ deals(first: \"5\") { totalCount } }",
            "Argument \"first\" got invalid value \"5\"; Int cannot represent non-integer value: \"5\".",
        ),
        (
            "query($f: DealFiltr) { deals(filter: $f) { totalCount } }",
            "Unknown type \"DealFiltr\". Did you mean \"DealFilter\"?",
        ),
    ] {
        let reply = door.ask(&ada, document, json!({})).await;
        assert_eq!(message(&reply), expected);
        assert!(
            reply.json["errors"][0]["locations"][0]["column"].is_u64(),
            "{}",
            reply.text
        );
    }
    let field = door
        .ask(&ada, "{ deal(id: \"x\") { nam } }", json!({}))
        .await;
    assert!(
        message(&field).contains("Did you mean \"name\"?"),
        "{}",
        field.text
    );
    // What may be secret is not repeated.
    let login = "mutation($i: LoginInput!) { login(input: $i) { accessToken } }";
    let reply = door
        .ask(
            "",
            login,
            json!({"i": {"email": "a@b.example", "password": 4711}}),
        )
        .await;
    assert_eq!(reply.refused(), "BAD_USER_INPUT");
    assert!(
        message(&reply).contains("got invalid value (not shown) at \"i.password\""),
        "{}",
        reply.text
    );
    assert!(!message(&reply).contains("4711"), "{}", reply.text);
}

async fn everything_wrong_with_the_values_of_a_document_is_reported_at_once(t: TestApp) {
    let (door, ada) = demo(&t).await;
    let messages = |reply: &Reply| -> Vec<String> {
        let errors = reply.json["errors"].as_array().unwrap().iter();
        let all = errors.map(|error| {
            assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{error}");
            error["message"].as_str().unwrap().to_owned()
        });
        all.collect()
    };
    // Several in one variable, one in another one, one in an argument.
    let document = "query($filter: DealFilter, $order: [DealOrder!], $n: Int!) { \
                    deals(filter: $filter, orderBy: $order, first: $n, after: 7) { totalCount } }";
    let variables = json!({
        "filter": {"status": ["WN", 5], "statu": [], "customerId": {"a": [1, {"b": {"c": [2]}}]}},
        "order": [{"field": "WINS"}, null],
    });
    let reply = door.ask(&ada, document, variables).await;
    let said = messages(&reply);
    let starts = [
        "Variable \"$filter\" got invalid value { customerId: { a: [Array] }, statu: [], status: [\"WN\", 5] }; \
         Field \"statu\" is not defined by type \"DealFilter\". Did you mean",
        "Variable \"$filter\" got invalid value { a: [1, [Object]] } at \"filter.customerId\"; \
         ID cannot represent a non-string and non-integer value: { a: [1, [Object]] }.",
        "Variable \"$filter\" got invalid value \"WN\" at \"filter.status[0]\"; Value \"WN\" does not exist in",
        "Variable \"$filter\" got invalid value 5 at \"filter.status[1]\"; \
         Enum \"SalesStatus\" cannot represent non-string value: 5.",
        "Variable \"$order\" got invalid value \"WINS\" at \"order[0].field\"; Value \"WINS\" does not exist in",
        "Variable \"$order\" got invalid value null at \"order[1]\"; \
         Expected non-nullable type \"DealOrder!\" not to be null.",
        "Variable \"$n\" of required type \"Int!\" was not provided.",
        "Argument \"after\" got invalid value 7; String cannot represent a non string value: 7.",
    ];
    assert_eq!(said.len(), starts.len(), "{said:#?}");
    for (said, start) in said.iter().zip(starts) {
        assert!(said.starts_with(start), "{said}\nis not\n{start}");
    }
    // The response is bounded, however many and however large the errors are.
    let many = json!({"filter": {"status": vec!["x".repeat(2_000); 500]}, "n": 1});
    let document =
        "query($filter: DealFilter, $n: Int!) { deals(filter: $filter, first: $n) { totalCount } }";
    let reply = door.ask(&ada, document, many).await;
    let said = messages(&reply);
    assert_eq!(said.len(), 21);
    assert_eq!(said[20], "There are more errors; the first 20 are listed.");
    assert!(reply.text.len() < 30_000, "{}", reply.text.len());
    // A password in a misspelled field is still a password.
    let login = "mutation($i: LoginInput!) { login(input: $i) { accessToken } }";
    let typo = json!({"i": {"email": "a@b.example", "pasword": "hunter2"}});
    let reply = door.ask("", login, typo).await;
    assert!(
        messages(&reply)[0].contains(
            "got invalid value { email: \"a@b.example\", pasword: (not shown) }; Field \"pasword\""
        ),
        "{}",
        reply.text
    );
    assert!(!reply.text.contains("hunter2"), "{}", reply.text);
}

async fn an_argument_out_of_range_is_named_with_its_value_and_path(t: TestApp) {
    let (door, ada) = demo(&t).await;
    let first_error = async |document: &str| {
        let reply = door.ask(&ada, document, json!({})).await;
        let error = reply.json["errors"][0].clone();
        let extensions = &error["extensions"];
        json!([
            error["message"],
            error["path"],
            extensions["code"],
            extensions["field"]
        ])
    };
    assert_eq!(
        first_error("{ deals(first: 500) { totalCount } }").await,
        json!([
            "`first` must be from 0 to 100, found 500.",
            ["deals"],
            "BAD_USER_INPUT",
            ["first"]
        ])
    );
    assert_eq!(
        first_error("{ deals(last: -1) { totalCount } }").await,
        json!([
            "`last` must be from 0 to 100, found -1.",
            ["deals"],
            "BAD_USER_INPUT",
            ["last"]
        ])
    );
    assert_eq!(
        first_error(
            "{ payoutPreview(input: {value: {amount: \"-5\", currency: \"USD\"}}) { lines { __typename } } }"
        )
        .await,
        json!([
            "Argument \"input.value.amount\": must not be negative, found -5.00",
            ["payoutPreview"],
            "BAD_USER_INPUT",
            ["input", "value", "amount"]
        ])
    );
}

/// Without a token on a production server.
async fn the_schema_is_not_spelled_out_to_strangers(t: TestApp) {
    let door = Door::open(&t, |_| ());
    for document in [
        "{ deal { id } }",
        "{ deal(id: \"x\") { nam } }",
        "{ deals(filter: {status: [WN]}) { totalCount } }",
        "{ deals(filter: {statu: [WON]}) { totalCount } }",
        "query($f: DealFiltr) { deals(filter: $f) { totalCount } }",
        "{ ... on Dea { id } }",
    ] {
        let reply = door.ask("", document, json!({})).await;
        assert!(
            reply.json["errors"][0]["message"].is_string(),
            "{}",
            reply.text
        );
        for word in ["Did you mean", "Use one of", "LOST", "DealFilter\"?"] {
            assert!(!reply.text.contains(word), "{}", reply.text);
        }
    }
}

async fn a_field_given_twice_is_refused_before_anything_is_written(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    let twice = "mutation { partnerCreate(input: {legalName: \"A\", types: [SI], legalName: \"B\"}) { partner { id } } }";
    let reply = door.ask(&ada, twice, json!({})).await;
    assert_eq!(reply.refused(), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(
        message(&reply),
        "There can be only one input field named \"legalName\"."
    );
    assert_eq!(partners(&t).await, 0);
}

async fn a_misplaced_idempotency_key_is_an_error(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    let create = "partnerCreate(input: {legalName: \"A\", types: [SI]})";
    let login = "login(input: {email: \"a@b.example\", password: \"p\"})";
    for document in [
        format!("mutation {{ {create} {{ partner @idempotent(key: \"k\") {{ id }} }} }}"),
        format!("mutation @idempotent(key: \"k\") {{ {create} {{ partner {{ id }} }} }}"),
        format!("mutation {{ {login} @idempotent(key: \"k\") {{ accessToken }} }}"),
        "{ viewer @idempotent(key: \"k\") { role } }".to_owned(),
        format!("mutation($x: Int @idempotent(key: \"k\")) {{ {create} {{ partner {{ id }} }} }}"),
    ] {
        let reply = door.ask(&ada, &document, json!({})).await;
        assert_eq!(reply.refused(), "GRAPHQL_VALIDATION_FAILED", "{document}");
        assert!(message(&reply).contains("idempotent"), "{}", reply.text);
    }
    assert_eq!(partners(&t).await, 0);
    let right =
        format!("mutation {{ {create} @idempotent(key: \"k\") {{ userErrors {{ code }} }} }}");
    for _ in 0..2 {
        let reply = door.ask(&ada, &right, json!({})).await;
        assert_eq!(reply.data()["partnerCreate"]["userErrors"], json!([]));
    }
    assert_eq!(partners(&t).await, 1);
}

async fn only_an_address_on_the_internet_is_invited(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    let invite = "mutation($email: EmailAddress!) { userInvite(input: {email: $email, name: \"Ben\", role: FINANCE}) {
        user { email } userErrors { code } } }";
    for email in [
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "a@127.0.0.1",
        "a@localhost",
        "a@mail.localhost",
        "a@mx.LOCAL",
        "a@db.internal",
    ] {
        let reply = door.ask(&ada, invite, json!({"email": email})).await;
        assert_eq!(reply.refused(), "BAD_USER_INPUT", "{email}");
        assert!(message(&reply).contains(email), "{}", reply.text);
    }
    t.settle().await;
    assert_eq!(t.outbox.sent().len(), 0);
    let reply = door
        .ask(&ada, invite, json!({"email": "a@acme.example"}))
        .await;
    assert_eq!(
        reply.data()["userInvite"]["userErrors"],
        Value::Array(Vec::new())
    );
}
