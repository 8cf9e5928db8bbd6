use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use futures_util::stream;

use super::*;
use crate::graphql::budget::Buckets;

async fn ask(document: &str) -> Answer {
    send(&app(|_| ()), post(GRAPHQL, query(document))).await
}

async fn get(app: &Router, uri: &str) -> Answer {
    send(
        app,
        Request::get(uri)
            .header("accept", GRAPHQL)
            .body(Body::empty())
            .unwrap(),
    )
    .await
}

#[tokio::test]
async fn a_query_is_answered_with_its_cost_and_request_id() {
    let mut request = post(GRAPHQL, query("{ deals(first: 3) { nodes { id } } }"));
    request
        .headers_mut()
        .insert("x-request-id", "mine-1".parse().unwrap());
    let answer = send(&app(|_| ()), request).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.header("content-type"),
        "application/graphql-response+json; charset=utf-8"
    );
    assert_eq!(answer.header("x-request-id"), "mine-1");
    assert_eq!(
        answer.json(),
        serde_json::json!({
            "data": {"deals": {"nodes": [{"id": "d1"}]}},
            "extensions": {"cost": {"requested": 5, "available": 9_995, "restoreRate": 500}},
        })
    );
}

#[tokio::test]
async fn a_request_id_that_does_not_fit_a_log_line_is_replaced() {
    for bad in ["a b", "", &"x".repeat(65), "a\u{e9}"] {
        let mut request = post(GRAPHQL, query("{version}"));
        request
            .headers_mut()
            .insert("x-request-id", bad.parse().unwrap());
        let answer = send(&app(|_| ()), request).await;
        assert_eq!(answer.header("x-request-id").len(), 36);
    }
}

#[tokio::test]
async fn request_errors_are_400_or_200_by_media_type_and_carry_no_data() {
    for (document, code) in [
        ("{", "GRAPHQL_VALIDATION_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ echo(number: \"x\") }", "BAD_USER_INPUT"),
        ("query($n: Int!) { echo(number: $n) }", "BAD_USER_INPUT"),
        (
            "{ deal { related { related { related { related { id } } } } } }",
            "TOO_COMPLEX",
        ),
    ] {
        let answer = ask(document).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, code),
            "{document}"
        );
        assert!(answer.json().get("data").is_none());
        assert!(answer.json()["extensions"]["cost"]["available"].is_u64());
        let older = send(&app(|_| ()), post("application/json", query(document))).await;
        assert_eq!(older.status, StatusCode::OK);
        assert!(older.json().get("data").is_none());
    }
}

#[tokio::test]
async fn a_failed_field_leaves_the_rest_and_says_where() {
    let answer = ask("{ deal { id title } }").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.json()["data"],
        serde_json::json!({"deal": {"id": "d1", "title": null}})
    );
    assert_eq!(
        answer.json()["errors"][0]["path"],
        serde_json::json!(["deal", "title"])
    );
    assert_eq!(answer.code(), "FORBIDDEN");
}

#[tokio::test]
async fn get_is_for_queries_only() {
    let app = app(|_| ());
    let answer = get(
        &app,
        "/graphql?query=query%20a%7Bversion%7D%20query%20b%7Bcaller%7D&operationName=b",
    )
    .await;
    assert_eq!(
        answer.json()["data"],
        serde_json::json!({"caller": "nobody"})
    );
    let answer = get(&app, "/graphql?query=mutation%7Blogin%7D").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED")
    );
    assert_eq!(answer.header("allow"), "GET, POST");
    let older = send(
        &app,
        Request::get("/graphql?query=mutation%7Blogin%7D")
            .body(Body::empty())
            .unwrap(),
    )
    .await;
    assert_eq!(older.status, StatusCode::METHOD_NOT_ALLOWED);
    let put = send(&app, Request::put("/graphql").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (put.status, put.code().as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED")
    );
    assert_eq!(get(&app, "/graphql").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn subscriptions_are_told_where_to_go() {
    assert_eq!(
        ask("subscription { ticks(count: 1) }").await.code(),
        "BAD_REQUEST"
    );
}

#[tokio::test]
async fn other_media_types_are_refused() {
    let app = app(|_| ());
    for kind in [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ] {
        let request = Request::post("/graphql")
            .header("content-type", kind)
            .body(query("{version}").into())
            .unwrap();
        let answer = send(&app, request).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(answer.code(), "UNSUPPORTED_MEDIA_TYPE");
    }
    let answer = send(&app, post("text/html", query("{version}"))).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE")
    );
    assert_eq!(
        send(&app, post(GRAPHQL, r#"[{"query":"{version}"}]"#))
            .await
            .code(),
        "BAD_REQUEST"
    );
}

#[tokio::test]
async fn oversized_bodies_and_documents_are_refused_quickly() {
    let start = Instant::now();
    let chunk = Bytes::from(vec![b' '; 64 * 1024]);
    let chunks = stream::iter((0..320).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let answer = send(&app(|_| ()), post(GRAPHQL, Body::from_stream(chunks))).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE")
    );
    assert_eq!(
        ask(&format!("{{version}} #{}", "x".repeat(64 * 1024)))
            .await
            .code(),
        "TOO_COMPLEX"
    );
    assert_eq!(ask(&"{a".repeat(200_000)).await.code(), "TOO_COMPLEX");
    let deep = format!(
        r#"{{"query":"{{version}}","variables":{{"a":{}1{}}}}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    assert_eq!(
        send(&app(|_| ()), post(GRAPHQL, deep)).await.code(),
        "BAD_REQUEST"
    );
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_bad_token_executes_nothing_and_no_token_is_anonymous() {
    let app = app(|_| ());
    let with = |token: &str| {
        let mut request = post("application/json", query("{caller}"));
        request
            .headers_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    };
    assert_eq!(
        send(&app, with("ada")).await.json()["data"]["caller"],
        "ada"
    );
    assert_eq!(ask("{caller}").await.json()["data"]["caller"], "nobody");
    for (token, status, code) in [
        ("bad", 401, "UNAUTHENTICATED"),
        ("barred", 403, "FORBIDDEN"),
        ("away", 503, "RETRY_LATER"),
    ] {
        let answer = send(&app, with(token)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code)
        );
        assert!(answer.json().get("data").is_none());
    }
    assert_eq!(
        send(&app, with("away")).await.json()["errors"][0]["extensions"]["retryable"],
        true
    );
    assert!(
        send(&app, with("bad"))
            .await
            .header("www-authenticate")
            .starts_with("Bearer")
    );
}

#[tokio::test]
async fn an_empty_bucket_is_throttled_with_a_time_to_come_back() {
    let app = app(|settings| settings.budget = Arc::new(Buckets::new(30, 1)));
    let mutation = query("mutation { dealCreate { deal { id } } }");
    for _ in 0..2 {
        assert_eq!(
            send(&app, post(GRAPHQL, mutation.clone())).await.status,
            StatusCode::OK
        );
    }
    let answer = send(&app, post(GRAPHQL, mutation)).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "THROTTLED")
    );
    let wait = answer.json()["errors"][0]["extensions"]["retryAfterMs"]
        .as_u64()
        .unwrap();
    assert!((2_000..=3_000).contains(&wait), "{wait}");
    assert_eq!(answer.json()["extensions"]["cost"]["requested"], 11);
}

#[tokio::test]
async fn whoever_has_nothing_left_is_not_even_parsed() {
    let app = app(|settings| settings.budget = Arc::new(Buckets::new(2, 1)));
    for _ in 0..2 {
        assert_eq!(
            send(&app, post(GRAPHQL, query("{"))).await.code(),
            "GRAPHQL_VALIDATION_FAILED"
        );
    }
    assert_eq!(
        send(&app, post(GRAPHQL, query("{"))).await.code(),
        "THROTTLED"
    );
}

#[tokio::test]
async fn what_takes_too_long_times_out() {
    let app = app(|settings| settings.deadline = Duration::from_millis(20));
    let answer = send(&app, post(GRAPHQL, query("{slow}"))).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::GATEWAY_TIMEOUT, "TIMEOUT")
    );
    assert_eq!(answer.json()["errors"][0]["extensions"]["retryable"], true);
}

#[tokio::test]
async fn a_panic_and_a_leak_are_internal_and_the_server_lives() {
    let app = app(|_| ());
    let answer = send(&app, post(GRAPHQL, query("{panics}"))).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL")
    );
    let answer = send(&app, post(GRAPHQL, query("{leaks}"))).await;
    assert_eq!(answer.code(), "INTERNAL");
    assert!(!answer.text.contains("hunter2"));
    assert_eq!(
        send(&app, post(GRAPHQL, query("{version}"))).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_panic_outside_of_graphql_is_an_answer_too() {
    let broken = || async { std::hint::black_box(None::<&str>).unwrap() };
    let app = crate::graphql::router::wrap(Router::new().route("/", axum::routing::get(broken)));
    let answer = send(&app, Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL")
    );
}

#[tokio::test]
async fn only_listed_origins_may_call() {
    let app = app(|settings| settings.origins = vec!["https://portal.example".to_owned()]);
    let preflight = |origin: &str| {
        let request = Request::options("/graphql").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        request
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            )
            .body(Body::empty())
            .unwrap()
    };
    let answer = send(&app, preflight("https://portal.example")).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://portal.example"
    );
    assert!(
        answer
            .header("access-control-allow-headers")
            .contains("authorization")
    );
    for origin in [
        "https://portal.example.evil",
        "http://portal.example",
        "null",
    ] {
        assert_eq!(
            send(&app, preflight(origin))
                .await
                .header("access-control-allow-origin"),
            ""
        );
    }
}

#[tokio::test]
async fn the_requests_of_one_caller_take_turns_and_keep_nobody_else_waiting() {
    let app = app(|settings| {
        settings.running = 2;
        settings.waiting = 3;
        settings.deadline = Duration::from_millis(300);
    });
    let of = |name: &str, document: &str| {
        let mut request = post(GRAPHQL, query(document));
        let token = format!("Bearer {name}").parse().unwrap();
        request.headers_mut().insert("authorization", token);
        send(&app, request)
    };
    let greedy = futures_util::future::join_all((0..6).map(|_| of("greedy", "{ slow }")));
    let other = async {
        // The greedy one's requests are there by now: futures of one task start in order.
        let asked = Instant::now();
        let answer = of("other", "{ version }").await;
        (answer.json()["data"]["version"].clone(), asked.elapsed())
    };
    let (greedy, (version, waited)) = tokio::join!(greedy, other);
    assert_eq!(version, "1");
    assert!(waited < Duration::from_millis(200), "{waited:?}");
    let mut codes: Vec<_> = greedy
        .iter()
        .map(|answer| {
            let error = &answer.json()["errors"][0]["extensions"];
            let wait = error["retryAfterMs"].as_u64();
            (error["code"].as_str().unwrap().to_owned(), wait)
        })
        .collect();
    codes.sort();
    // One beyond those that wait is refused at once; those whose turn does not come in time have not begun.
    let throttled = ("THROTTLED".to_owned(), Some(500));
    let late = ("TIMEOUT".to_owned(), None);
    assert_eq!(codes, [vec![throttled; 4], vec![late; 2]].concat());
    // Their places are free again.
    let again = of("greedy", "{ version }").await;
    assert_eq!(again.json()["data"]["version"], "1");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused_at_its_field() {
    let app = app(|settings| settings.answer = 40);
    let small = send(&app, post(GRAPHQL, query("{ version }"))).await;
    assert_eq!(small.json()["data"]["version"], "1");
    let large = "{ deals { nodes { id a: id b: id c: id d: id e: id } } }";
    let refused = send(&app, post(GRAPHQL, query(large))).await;
    let error = &refused.json()["errors"][0];
    assert_eq!(error["extensions"]["code"], "TOO_COMPLEX");
    assert_eq!(error["path"], serde_json::json!(["deals"]));
    assert_eq!(refused.json()["data"], Value::Null);
}
