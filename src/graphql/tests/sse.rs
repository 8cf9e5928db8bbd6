use super::*;

fn subscribe(document: &str, token: Option<&str>) -> Request<Body> {
    let request = Request::post("/graphql/stream").header("content-type", "application/json");
    let request = request.header("accept", "text/event-stream");
    let request = match token {
        Some(token) => request.header("authorization", token),
        None => request,
    };
    request.body(query(document).into()).unwrap()
}

fn events(text: &str) -> Vec<(String, Value)> {
    let field = |block: &str, name: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let blocks = text.split("\n\n").filter(|block| !block.is_empty());
    blocks
        .map(|block| {
            (
                field(block, "event:"),
                serde_json::from_str(&field(block, "data:")).unwrap_or_default(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_subscription_streams_its_results_and_completes() {
    let answer = send(
        &app(|_| ()),
        subscribe("subscription { ticks(count: 2) }", None),
    )
    .await;
    assert!(
        answer
            .header("content-type")
            .starts_with("text/event-stream")
    );
    let events = events(&answer.text);
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["next", "next", "complete"]);
    assert_eq!(events[1].1["data"]["ticks"], 1);
    assert_eq!(events[1].1["extensions"]["cost"]["requested"], 1);
}

#[tokio::test]
async fn queries_and_mutations_stream_one_result() {
    for document in ["{version}", "mutation {login}"] {
        let answer = send(&app(|_| ()), subscribe(document, None)).await;
        let names: Vec<String> = events(&answer.text)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["next", "complete"]);
    }
}

#[tokio::test]
async fn what_may_not_run_is_answered_without_a_stream() {
    let app = app(|_| ());
    let answer = send(
        &app,
        subscribe("subscription {a: ticks(count: 1) b: forever}", None),
    )
    .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::BAD_REQUEST, "TOO_COMPLEX")
    );
    let answer = send(
        &app,
        subscribe("subscription {forever}", Some("Bearer bad")),
    )
    .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED")
    );
    let get = Request::get("/graphql/stream?query=mutation%7Blogin%7D")
        .header("accept", "text/event-stream");
    assert_eq!(
        send(&app, get.body(Body::empty()).unwrap()).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let json =
        Request::get("/graphql/stream?query=%7Bversion%7D").header("accept", "application/json");
    assert_eq!(
        send(&app, json.body(Body::empty()).unwrap()).await.status,
        StatusCode::NOT_ACCEPTABLE
    );
}

#[tokio::test]
async fn a_stream_ends_when_the_token_expires() {
    let answer = send(
        &app(|_| ()),
        subscribe("subscription {forever}", Some("Bearer brief")),
    )
    .await;
    let events = events(&answer.text);
    assert_eq!(events.len(), 3);
    assert_eq!(
        events[1].1["errors"][0]["extensions"]["code"],
        "UNAUTHENTICATED"
    );
    assert_eq!(events[2].0, "complete");
}

#[tokio::test]
async fn a_stream_ends_when_the_session_is_revoked() {
    let app = app(|settings| settings.ping = std::time::Duration::from_millis(20));
    let answer = send(
        &app,
        subscribe("subscription {forever}", Some("Bearer once")),
    )
    .await;
    assert!(
        answer.text.contains("the session was ended"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn a_stream_that_ends_does_not_wait_for_the_token() {
    let answer = send(
        &app(|_| ()),
        subscribe("subscription {ticks(count: 1)}", Some("Bearer brief")),
    )
    .await;
    assert_eq!(events(&answer.text).len(), 2);
}

#[tokio::test]
async fn a_panic_in_a_stream_is_its_last_result() {
    let app = app(|_| ());
    for document in ["subscription {breaks}", "{panics}"] {
        let answer = send(&app, subscribe(document, None)).await;
        let events = events(&answer.text);
        let extensions = &events[0].1["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "INTERNAL");
        assert!(extensions["requestId"].is_string());
        assert_eq!(events.last().unwrap().0, "complete");
    }
    let answer = send(&app, subscribe("{version}", None)).await;
    assert_eq!(events(&answer.text)[0].1["data"]["version"], "1");
}
