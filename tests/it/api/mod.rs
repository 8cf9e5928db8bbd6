//! The API as clients meet it: through the transport, with a token, on every way in.

mod busy;
mod conformance;
mod decimals;
mod documents;
pub mod faults;
mod fuzz;
mod hostile;
mod sockets;
mod wording;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use ensemble::{
    access::Actor, entity::user::Role, graphql::transport::Settings, platform::ids::TypedId, seeds,
    server,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::support::{Case, Person, TestApp};

/// The cases of this folder.
pub fn cases() -> Vec<Case> {
    [
        busy::cases(),
        conformance::cases(),
        decimals::cases(),
        documents::cases(),
        faults::cases(),
        fuzz::cases(),
        hostile::cases(),
        sockets::cases(),
        wording::cases(),
    ]
    .concat()
}

/// The server's routes over an application.
#[derive(Clone)]
struct Door(Router);

/// An answer of the server.
struct Reply {
    status: StatusCode,
    text: String,
    json: Value,
}

impl Reply {
    /// The codes of its errors, in their order.
    fn codes(&self) -> Vec<&str> {
        let errors = self.json["errors"].as_array();
        errors
            .into_iter()
            .flatten()
            .map(|error| error["extensions"]["code"].as_str().unwrap_or_default())
            .collect()
    }

    /// The one code of a request that was refused before anything of it ran.
    #[track_caller]
    fn refused(&self) -> &str {
        assert!(self.json.get("data").is_none(), "{}", self.text);
        let codes = self.codes();
        let first = *codes.first().expect("an error");
        assert!(codes.iter().all(|code| *code == first), "{}", self.text);
        first
    }

    #[track_caller]
    fn data(&self) -> &Value {
        assert!(self.json.get("errors").is_none(), "{}", self.text);
        &self.json["data"]
    }
}

impl Door {
    fn open(t: &TestApp, adapt: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = server::settings();
        adapt(&mut settings);
        let transport = server::transport(&t.app, settings).unwrap();
        let stop = CancellationToken::new();
        Self(server::routes(&t.app, transport, Vec::new(), &stop))
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.0.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Reply { status, text, json }
    }

    async fn post(&self, token: &str, body: impl Into<Body>) -> Reply {
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("accept", "application/graphql-response+json");
        let request = if token.is_empty() {
            request
        } else {
            request.header("authorization", format!("Bearer {token}"))
        };
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn ask(&self, token: &str, document: &str, variables: Value) -> Reply {
        let body = json!({ "query": document, "variables": variables });
        self.post(token, body.to_string()).await
    }
}

/// The access token of somebody.
fn token(t: &TestApp, person: &Person) -> String {
    let Actor::User(user) = &person.actor else {
        panic!("nobody signed in");
    };
    let now = t.app.clock().now();
    let signed = t
        .app
        .keys()
        .sign(user.user_id.uuid(), user.session_id.uuid(), now);
    signed.unwrap().0
}

/// The demo, an administrator's token and the server's routes.
async fn demo(t: &TestApp) -> (Door, String) {
    assert!(seeds::load(&t.app).await.unwrap());
    t.settle().await;
    let admin = t.person(Role::Administrator, None).await;
    (Door::open(t, |_| ()), token(t, &admin))
}

/// How many partners there are.
async fn partners(t: &TestApp) -> u64 {
    use sea_orm::{EntityTrait, PaginatorTrait};
    ensemble::entity::partner::Entity::find()
        .count(t.app.db().reader())
        .await
        .unwrap()
}
