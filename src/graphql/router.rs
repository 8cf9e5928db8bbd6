//! All ways into the API on one router, inside the layers every request passes: an id, a span in the log, a net under
//! panics, the list of origins.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use futures_util::FutureExt;
use tower_http::{
    cors::{AllowOrigin, CorsLayer},
    request_id::{MakeRequestId, MakeRequestUuid},
    trace::TraceLayer,
};

use super::{
    http, ide,
    media::Media,
    page,
    refusal::{RequestId, finish},
    sse,
    transport::{Transport, broken},
    ws,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// `/graphql`, `/graphql/stream` and `/graphql/ws`; in development also the start page, the IDE and the schema.
pub fn router(transport: Transport) -> Router {
    let router = Router::new()
        .route(
            "/graphql",
            get(http::graphql)
                .post(http::graphql)
                .fallback(http::method_not_allowed),
        )
        .route(
            "/graphql/stream",
            get(sse::stream)
                .post(sse::stream)
                .fallback(http::method_not_allowed),
        )
        .route("/graphql/ws", get(ws::connect));
    let development = transport.settings().development.as_ref();
    // No other origin reads the pages of development, whatever the list of origins says.
    let pages = development
        .map(|start| page::routes(start, transport.sdl()).merge(ide::routes()))
        .unwrap_or_default();
    let cors = cors(&transport.settings().origins);
    wrap(router.with_state(transport))
        .layer(cors)
        .merge(wrap(pages))
}

/// Puts the id, the span and the net under panics around routes; for the routes beside GraphQL, too.
pub fn wrap(router: Router) -> Router {
    let trace = TraceLayer::new_for_http().make_span_with(|request: &Request| {
        let id = request
            .extensions()
            .get::<RequestId>()
            .map_or("", |id| &id.0);
        // The path alone: a query string may hold a document with its values.
        tracing::info_span!("request", id, method = %request.method(), path = request.uri().path())
    });
    router.layer(trace).layer(middleware::from_fn(identify))
}

/// Gives the request its id and sends it back. A panic anywhere below becomes an answer.
async fn identify(mut request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let media = Media::accepted(request.headers()).unwrap_or(Media::Json);
    request.extensions_mut().insert(id.clone());
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_| {
        let mut response = http::respond(&finish(broken(&id), &id), media);
        *response.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    });
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The client's own id if it is one that may stand in a log line, else a new one.
fn request_id(request: &Request) -> RequestId {
    let given = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|value| {
            (1..=64).contains(&value.len())
                && value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
        });
    let id = given.map(Arc::from).or_else(|| {
        let made = MakeRequestUuid.make_request_id(request)?;
        made.header_value().to_str().ok().map(Arc::from)
    });
    RequestId(id.unwrap_or_default())
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(
            origins
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin).ok()),
        )
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            REQUEST_ID,
        ])
        .expose_headers([REQUEST_ID])
        .max_age(Duration::from_secs(600))
}
