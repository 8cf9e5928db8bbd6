//! What every way into the API shares: who calls, what the request costs, running it within its time, one shape of
//! error at the end. HTTP, server-sent events and WebSocket only translate.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use async_graphql::{
    ObjectType, PathSegment, Request, Response, Schema, SubscriptionType, Value, parser,
    parser::types::OperationType, value,
};
use async_trait::async_trait;
use axum::http::HeaderMap;
use futures_util::{FutureExt, StreamExt, stream::BoxStream};

use super::{
    budget::{Buckets, Budget},
    guard::{Guard, Limits, Words, price},
    page::StartPage,
    params::Params,
    refusal::{Cause, Refusal, RequestId, finish},
    sockets::Sockets,
    turns::Turns,
};
use crate::platform::telemetry::{self, Outcome};

/// A schema without its types, so that an edit of the schema does not compile the frame again.
#[async_trait]
pub trait Execute: Send + Sync + 'static {
    /// Runs a query or a mutation.
    async fn execute(&self, request: Request) -> Response;

    /// Runs a subscription.
    fn execute_stream(&self, request: Request) -> BoxStream<'static, Response>;
}

#[async_trait]
impl<Q, M, S> Execute for Schema<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    async fn execute(&self, request: Request) -> Response {
        Self::execute(self, request).await
    }

    fn execute_stream(&self, request: Request) -> BoxStream<'static, Response> {
        Self::execute_stream(self, request)
    }
}

/// Why a caller may not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFailure {
    /// There is a token and it is invalid, expired or revoked.
    Unauthenticated(&'static str),
    /// The token is good and its owner may not use the API.
    Forbidden(&'static str),
    /// It cannot be found out just now.
    Unavailable,
}

impl From<AuthFailure> for Refusal {
    fn from(failure: AuthFailure) -> Self {
        match failure {
            AuthFailure::Unauthenticated(message) => Self::new(Cause::Unauthenticated, message),
            AuthFailure::Forbidden(message) => Self::new(Cause::Forbidden, message),
            AuthFailure::Unavailable => {
                Self::new(Cause::RetryLater, "signing in is not possible just now")
            }
        }
    }
}

/// Finds out who calls. No token at all is an anonymous caller, not a failure.
#[async_trait]
pub trait Authenticate: Send + Sync + 'static {
    /// Reads the headers of one request. On a WebSocket it is asked again for every operation and at every ping, with
    /// the headers of the handshake and the token of `connection_init`, so that a revoked token is out within seconds.
    ///
    /// # Errors
    ///
    /// See [`AuthFailure`]; nothing is executed then.
    async fn authenticate(&self, headers: &HeaderMap) -> Result<RequestData, AuthFailure>;
}

type Attach = dyn Fn(Request) -> Request + Send + Sync;

/// A caller as far as the frame is concerned.
#[derive(Clone)]
pub struct RequestData {
    bucket: Arc<str>,
    expires_in: Option<Duration>,
    words: Words,
    attach: Arc<Attach>,
    /// When finding out who calls began: the time it took is part of the request's.
    asked: Instant,
}

impl RequestData {
    /// `bucket` names whose points are spent; `attach` puts actor, scope and fresh loaders into each request.
    pub fn new(
        bucket: impl Into<Arc<str>>,
        attach: impl Fn(Request) -> Request + Send + Sync + 'static,
    ) -> Self {
        Self {
            bucket: bucket.into(),
            expires_in: None,
            words: Words::Open,
            attach: Arc::new(attach),
            asked: Instant::now(),
        }
    }

    /// How long the token is still good; long-lived connections end then.
    #[must_use]
    pub fn expires_in(self, expires_in: Option<Duration>) -> Self {
        Self { expires_in, ..self }
    }

    /// Whether errors keep silent about what the schema has: its names, its choices.
    #[must_use]
    pub fn hides_schema(self, hidden: bool) -> Self {
        let words = if hidden { Words::Reserved } else { Words::Open };
        Self { words, ..self }
    }

    pub(super) fn bucket(&self) -> &Arc<str> {
        &self.bucket
    }

    pub(super) fn lifetime(&self) -> Option<Duration> {
        self.expires_in
    }
}

/// What a deployment may set.
#[derive(Clone)]
pub struct Settings {
    /// Limits of one document.
    pub limits: Limits,
    /// The points of the callers.
    pub budget: Arc<dyn Budget>,
    /// How long a query or a mutation may take, finding out who calls included.
    pub deadline: Duration,
    /// Requests of one caller that run at once.
    pub running: usize,
    /// Requests of one caller that wait for their turn beside them.
    pub waiting: usize,
    /// Bytes of a request body or a WebSocket message.
    pub body: usize,
    /// Bytes of the data in an answer.
    pub answer: usize,
    /// Origins of browsers that may call, exactly as they send them (`https://portal.example`).
    pub origins: Vec<String>,
    /// How long a WebSocket may stay silent before `connection_init`.
    pub init_timeout: Duration,
    /// Time between two pings of a WebSocket.
    pub ping: Duration,
    /// Operations that may run on one WebSocket at a time.
    pub operations: usize,
    /// Messages that a WebSocket may send between two pings.
    pub messages: usize,
    /// WebSockets open at once.
    pub sockets: usize,
    /// WebSockets open at once of one caller.
    pub sockets_each: usize,
    /// In development: the start page, and with it the IDE. `None` in production.
    pub development: Option<StartPage>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            budget: Arc::new(Buckets::default()),
            deadline: Duration::from_secs(10),
            // An SQLite file on two processors has four readers: one is left for the others.
            running: 3,
            waiting: 50,
            body: 1024 * 1024,
            answer: 16 * 1024 * 1024,
            origins: Vec::new(),
            init_timeout: Duration::from_secs(5),
            ping: Duration::from_secs(20),
            operations: 20,
            messages: 2_000,
            sockets: 5_000,
            sockets_each: 100,
            development: None,
        }
    }
}

/// The one door behind all ways in. Cheap to clone.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    executor: Arc<dyn Execute>,
    door: Arc<dyn Authenticate>,
    guard: Guard,
    settings: Settings,
    sockets: Sockets,
    turns: Arc<Turns>,
    sdl: Arc<str>,
}

/// Which operations a way in can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// `GET /graphql`.
    Queries,
    /// `POST /graphql`.
    QueriesAndMutations,
    /// `GET /graphql/stream`.
    QueriesAndSubscriptions,
    /// `POST /graphql/stream` and WebSocket.
    Everything,
}

/// A request that was checked and paid for.
pub struct Admitted {
    request: Request,
    /// What it is.
    pub kind: OperationType,
    cost: Cost,
    /// When the request arrived.
    asked: Instant,
    caller: Arc<str>,
    words: Words,
}

/// What `extensions.cost` tells.
#[derive(Clone, Copy)]
struct Cost {
    requested: u64,
    available: u64,
    restore_rate: u64,
}

impl Cost {
    fn tell(self, response: Response) -> Response {
        let Self {
            requested,
            available,
            restore_rate,
        } = self;
        let cost =
            value!({"requested": requested, "available": available, "restoreRate": restore_rate});
        response.extension("cost", cost)
    }
}

impl Transport {
    /// Puts the parts together; `sdl` is the printed schema.
    ///
    /// # Errors
    ///
    /// When `sdl` is not a schema.
    pub fn new(
        executor: Arc<dyn Execute>,
        sdl: &str,
        door: Arc<dyn Authenticate>,
        settings: Settings,
    ) -> Result<Self, parser::Error> {
        let guard = Guard::new(sdl, settings.limits.clone())?;
        Ok(Self(Arc::new(Inner {
            executor,
            door,
            guard,
            turns: Arc::new(Turns::new(settings.running, settings.waiting)),
            sockets: Sockets::new(settings.sockets, settings.sockets_each),
            settings,
            sdl: sdl.into(),
        })))
    }

    /// What was set.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The printed schema.
    #[must_use]
    pub fn sdl(&self) -> &str {
        &self.0.sdl
    }

    /// The WebSockets that are open.
    pub(super) fn sockets(&self) -> &Sockets {
        &self.0.sockets
    }

    /// Who calls.
    ///
    /// # Errors
    ///
    /// The refusal to answer with.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<RequestData, Refusal> {
        let asked = Instant::now();
        // The other half of the time is for the request itself.
        let patience = self.0.settings.deadline / 2;
        match tokio::time::timeout(patience, self.0.door.authenticate(headers)).await {
            Ok(found) => Ok(RequestData { asked, ..found? }),
            Err(_) => Err(AuthFailure::Unavailable.into()),
        }
    }

    /// Checks a request and takes its points.
    ///
    /// # Errors
    ///
    /// The whole answer, when the request may not run.
    pub fn admit(
        &self,
        caller: &RequestData,
        params: Params,
        carries: Carries,
        id: &RequestId,
    ) -> Result<Admitted, Box<Response>> {
        let budget = &self.0.settings.budget;
        let charge = |requested| {
            let charge = budget.charge(&caller.bucket, requested);
            let cost = Cost {
                requested,
                available: charge.available,
                restore_rate: budget.restore_rate(),
            };
            (cost, charge.wait)
        };
        let refuse = |cost: Cost, refusal: Refusal| {
            let response = cost.tell(finish(refusal.into_response(), id));
            count(INVALID, &response, caller.asked);
            Box::new(response)
        };

        let throttle = |(cost, wait): (Cost, Option<Duration>)| {
            let refusal = Refusal::new(
                Cause::Throttled,
                "Too many points were spent; wait for `retryAfterMs`.",
            );
            refuse(
                cost,
                Refusal {
                    retry_after: wait,
                    ..refusal
                },
            )
        };
        // Whoever has nothing left is not even read.
        if charge(0).0.available < price::REQUEST {
            return Err(throttle(charge(price::REQUEST)));
        }
        let guard = &self.0.guard;
        let name = params.operation_name.as_deref();
        let checked = guard
            .check(&params.query, name, &params.variables, caller.words)
            .and_then(|checked| carries.check(checked.kind).map(|()| checked));
        let checked = match checked {
            Ok(checked) => checked,
            Err(refusal) => return Err(refuse(charge(price::REQUEST).0, refusal)),
        };
        let (cost, wait) = charge(checked.cost);
        if wait.is_some() {
            return Err(throttle((cost, wait)));
        }
        let mut request = Request::new(params.query)
            .variables(params.variables)
            .data(id.clone());
        request.operation_name = params.operation_name;
        request.extensions = params.extensions;
        request.set_parsed_query(Arc::unwrap_or_clone(checked.document));
        Ok(Admitted {
            request: (caller.attach)(request),
            kind: checked.kind,
            cost,
            asked: caller.asked,
            caller: Arc::clone(&caller.bucket),
            words: caller.words,
        })
    }

    /// Runs a query or a mutation: always an answer, in time. The requests of one caller take turns.
    pub async fn answer(&self, admitted: Admitted, id: &RequestId) -> Response {
        let Admitted {
            request,
            cost,
            caller,
            words,
            asked,
            kind,
        } = admitted;
        let settings = &self.0.settings;
        let until = asked + settings.deadline;
        let told = |response: Response| {
            let response = cost.tell(finish(response, id));
            count(label(kind), &response, asked);
            response
        };
        let Some(place) = self.0.turns.enter(&caller) else {
            return told(crowded(settings));
        };
        let work = async {
            // Whoever waits longer than this would hardly be answered in time.
            let turn = tokio::time::timeout(settings.deadline / 2, place.turn()).await;
            let _turn = turn.ok()?;
            let executed = AssertUnwindSafe(self.0.executor.execute(request)).catch_unwind();
            Some(executed.await)
        };
        let response = match tokio::time::timeout_at(until.into(), work).await {
            Ok(Some(Ok(response))) => bounded(response, settings.answer),
            Ok(Some(Err(_))) => broken(id),
            Ok(None) => crowded(settings),
            Err(_) => Refusal::new(Cause::Timeout, "The answer took too long.").into_response(),
        };
        told(worded(response, words))
    }

    /// Runs a subscription; ends when its source does, or breaks.
    pub fn stream(&self, admitted: Admitted, id: RequestId) -> BoxStream<'static, Response> {
        let Admitted {
            request,
            cost,
            words,
            kind,
            ..
        } = admitted;
        let mut since = Instant::now();
        let events = AssertUnwindSafe(self.0.executor.execute_stream(request)).catch_unwind();
        events
            .map(move |event| {
                let response = event.unwrap_or_else(|_| broken(&id));
                let response = cost.tell(finish(worded(response, words), &id));
                count(label(kind), &response, since);
                since = Instant::now();
                response
            })
            .boxed()
    }
}

/// The kind of requests that are rejected before their operation is known, or because of their form.
const INVALID: &str = "invalid";

fn label(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}

/// Counts a response by request kind and outcome.
fn count(kind: &'static str, response: &Response, since: Instant) {
    let codes = response
        .errors
        .iter()
        .map(|error| error.extensions.as_ref().and_then(|more| more.get("code")));
    let ours = [Cause::Internal, Cause::Timeout, Cause::RetryLater]
        .map(|cause| Some(Value::from(cause.code())));
    let outcome = match codes.map(|code| ours.contains(&code.cloned())).max() {
        None => Outcome::Done,
        Some(false) => Outcome::Refused,
        Some(true) => Outcome::Failed,
    };
    telemetry::request(kind, outcome, since.elapsed());
}

/// The response to a request that was rejected unread.
pub(super) fn turned_away(refusal: Refusal, id: &RequestId) -> Response {
    let response = finish(refusal.into_response(), id);
    count(INVALID, &response, Instant::now());
    response
}

/// The refusal of a request for which its caller has too many others.
fn crowded(settings: &Settings) -> Response {
    let message = format!(
        "Too many of your requests are being answered: {} run at once, {} more may wait.",
        settings.running, settings.waiting
    );
    Refusal {
        retry_after: Some(Duration::from_millis(500)),
        ..Refusal::new(Cause::Throttled, message)
    }
    .into_response()
}

/// An answer that is not too large. What a mutation changed is changed, so its error has the path of its field.
fn bounded(response: Response, most: usize) -> Response {
    if size(&response.data) <= most {
        return response;
    }
    let message = format!("The answer is larger than {most} bytes; ask for less.");
    let mut refused = Refusal::new(Cause::TooComplex, message).into_response();
    if let (Value::Object(fields), Some(error)) = (&response.data, refused.errors.first_mut()) {
        let first = fields.keys().next();
        error.path = first
            .map(|key| PathSegment::Field(key.to_string()))
            .into_iter()
            .collect();
    }
    refused
}

/// About the length of a value as JSON.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::List(items) => items
            .iter()
            .map(|item| size(item) + 1)
            .fold(2, usize::saturating_add),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| size(value).saturating_add(key.len() + 4))
            .fold(2, usize::saturating_add),
        _ => 8,
    }
}

/// Takes the library's suggestions out of the errors of a document, where the caller may not read the schema.
fn worded(mut response: Response, words: Words) -> Response {
    if words == Words::Reserved {
        for error in response
            .errors
            .iter_mut()
            .filter(|error| error.path.is_empty())
        {
            if let Some(place) = error.message.find(" Did you mean") {
                error.message.truncate(place);
            }
        }
    }
    response
}

impl Carries {
    fn check(self, kind: OperationType) -> Result<(), Refusal> {
        use OperationType::{Mutation, Subscription};
        match (self, kind) {
            (Self::Queries | Self::QueriesAndSubscriptions, Mutation) => Err(Refusal::new(
                Cause::MethodNotAllowed,
                "a mutation is sent by POST",
            )),
            (Self::Queries | Self::QueriesAndMutations, Subscription) => Err(Refusal::new(
                Cause::BadRequest,
                "subscriptions are served at /graphql/stream and /graphql/ws",
            )),
            _ => Ok(()),
        }
    }
}

/// The panic itself was written to the log by the panic hook; here it gets the request's id.
pub(super) fn broken(id: &RequestId) -> Response {
    tracing::error!(request_id = %id, "a request panicked");
    Refusal::new(Cause::Internal, "something went wrong on our side").into_response()
}
