//! `/graphql/ws`: the graphql-transport-ws protocol.
//!
//! The token comes in `connection_init`, as `authorization` or `token`. The caller is looked up again for every
//! operation and at every ping, and the connection is closed the moment the token expires.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use async_graphql::{Response, parser::types::OperationType};
use axum::{
    Extension,
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, HeaderValue, header},
};
use futures_util::{
    FutureExt, Sink, SinkExt, Stream, StreamExt, future,
    stream::{self, AbortHandle, Abortable, BoxStream, SelectAll},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{
    http::Wire,
    params::Params,
    refusal::{Cause, Refusal, RequestId, finish, refused},
    sockets::Seat,
    transport::{Carries, RequestData, Transport, broken},
};

const PROTOCOL: &str = "graphql-transport-ws";

/// How long the closing handshake may take.
const CLOSING: Duration = Duration::from_secs(2);

/// Bytes of an operation's id; the client makes it, and every message about the operation repeats it.
const LONGEST_ID: usize = 1_024;

/// Serves `/graphql/ws`.
pub async fn connect(
    State(transport): State<Transport>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    let limit = transport.settings().body;
    upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        .protocols([PROTOCOL])
        .on_upgrade(move |socket: WebSocket| {
            let spoken = socket
                .protocol()
                .is_some_and(|protocol| protocol == PROTOCOL);
            serve(transport, id, headers, socket.split(), spoken)
        })
}

/// Runs a connection until either side has had enough; dropping it drops its operations. `spoken` tells whether the
/// client offered the protocol.
pub async fn serve<E: std::fmt::Display>(
    transport: Transport,
    id: RequestId,
    headers: HeaderMap,
    (sink, messages): (
        impl Sink<Message> + Unpin,
        impl Stream<Item = Result<Message, E>> + Unpin,
    ),
    spoken: bool,
) {
    let mut messages = messages.fuse();
    let place = transport.sockets().enter();
    let mut connection = Connection::new(transport, id, headers, sink);
    let ended = if place.is_none() {
        Err(Some(Close::because(1013, "Too many connections")))
    } else if spoken {
        connection.run(&mut messages).await
    } else {
        Err(Some(Close::because(4406, "Subprotocol not acceptable")))
    };
    let Err(ended) = ended;
    // Its place is free from here on, and what it ran ends.
    drop(place);
    connection.release();
    if let Some(Close(code, reason)) = ended {
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        // Nothing more can be done for a client that does not even take the close frame.
        if connection.send(Message::Close(Some(frame))).await.is_err() {
            return;
        }
    }
    // The closing handshake: the library answers the client's close frame while it is read on, and what the client still
    // sends is read until its own close frame comes. Data left unread would reset the connection, and with it the close
    // frame on its way.
    let closed = async { while let Some(Ok(_)) = messages.next().await {} };
    let _ = timeout(CLOSING, closed).await;
}

/// What a client may say.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ClientMessage {
    ConnectionInit { payload: Option<Map<String, Value>> },
    Ping { payload: Option<Map<String, Value>> },
    Pong {},
    Subscribe { id: String, payload: Value },
    Complete { id: String },
}

/// Why the server ends a connection: the code of the protocol and a reason of at most 123 bytes.
#[derive(Debug)]
struct Close(u16, String);

impl Close {
    fn because(code: u16, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        while reason.len() > 123 {
            reason.pop();
        }
        Self(code, reason)
    }

    /// The library words what it cannot read in these ways.
    fn unreadable(error: &str) -> Self {
        let error = error.to_ascii_lowercase();
        if error.contains("too long") || error.contains("too big") {
            Self::because(1009, "The message is too large")
        } else if error.contains("utf-8") {
            Self::because(1007, "The message is not UTF-8")
        } else {
            Self::because(1002, "The message cannot be read")
        }
    }

    fn refused(refusal: &Refusal) -> Self {
        let code = match refusal.cause {
            Cause::Unauthenticated => 4401,
            Cause::Forbidden => 4403,
            _ => 1013,
        };
        Self::because(code, refusal.message.clone())
    }
}

/// What one operation has to say.
enum Event {
    Next(Response),
    Complete,
    Close(Close),
}

type Events = Abortable<BoxStream<'static, (String, Event)>>;

struct Connection<S> {
    transport: Transport,
    id: RequestId,
    headers: HeaderMap,
    sink: S,
    running: HashMap<String, AbortHandle>,
    events: SelectAll<Events>,
    acknowledged: bool,
    /// Until `connection_init` the moment it is due, afterwards the moment the token expires, if it does.
    until: Option<Instant>,
    /// What came since the last ping.
    heard: usize,
    seat: Option<Seat>,
}

impl<S: Sink<Message> + Unpin> Connection<S> {
    fn new(transport: Transport, id: RequestId, headers: HeaderMap, sink: S) -> Self {
        let until = Instant::now().checked_add(transport.settings().init_timeout);
        Self {
            transport,
            id,
            headers,
            sink,
            running: HashMap::new(),
            events: SelectAll::new(),
            acknowledged: false,
            until,
            heard: 1,
            seat: None,
        }
    }

    fn release(&mut self) {
        self.seat = None;
        self.running.clear();
        self.events = SelectAll::new();
    }

    /// Ends with what to close with, or with nothing when the client is gone.
    async fn run<E: std::fmt::Display>(
        &mut self,
        messages: &mut (impl Stream<Item = Result<Message, E>> + Unpin),
    ) -> Result<Infallible, Option<Close>> {
        let mut pings = ticks(self.transport.settings().ping);
        loop {
            let until = self.until;
            let due = async move {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => future::pending().await,
                }
            };
            tokio::select! {
                message = messages.next() => match message {
                    Some(Ok(message)) => self.hear(message).await?,
                    Some(Err(error)) => return Err(Some(Close::unreadable(&error.to_string()))),
                    None => return Err(None),
                },
                Some((id, event)) = self.events.next(), if !self.events.is_empty() => self.tell(id, event).await?,
                _ = pings.tick() => self.ping().await?,
                () = due => return Err(Some(if self.acknowledged {
                    Close::because(4401, "Token expired")
                } else {
                    Close::because(4408, "Connection initialisation timeout")
                })),
            }
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), Option<Close>> {
        self.heard += 1;
        if self.heard > self.transport.settings().messages {
            return Err(Some(Close::because(1008, "Too many messages")));
        }
        let text = match message {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(None),
            Message::Binary(_) => {
                return Err(Some(Close::because(4400, "Binary messages are not read")));
            }
        };
        let Ok(message) = serde_json::from_str(&text) else {
            return Err(Some(Close::because(4400, "Invalid message received")));
        };
        match message {
            ClientMessage::ConnectionInit { payload } => self.init(payload).await,
            ClientMessage::Ping { payload } => {
                self.say(match payload {
                    Some(payload) => json!({"type": "pong", "payload": payload}),
                    None => json!({"type": "pong"}),
                })
                .await
            }
            ClientMessage::Pong {} => Ok(()),
            ClientMessage::Subscribe { id, payload } => self.subscribe(id, payload).await,
            ClientMessage::Complete { id } => {
                if let Some(handle) = self.running.remove(&id) {
                    handle.abort();
                }
                Ok(())
            }
        }
    }

    async fn init(&mut self, payload: Option<Map<String, Value>>) -> Result<(), Option<Close>> {
        if self.acknowledged {
            return Err(Some(Close::because(
                4429,
                "Too many initialisation requests",
            )));
        }
        if let Some(token) = payload.as_ref().and_then(bearer) {
            let value = HeaderValue::from_str(&token)
                .map_err(|_| Some(Close::because(4401, "Unauthorized")))?;
            self.headers.insert(header::AUTHORIZATION, value);
        }
        let caller = self.caller().await?;
        self.seat = self.transport.sockets().seat(caller.bucket());
        if self.seat.is_none() {
            return Err(Some(Close::because(1013, "Too many connections")));
        }
        self.acknowledged = true;
        self.until = caller
            .lifetime()
            .and_then(|lifetime| Instant::now().checked_add(lifetime));
        self.say(json!({"type": "connection_ack"})).await
    }

    async fn subscribe(&mut self, id: String, payload: Value) -> Result<(), Option<Close>> {
        if !self.acknowledged {
            return Err(Some(Close::because(4401, "Unauthorized")));
        }
        if self.running.contains_key(&id) {
            return Err(Some(Close::because(
                4409,
                format!("Subscriber for {id} already exists"),
            )));
        }
        let most = self.transport.settings().operations;
        if self.running.len() >= most {
            let refusal = Refusal::new(
                Cause::Throttled,
                format!("at most {most} operations run on one connection"),
            );
            return self
                .tell(id, Event::Next(finish(refusal.into_response(), &self.id)))
                .await;
        }
        let Some(params) = Params::from_json(payload)
            .ok()
            .filter(|_| id.len() <= LONGEST_ID)
        else {
            return Err(Some(Close::because(4400, "Invalid message received")));
        };
        let events = operation(
            self.transport.clone(),
            self.headers.clone(),
            self.id.clone(),
            params,
        );
        let named = id.clone();
        let (handle, registration) = AbortHandle::new_pair();
        self.events.push(Abortable::new(
            events.map(move |event| (named.clone(), event)).boxed(),
            registration,
        ));
        self.running.insert(id, handle);
        Ok(())
    }

    /// A refused request is an `error`, which ends the operation without `complete`.
    async fn tell(&mut self, id: String, event: Event) -> Result<(), Option<Close>> {
        match event {
            Event::Next(response) if refused(&response).is_some() => {
                if let Some(handle) = self.running.remove(&id) {
                    handle.abort();
                }
                self.say(json!({"type": "error", "id": id, "payload": response.errors}))
                    .await
            }
            Event::Next(response) => {
                self.say(json!({"type": "next", "id": id, "payload": Wire::of(&response)}))
                    .await
            }
            Event::Complete => {
                self.running.remove(&id);
                self.say(json!({"type": "complete", "id": id})).await
            }
            Event::Close(close) => Err(Some(close)),
        }
    }

    /// A client that has been silent for a whole round is gone; one whose session has ended goes.
    async fn ping(&mut self) -> Result<(), Option<Close>> {
        if std::mem::take(&mut self.heard) == 0 {
            return Err(None);
        }
        if self.acknowledged {
            match self.transport.authenticate(&self.headers).await {
                // A moment in which it cannot be found out is no reason to part.
                Err(refusal) if refusal.cause != Cause::RetryLater => {
                    return Err(Some(Close::refused(&refusal)));
                }
                _ => {}
            }
        }
        self.send(Message::Ping(Vec::new().into())).await
    }

    async fn caller(&mut self) -> Result<RequestData, Option<Close>> {
        self.transport
            .authenticate(&self.headers)
            .await
            .map_err(|refusal| Some(Close::refused(&refusal)))
    }

    async fn say(&mut self, message: Value) -> Result<(), Option<Close>> {
        self.send(Message::Text(message.to_string().into())).await
    }

    /// A client that takes nothing for a whole round is gone.
    async fn send(&mut self, message: Message) -> Result<(), Option<Close>> {
        match timeout(self.transport.settings().ping, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(None),
        }
    }
}

/// One operation from its authentication to its end.
fn operation(
    transport: Transport,
    headers: HeaderMap,
    id: RequestId,
    params: Params,
) -> BoxStream<'static, Event> {
    let start = async move {
        let caller = match transport.authenticate(&headers).await {
            Ok(caller) => caller,
            Err(refusal) => return stream::iter([Event::Close(Close::refused(&refusal))]).boxed(),
        };
        let admitted = match transport.admit(&caller, params, Carries::Everything, &id) {
            Ok(admitted) => admitted,
            Err(response) => return stream::iter([Event::Next(*response)]).boxed(),
        };
        let named = id.clone();
        let results = if admitted.kind == OperationType::Subscription {
            transport.stream(admitted, id)
        } else {
            // In a task of its own: it goes on while the connection waits for its client or looks at the session.
            let answering = async move { transport.answer(admitted, &id).await };
            AbortOnDropHandle::new(tokio::spawn(answering.in_current_span()))
                .map(move |answer| answer.unwrap_or_else(|_| broken(&named)))
                .into_stream()
                .boxed()
        };
        results
            .map(Event::Next)
            .chain(stream::iter([Event::Complete]))
            .boxed()
    };
    start.into_stream().flatten().boxed()
}

/// The token in `connection_init`, with or without its scheme.
fn bearer(payload: &Map<String, Value>) -> Option<String> {
    let (_, token) = payload.iter().find(|(name, value)| {
        ["authorization", "token"]
            .iter()
            .any(|key| name.eq_ignore_ascii_case(key))
            && value.is_string()
    })?;
    let token = token.as_str()?.trim();
    let bare = token
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case("bearer "))
        .map_or(token, |_| &token[7..]);
    Some(format!("Bearer {}", bare.trim()))
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
