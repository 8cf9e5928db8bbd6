//! The ways into the API as a client meets them, over a small schema.
mod http;
mod pages;
mod sse;
mod ws;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use serde_json::Value;
use tower::ServiceExt;

use super::{router::router, tiny, transport::Settings};

pub const GRAPHQL: &str = "application/graphql-response+json";

pub fn app(adapt: impl FnOnce(&mut Settings)) -> Router {
    router(tiny::transport(adapt))
}

/// An answer read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub fn code(&self) -> String {
        let json = self.json();
        let extensions = &json["errors"][0]["extensions"];
        assert!(
            extensions["requestId"].is_string() && extensions["retryable"].is_boolean(),
            "{json}"
        );
        extensions["code"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

pub async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text,
    }
}

pub fn post(accept: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", accept);
    request.body(body.into()).unwrap()
}

pub fn query(document: &str) -> String {
    serde_json::json!({ "query": document }).to_string()
}
