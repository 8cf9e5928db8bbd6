use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::extract::ws::Message;
use futures_util::{Stream, sink, stream};
use serde_json::json;
use tokio::sync::{
    Notify,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::*;
use crate::graphql::{
    refusal::RequestId,
    transport::{AuthFailure, Authenticate, Execute, RequestData, Transport},
    ws::serve,
};

/// The client's end of a connection.
struct Client {
    out: UnboundedSender<Message>,
    input: UnboundedReceiver<Message>,
}

fn receive(
    input: UnboundedReceiver<Message>,
) -> impl Stream<Item = Result<Message, std::convert::Infallible>> + Unpin {
    Box::pin(stream::unfold(input, |mut input| async move {
        input.recv().await.map(|message| (Ok(message), input))
    }))
}

fn connect(spoken: bool, adapt: impl FnOnce(&mut Settings)) -> Client {
    over(tiny::transport(adapt), spoken)
}

fn over(transport: Transport, spoken: bool) -> Client {
    let (out, theirs) = unbounded_channel();
    let (sender, input) = unbounded_channel::<Message>();
    let sink = Box::pin(sink::unfold(sender, |sender, message| async move {
        sender.send(message).map(|()| sender).map_err(drop)
    }));
    let id = RequestId("r".into());
    tokio::spawn(async move {
        serve(
            transport,
            id,
            HeaderMap::new(),
            (sink, receive(theirs)),
            spoken,
        )
        .await
    });
    Client { out, input }
}

impl Client {
    fn say(&self, message: Value) {
        self.out
            .send(Message::Text(message.to_string().into()))
            .unwrap();
    }

    fn subscribe(&self, id: &str, document: &str) {
        self.say(json!({"type": "subscribe", "id": id, "payload": {"query": document}}));
    }

    async fn hear(&mut self) -> Value {
        match self.input.recv().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("not a message: {other:?}"),
        }
    }

    /// The close code, whatever comes before it.
    async fn closed(&mut self) -> u16 {
        loop {
            match self.input.recv().await {
                Some(Message::Close(Some(frame))) => {
                    assert!(frame.reason.len() <= 123);
                    return frame.code;
                }
                Some(_) => {}
                None => return 0,
            }
        }
    }
}

async fn ready(adapt: impl FnOnce(&mut Settings)) -> Client {
    let mut client = connect(true, adapt);
    client.say(json!({"type": "connection_init"}));
    assert_eq!(client.hear().await, json!({"type": "connection_ack"}));
    client
}

#[tokio::test]
async fn operations_of_all_kinds_answer_next_and_complete() {
    let mut client = ready(|_| ()).await;
    client.subscribe("1", "subscription { ticks(count: 2) }");
    for tick in 0..2 {
        let next = client.hear().await;
        assert_eq!(
            (
                &next["type"],
                &next["id"],
                &next["payload"]["data"]["ticks"]
            ),
            (&json!("next"), &json!("1"), &json!(tick))
        );
        assert_cost(&next);
    }
    assert_eq!(client.hear().await, json!({"type": "complete", "id": "1"}));
    for document in ["{version}", "mutation {login}"] {
        client.subscribe("1", document);
        let next = client.hear().await;
        assert_eq!(next["type"], "next");
        assert_cost(&next);
        assert_eq!(client.hear().await["type"], "complete");
    }
}

/// Every answer tells what its request cost.
#[track_caller]
fn assert_cost(next: &Value) {
    let cost = &next["payload"]["extensions"]["cost"];
    assert!(
        cost["requested"].as_u64().is_some_and(|points| points > 0),
        "{next}"
    );
}

#[tokio::test]
async fn a_refused_request_is_an_error_and_the_connection_lives() {
    let mut client = ready(|_| ()).await;
    for (document, code) in [
        ("{", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "subscription { a: ticks(count: 1) b: forever }",
            "TOO_COMPLEX",
        ),
        (
            "mutation { login: dealCreate { deal { id } } login }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ] {
        client.subscribe("1", document);
        let error = client.hear().await;
        assert_eq!(error["type"], "error", "{document}");
        assert_eq!(
            error["payload"][0]["extensions"]["code"], code,
            "{document}"
        );
    }
    client.subscribe("1", "{version}");
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn every_breach_of_the_protocol_has_its_close_code() {
    let mut early = connect(true, |_| ());
    early.subscribe("1", "{version}");
    assert_eq!(early.closed().await, 4401);

    let mut late = connect(true, |settings| {
        settings.init_timeout = Duration::from_millis(20)
    });
    assert_eq!(late.closed().await, 4408);

    let mut twice = ready(|_| ()).await;
    twice.say(json!({"type": "connection_init"}));
    assert_eq!(twice.closed().await, 4429);

    let mut same = ready(|_| ()).await;
    let long = "x".repeat(200);
    same.subscribe(&long, "subscription { forever }");
    same.subscribe(&long, "subscription { forever }");
    assert_eq!(same.closed().await, 4409);

    for nonsense in [
        json!({"type": "start"}),
        json!({"type": "subscribe", "id": "1"}),
        json!([]),
        json!({"type": "subscribe", "id": "1", "payload": {"query": 1}}),
        json!({"type": "connection_init", "payload": 1}),
    ] {
        let mut client = ready(|_| ()).await;
        client.say(nonsense);
        assert_eq!(client.closed().await, 4400);
    }
    let mut binary = ready(|_| ()).await;
    binary.out.send(Message::Binary(vec![1].into())).unwrap();
    assert_eq!(binary.closed().await, 4400);

    assert_eq!(connect(false, |_| ()).closed().await, 4406);
}

#[tokio::test]
async fn the_token_of_connection_init_says_who_calls() {
    for payload in [
        json!({"token": "ada"}),
        json!({"authorization": "Bearer ada"}),
        json!({"Authorization": "bearer ada"}),
    ] {
        let mut client = connect(true, |_| ());
        client.say(json!({"type": "connection_init", "payload": payload}));
        assert_eq!(client.hear().await["type"], "connection_ack");
        client.subscribe("1", "{caller}");
        assert_eq!(client.hear().await["payload"]["data"]["caller"], "ada");
    }
    for (token, code) in [("bad", 4401), ("barred", 4403), ("away", 1013)] {
        let mut client = connect(true, |_| ());
        client.say(json!({"type": "connection_init", "payload": {"token": token}}));
        assert_eq!(client.closed().await, code);
    }
}

#[tokio::test]
async fn the_connection_ends_with_its_token() {
    let mut client = connect(true, |_| ());
    client.say(json!({"type": "connection_init", "payload": {"token": "brief"}}));
    client.subscribe("1", "subscription { forever }");
    assert_eq!(client.closed().await, 4401);
}

#[tokio::test]
async fn the_connection_ends_with_its_session() {
    let mut client = connect(true, |settings| settings.ping = Duration::from_millis(20));
    client.say(json!({"type": "connection_init", "payload": {"token": "once"}}));
    assert_eq!(client.closed().await, 4401);
    let mut client = connect(true, |_| ());
    client.say(json!({"type": "connection_init", "payload": {"token": "once"}}));
    client.subscribe("1", "{caller}");
    assert_eq!(client.closed().await, 4401);
}

#[tokio::test]
async fn a_completed_operation_is_silent_and_its_id_is_free() {
    let mut client = ready(|_| ()).await;
    client.subscribe("1", "subscription { forever }");
    assert_eq!(client.hear().await["payload"]["data"]["forever"], 1);
    client.say(json!({"type": "complete", "id": "1"}));
    client.say(json!({"type": "complete", "id": "unknown"}));
    client.subscribe("1", "subscription { ticks(count: 1) }");
    assert_eq!(client.hear().await["payload"]["data"]["ticks"], 0);
    assert_eq!(client.hear().await["type"], "complete");
}

#[tokio::test]
async fn twenty_operations_run_at_a_time() {
    let mut client = ready(|_| ()).await;
    for id in 0..20 {
        client.subscribe(&id.to_string(), "subscription { forever }");
        assert_eq!(client.hear().await["type"], "next");
    }
    client.subscribe("20", "subscription { forever }");
    let error = client.hear().await;
    assert_eq!(
        (&error["type"], &error["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("THROTTLED"))
    );
    client.say(json!({"type": "complete", "id": "3"}));
    client.subscribe("20", "subscription { forever }");
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn a_panic_ends_the_operation_alone() {
    let mut client = ready(|_| ()).await;
    for document in ["{panics}", "subscription {breaks}"] {
        client.subscribe("1", document);
        let error = client.hear().await;
        assert_eq!(
            (&error["type"], &error["payload"][0]["extensions"]["code"]),
            (&json!("error"), &json!("INTERNAL"))
        );
    }
    client.subscribe("1", "{version}");
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn pings_are_answered_sent_and_expected_to_be_answered() {
    let mut client = ready(|settings| settings.ping = Duration::from_millis(30)).await;
    client.say(json!({"type": "ping", "payload": {"a": 1}}));
    assert_eq!(
        client.hear().await,
        json!({"type": "pong", "payload": {"a": 1}})
    );
    for _ in 0..3 {
        assert!(matches!(client.input.recv().await, Some(Message::Ping(_))));
        client.out.send(Message::Pong(Vec::new().into())).unwrap();
    }
    assert_eq!(client.closed().await, 0);
}

/// From the third look on, that of a ping, the session is never found.
#[derive(Default)]
struct Tardy {
    looks: AtomicU32,
    looking: Notify,
}

#[async_trait]
impl Authenticate for Tardy {
    async fn authenticate(&self, _: &HeaderMap) -> Result<RequestData, AuthFailure> {
        if self.looks.fetch_add(1, Ordering::Relaxed) == 2 {
            self.looking.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(RequestData::new("ada", |request| request))
    }
}

/// An operation that ends while a ping looks at the session.
struct Patient {
    door: Arc<Tardy>,
    done: UnboundedSender<()>,
}

#[async_trait]
impl Execute for Patient {
    async fn execute(&self, _: async_graphql::Request) -> async_graphql::Response {
        self.door.looking.notified().await;
        self.done.send(()).unwrap();
        async_graphql::Response::new(async_graphql::Value::Null)
    }

    fn execute_stream(
        &self,
        _: async_graphql::Request,
    ) -> stream::BoxStream<'static, async_graphql::Response> {
        Box::pin(stream::empty())
    }
}

#[tokio::test]
async fn an_operation_goes_on_while_a_ping_looks_at_the_session() {
    let (door, (done, mut ended)) = (Arc::new(Tardy::default()), unbounded_channel());
    let executor = Arc::new(Patient {
        door: Arc::clone(&door),
        done,
    });
    let settings = Settings {
        limits: tiny::limits(),
        ping: Duration::from_millis(20),
        ..Settings::default()
    };
    let transport = Transport::new(executor, &tiny::schema().sdl(), door, settings).unwrap();
    let mut client = over(transport, true);
    client.say(json!({"type": "connection_init"}));
    assert_eq!(client.hear().await["type"], "connection_ack");
    client.subscribe("1", "{version}");
    let ended = tokio::time::timeout(Duration::from_secs(10), ended.recv());
    assert_eq!(ended.await, Ok(Some(())));
}

#[tokio::test]
async fn a_flood_of_messages_ends_the_connection() {
    let mut client = ready(|settings| settings.messages = 50).await;
    for _ in 0..50 {
        client.say(json!({"type": "ping"}));
    }
    assert_eq!(client.closed().await, 1008);
}

#[tokio::test]
async fn connections_are_bounded_together_and_for_each_caller() {
    let transport = tiny::transport(|settings| {
        settings.sockets = 3;
        settings.sockets_each = 2;
    });
    let init = |token: &str| json!({"type": "connection_init", "payload": {"token": token}});
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut client = over(transport.clone(), true);
        client.say(init("ada"));
        assert_eq!(client.hear().await["type"], "connection_ack");
        open.push(client);
    }
    let mut third = over(transport.clone(), true);
    third.say(init("ada"));
    assert_eq!(third.closed().await, 1013);
    let mut other = over(transport.clone(), true);
    other.say(init("bo"));
    assert_eq!(other.hear().await["type"], "connection_ack");
    assert_eq!(over(transport.clone(), true).closed().await, 1013);
    // Whoever leaves makes room.
    let left = open.pop().unwrap();
    left.out.send(Message::Close(None)).unwrap();
    drop(left);
    tokio::task::yield_now().await;
    let mut again = over(transport, true);
    again.say(init("ada"));
    assert_eq!(again.hear().await["type"], "connection_ack");
}

#[tokio::test]
async fn an_id_that_is_too_long_is_no_id() {
    let mut client = ready(|_| ()).await;
    client.subscribe(&"x".repeat(1_025), "{version}");
    assert_eq!(client.closed().await, 4400);
}
