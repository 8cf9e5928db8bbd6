//! The real way in: every layer of the server's router, with an address at the other end.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::Request,
};
use ensemble::{
    access::Actor, app::App, graphql::budget::Buckets, platform::proxies::AddressRange, server,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::support::{Person, TestApp};

/// The server of an application.
#[derive(Clone)]
pub struct Http {
    router: Router,
}

/// An answer; two are the same when status and text are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The code of the first top-level error.
    pub fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or("none")
            .to_owned()
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Ask {
    pub token: Option<String>,
    pub peer: &'static str,
    pub forwarded_for: Option<String>,
    pub body: Value,
}

impl Ask {
    pub fn anonymous(document: &str, variables: Value) -> Self {
        Self {
            token: None,
            peer: "203.0.113.7:50000",
            forwarded_for: None,
            body: json!({"query": document, "variables": variables}),
        }
    }

    pub fn bearing(token: &str, document: &str, variables: Value) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..Self::anonymous(document, variables)
        }
    }
}

impl Http {
    pub fn of(app: &App) -> Self {
        Self::behind(app, &[])
    }

    /// With these proxies believed.
    pub fn behind(app: &App, proxies: &[&str]) -> Self {
        let mut settings = server::settings();
        // A bucket that is always full tells the same in every answer.
        settings.budget = Arc::new(Buckets::new(1_000_000_000, 1_000_000_000_000));
        let transport = server::transport(app, settings).unwrap();
        let trusted: Vec<AddressRange> =
            proxies.iter().map(|range| range.parse().unwrap()).collect();
        Self {
            router: server::routes(app, transport, trusted, &CancellationToken::new()),
        }
    }

    pub async fn send(&self, ask: Ask) -> Reply {
        let mut request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("accept", "application/graphql-response+json")
            .header("x-request-id", "the-same");
        if let Some(token) = &ask.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(address) = &ask.forwarded_for {
            request = request.header("x-forwarded-for", address);
        }
        let mut request = request.body(Body::from(ask.body.to_string())).unwrap();
        let peer: SocketAddr = ask.peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        self.raw(request).await
    }

    pub async fn raw(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Reply {
            status,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}

/// A good access token of somebody's session.
pub fn token_of(t: &TestApp, person: &Person) -> String {
    token(t, &person.actor)
}

pub fn token(t: &TestApp, actor: &Actor) -> String {
    let Actor::User(user) = actor else {
        panic!("people carry tokens")
    };
    t.app
        .keys()
        .sign(user.user_id.0, user.session_id.0, t.app.clock().now())
        .unwrap()
        .0
}
