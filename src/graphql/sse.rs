//! `/graphql/stream`: server-sent events in distinct connections mode. One request, one stream: `next` for each result,
//! `complete` at the end. What may not run is answered as on `/graphql`.

use std::{convert::Infallible, time::Duration};

use async_graphql::{Response, parser::types::OperationType};
use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, Request},
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{
    FutureExt, StreamExt, future,
    stream::{self, BoxStream},
};

use tokio::time::{Instant, sleep_until};

use super::{
    http::{body, receive, refuse, respond},
    media::{Media, accepts_events},
    refusal::{Cause, Refusal, RequestId, finish},
    transport::{Carries, Transport},
};

/// Serves `/graphql/stream`.
pub async fn stream(
    State(transport): State<Transport>,
    Extension(id): Extension<RequestId>,
    request: Request<Body>,
) -> axum::response::Response {
    if !accepts_events(request.headers()) {
        return refuse(
            Refusal::new(Cause::NotAcceptable, "accept text/event-stream"),
            Media::Json,
            &id,
        );
    }
    let carries = match *request.method() {
        Method::POST => Carries::Everything,
        _ => Carries::QueriesAndSubscriptions,
    };
    let (headers, params) = match receive(request, transport.settings()).await {
        Ok(received) => received,
        Err(refusal) => return refuse(refusal, Media::GraphQl, &id),
    };
    let caller = match transport.authenticate(&headers).await {
        Ok(caller) => caller,
        Err(refusal) => return refuse(refusal, Media::GraphQl, &id),
    };
    let admitted = match transport.admit(&caller, params, carries, &id) {
        Ok(admitted) => admitted,
        Err(response) => return respond(&response, Media::GraphQl),
    };
    let keep_alive = KeepAlive::new().interval(transport.settings().ping);
    let results = if admitted.kind == OperationType::Subscription {
        let results = transport.stream(admitted, id.clone());
        while_signed_in(
            results,
            session_end(transport, headers, caller.lifetime()),
            id,
        )
    } else {
        async move { transport.answer(admitted, &id).await }
            .into_stream()
            .boxed()
    };
    let done = stream::iter([Event::default().event("complete").data("")]);
    let events = results
        .map(|result| Event::default().event("next").data(body(&result)))
        .chain(done);
    Sse::new(events.map(Ok::<_, Infallible>))
        .keep_alive(keep_alive)
        .into_response()
}

/// The results until the session behind them ends; the last one then says why.
fn while_signed_in(
    results: BoxStream<'static, Response>,
    end: impl Future<Output = Refusal> + Send + 'static,
    id: RequestId,
) -> BoxStream<'static, Response> {
    // Each side ends the whole with `None`: the source when it is done, the session after its farewell.
    let done = || stream::once(future::ready(None));
    let farewell = end.map(move |refusal| Some(finish(refusal.into_response(), &id)));
    stream::select(
        results.map(Some).chain(done()),
        stream::once(farewell).chain(done()),
    )
    .take_while(|item| future::ready(item.is_some()))
    .filter_map(future::ready)
    .boxed()
}

/// Waits for the session to end: its token expires, or is found revoked at one of the regular looks.
async fn session_end(
    transport: Transport,
    headers: HeaderMap,
    lifetime: Option<Duration>,
) -> Refusal {
    let expiry = lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime));
    loop {
        let look = Instant::now() + transport.settings().ping;
        let wake = expiry.map_or(look, |expiry| expiry.min(look));
        sleep_until(wake).await;
        if expiry.is_some_and(|expiry| expiry <= wake) {
            return Refusal::new(Cause::Unauthenticated, "the token has expired");
        }
        match transport.authenticate(&headers).await {
            Err(refusal) if refusal.cause != Cause::RetryLater => return refusal,
            _ => {}
        }
    }
}
