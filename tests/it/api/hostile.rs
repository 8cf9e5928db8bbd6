//! Documents and bodies made to hurt: each is refused before anything runs, for the price of a refused request.

use std::fmt::Write;

use axum::{body::Body, http::Request};
use ensemble::graphql::refusal::Cause;
use serde_json::{Value, json};

use super::{Door, demo, partners, token};
use crate::{cases, support::TestApp};

cases!(
    hostile_documents_are_refused_before_anything_runs,
    hostile_variables_are_refused_before_anything_runs,
    hostile_bodies_are_refused_unread,
    a_document_that_only_looks_hostile_is_answered,
);

fn many(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect()
}

/// Documents with the code that each is refused with.
pub fn documents() -> Vec<(&'static str, String, &'static str)> {
    let bomb = |levels: usize| {
        let mut text = "{ deals(first: 1) { nodes { ...f0 } } }".to_owned();
        for at in 0..levels {
            let _ = write!(
                text,
                " fragment f{at} on Deal {{ customer {{ id }} ...f{0} ...f{0} }}",
                at + 1
            );
        }
        let _ = write!(text, " fragment f{levels} on Deal {{ id }}");
        text
    };
    let nested = format!(
        "partners(first: 50) {{ nodes {} id {} }}",
        "{ children(first: 50) { nodes ".repeat(3) + "{",
        "}".repeat(7)
    );
    let introspection = format!(
        "{{ __schema {{ types {}{} }} }}",
        "{ fields { type ".repeat(5) + "{ name }",
        "} }".repeat(5)
    );
    let chain = many(1_500, |at| {
        format!("fragment f{at} on Query{{...f{}}}", at + 1)
    });
    let operations = format!(
        "{} query z {{ viewer {{ id }} }}",
        many(3_000, |at| format!("query q{at} {{ viewer {{ id }} }} "))
    );
    let includes = |count: usize| {
        format!(
            "query({}) {{ viewer {{ {} }} }}",
            many(count, |at| format!("$v{at}: Boolean = true ")),
            many(count, |at| format!("id @include(if: $v{at}) "))
        )
    };
    vec![
        ("a fragment bomb of 2^30", bomb(30), "TOO_COMPLEX"),
        ("lists of 50 in lists of 50", format!("{{ {nested} }}"), "TOO_COMPLEX"),
        ("a page of 2^62", "{ deals(first: 4611686018427387904) { nodes { id } } }".to_owned(), "BAD_USER_INPUT"),
        ("aliases", format!("{{ {} }}", many(10_000, |at| format!("a{at}:viewer{{id}} "))), "TOO_COMPLEX"),
        ("aliases in 60 KB", format!("{{ {} }}", many(3_500, |at| format!("a{at}:viewer{{id}} "))), "TOO_COMPLEX"),
        ("fields", format!("{{ viewer {{ {} }} }}", "id ".repeat(20_000)), "TOO_COMPLEX"),
        ("directives on one field", format!("{{ viewer {{ id {} }} }}", "@skip(if: false) ".repeat(3_000)), "TOO_COMPLEX"),
        ("directives on many fields", format!("{{ viewer {{ {} }} }}", "id @skip(if: false) ".repeat(1_900)), "TOO_COMPLEX"),
        ("unknown directives", format!("{{ viewer {{ id {} }} }}", "@a".repeat(10_000)), "TOO_COMPLEX"),
        ("nesting of fields", "{a".repeat(200_000), "TOO_COMPLEX"),
        ("nesting of fields in 60 KB", "{a".repeat(30_000), "TOO_COMPLEX"),
        ("nesting of lists", format!("{{ nodes(ids: {}", "[".repeat(400_000)), "TOO_COMPLEX"),
        ("nesting of lists in 60 KB", format!("{{ nodes(ids: {}", "[".repeat(60_000)), "TOO_COMPLEX"),
        ("nesting of objects", format!("{{ deals(filter: {}", "{a:".repeat(20_000)), "TOO_COMPLEX"),
        ("nesting of inline fragments", format!("{{ {}", "...{".repeat(15_000)), "TOO_COMPLEX"),
        ("a chain of fragments", format!("{{ ...f0 }} {chain} fragment f1500 on Query {{ viewer {{ id }} }}"), "TOO_COMPLEX"),
        ("a circle of fragments", "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
        ("many operations without a name", operations, "TOO_COMPLEX"),
        ("introspection in circles", introspection, "TOO_COMPLEX"),
        ("includes", includes(1_900), "TOO_COMPLEX"),
        ("variables", format!("query({}) {{ viewer {{ id }} }}", many(4_000, |at| format!("$v{at}: Int "))), "TOO_COMPLEX"),
        ("one argument again and again", format!("{{ deal({}) {{ id }} }}", "id: 1 ".repeat(6_000)), "GRAPHQL_VALIDATION_FAILED"),
        ("a name of 60 KB", format!("{{ {} }}", "a".repeat(60_000)), "TOO_COMPLEX"),
        ("unknown fields", format!("{{ viewer {{ {} }} }}", many(1_900, |at| format!("unknownFieldWithALongName{at} "))), "GRAPHQL_VALIDATION_FAILED"),
        ("unknown arguments", format!("{{ deals({}) {{ __typename }} }}", many(3_000, |at| format!("unknown{at}: 1 "))), "GRAPHQL_VALIDATION_FAILED"),
        ("a string with escapes that does not end", format!("{{ deal(id: \"{}", "\\u0041".repeat(9_000)), "GRAPHQL_VALIDATION_FAILED"),
        ("a string with bad escapes", format!("{{ deal(id: \"{}\") {{ id }} }}", "\\x".repeat(20_000)), "GRAPHQL_VALIDATION_FAILED"),
        ("a comment of 400 KB", format!("#{}\n{{ viewer {{ id }} }}", "x".repeat(400_000)), "TOO_COMPLEX"),
        ("commas", ",".repeat(60_000), "GRAPHQL_VALIDATION_FAILED"),
        ("nothing", String::new(), "GRAPHQL_VALIDATION_FAILED"),
        ("NUL", "{ viewer { id \0 } }".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
        ("several sign-ins", "mutation { a: login(input: {email: \"a\", password: \"b\"}) { accessToken } b: login(input: {email: \"a\", password: \"c\"}) { accessToken } }".to_owned(), "TOO_COMPLEX"),
        ("mutations", format!("mutation {{ {} }}", many(40, |at| format!("a{at}: partnerCreate(input: {{legalName: \"x\", types: [SI]}}) {{ partner {{ id }} }} "))), "TOO_COMPLEX"),
    ]
}

/// Documents with variables that are refused.
pub fn variables() -> Vec<(&'static str, &'static str, String, &'static str)> {
    let ids = "query($v: [ID!]!) { nodes(ids: $v) { id } }";
    let filter = "query($v: DealFilter) { deals(filter: $v) { totalCount } }";
    let deep = |open: &str, close: &str, levels: usize| {
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    };
    let escapes = format!("[\"{}\"]", "\\u0041".repeat(150_000));
    let reuse = "query($v: [ID!]!) { a: nodes(ids: $v) { id } b: nodes(ids: $v) { id } c: nodes(ids: $v) { id } d: nodes(ids: $v) { id } e: nodes(ids: $v) { id } f: nodes(ids: $v) { id } }";
    vec![
        (
            "lists nested deeply",
            ids,
            deep("[", "]", 5_000),
            "BAD_REQUEST",
        ),
        (
            "lists nested as JSON allows",
            ids,
            deep("[", "]", 100),
            "BAD_USER_INPUT",
        ),
        (
            "objects nested deeply",
            filter,
            deep("{\"a\":", "}", 20_000),
            "BAD_REQUEST",
        ),
        (
            "objects nested as JSON allows",
            filter,
            deep("{\"a\":", "}", 100),
            "BAD_USER_INPUT",
        ),
        (
            "a list of 100,000",
            ids,
            format!("[{}1]", "1,".repeat(100_000)),
            "TOO_COMPLEX",
        ),
        (
            "an object of 50,000 fields",
            filter,
            format!("{{{}\"z\":1}}", many(50_000, |at| format!("\"a{at}\":1,"))),
            "TOO_COMPLEX",
        ),
        (
            "a list in many places",
            reuse,
            format!("[{}1]", "1,".repeat(9_000)),
            "TOO_COMPLEX",
        ),
        (
            "a number for an object",
            filter,
            "1e308".to_owned(),
            "BAD_USER_INPUT",
        ),
        (
            "a number that JSON does not have",
            filter,
            "1e400".to_owned(),
            "BAD_REQUEST",
        ),
        (
            "a long text of escapes",
            "query($v: [Int!]) { deals(first: 1) { totalCount } }",
            escapes,
            "BAD_USER_INPUT",
        ),
    ]
}

fn refused(name: &str, answer: &super::Reply, code: &str) {
    assert_eq!(answer.json.get("data"), None, "{name}: {}", answer.text);
    assert_eq!(
        answer.codes().first(),
        Some(&code),
        "{name}: {:.500}",
        answer.text
    );
    assert!(
        answer.text.len() < 20_000,
        "{name}: {} bytes",
        answer.text.len()
    );
}

async fn hostile_documents_are_refused_before_anything_runs(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    for (name, document, code) in documents() {
        let answer = door.ask(&ada, &document, json!({})).await;
        refused(name, &answer, code);
        let cost = answer.json["extensions"]["cost"]["requested"].as_u64();
        assert!(cost.is_some_and(|cost| cost <= 2), "{name}: {cost:?}");
    }
    assert_eq!(partners(&t).await, 0);
}

async fn hostile_variables_are_refused_before_anything_runs(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    for (name, document, value, code) in variables() {
        let body = format!(
            r#"{{"query": {}, "variables": {{"v": {value}}}}}"#,
            Value::from(document)
        );
        refused(name, &door.post(&ada, body).await, code);
    }
}

async fn hostile_bodies_are_refused_unread(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let door = Door::open(&t, |_| ());
    let mutation =
        r#"mutation { partnerCreate(input: {legalName: "One", types: [SI]}) { partner { id } } }"#;
    let body = json!({ "query": mutation }).to_string();
    let batch = format!("[{}]", vec![body.clone(); 1_000].join(","));
    let invalid = [
        br#"{"query": "{ viewer { id } } # "#.as_slice(),
        b"\xff\xfe",
        br#""}"#,
    ]
    .concat();
    let padded = format!("{}{body}", " ".repeat(20 * 1024 * 1024));
    let surrogate = r#"{"query": "{ deal(id: \"\ud800\") { id } }"}"#.to_owned();
    for (name, body, cause) in [
        ("20 MB", padded.into_bytes(), Cause::PayloadTooLarge),
        ("a batch", batch.into_bytes(), Cause::BadRequest),
        ("no UTF-8", invalid, Cause::BadRequest),
        (
            "half a pair of surrogates",
            surrogate.into_bytes(),
            Cause::BadRequest,
        ),
        ("a number", b"1".to_vec(), Cause::BadRequest),
        (
            "deep JSON",
            "[".repeat(500_000).into_bytes(),
            Cause::BadRequest,
        ),
        ("nothing", Vec::new(), Cause::BadRequest),
    ] {
        refused(name, &door.post(&ada, body).await, cause.code());
    }
    for kind in [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
    ] {
        let request = Request::post("/graphql")
            .header("content-type", kind)
            .header("authorization", format!("Bearer {ada}"));
        let answer = door
            .send(request.body(Body::from(body.clone())).unwrap())
            .await;
        assert_eq!(answer.refused(), "UNSUPPORTED_MEDIA_TYPE", "{kind}");
    }
    let query: String = url::form_urlencoded::byte_serialize(mutation.as_bytes()).collect();
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH"] {
        let request = Request::builder()
            .method(method)
            .uri(format!("/graphql?query={query}"))
            .header("authorization", format!("Bearer {ada}"));
        let answer = door.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 405, "{method}");
    }
    assert_eq!(partners(&t).await, 0);
}

async fn a_document_that_only_looks_hostile_is_answered(t: TestApp) {
    let (door, ada) = demo(&t).await;
    let text = r#"x \" { [ ( \\ \u0041 "#.repeat(8);
    let brackets = format!(
        "{{ customers(first: 1, filter: {{name: {{contains: \"{text}\"}}}}) {{ totalCount }} }}"
    );
    door.ask(&ada, &brackets, json!({})).await.data();
    let wide = format!("{{ viewer {{ {} }} }}", "id ".repeat(1_500));
    door.ask(&ada, &wide, json!({})).await.data();
    let fragments = format!(
        "{{ viewer {{ {} }} }} {}",
        many(300, |at| format!("...f{at} ")),
        many(300, |at| format!(
            "fragment f{at} on User {{ id name role }} "
        ))
    );
    door.ask(&ada, &fragments, json!({})).await.data();
    let operations = many(1_500, |at| format!("query q{at} {{ viewer {{ id }} }} "));
    let body = json!({ "query": operations, "operationName": "q7" });
    door.post(&ada, body.to_string()).await.data();
}
