//! GraphiQL at `/graphiql`, for development. Everything it needs is in the binary; it talks to this server alone.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};

/// One file of the IDE or the start page: path, content type, content.
pub(super) type File = (&'static str, &'static str, &'static [u8]);

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const SCRIPT: &str = "text/javascript; charset=utf-8";

const INDEX: &[u8] = include_bytes!("index.html");

/// Ours: short, and asked for anew each time.
const OWN: [File; 2] = [
    ("/graphiql/boot.css", CSS, include_bytes!("boot.css")),
    ("/graphiql/boot.js", SCRIPT, include_bytes!("boot.js")),
];

/// Of others: large, with their version in the path, kept by the browser for good.
const VENDOR: [File; 4] = [
    (
        "/graphiql/3.9.0/graphiql.min.css",
        CSS,
        include_bytes!("vendor/graphiql.min.css"),
    ),
    (
        "/graphiql/3.9.0/graphiql.min.js",
        SCRIPT,
        include_bytes!("vendor/graphiql.min.js"),
    ),
    (
        "/graphiql/3.9.0/react.production.min.js",
        SCRIPT,
        include_bytes!("vendor/react.production.min.js"),
    ),
    (
        "/graphiql/3.9.0/react-dom.production.min.js",
        SCRIPT,
        include_bytes!("vendor/react-dom.production.min.js"),
    ),
];

/// The editor sets style attributes and its fonts are part of its style sheet; scripts come from files only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and its files.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let index = || async { file((HTML, INDEX), "no-cache", POLICY) };
    let mut router = Router::new().route("/graphiql", get(index));
    for (path, kind, content) in OWN {
        router = router.route(
            path,
            get(move || async move { file((kind, content), "no-cache", POLICY) }),
        );
    }
    for (path, kind, content) in VENDOR {
        let cache = "public, max-age=31536000, immutable";
        router = router.route(
            path,
            get(move || async move { file((kind, content), cache, POLICY) }),
        );
    }
    router
}

/// Answers a file with everything a careful browser wants to know.
pub(super) fn file(
    (kind, content): (&'static str, impl IntoResponse),
    cache: &'static str,
    policy: &'static str,
) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(policy),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (headers, content).into_response()
}
