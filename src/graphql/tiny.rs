//! A small schema with one of everything, for the tests of the frame.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_graphql::{
    Context, Error, ErrorExtensions, Object, Result, Schema, SimpleObject, Subscription,
};
use async_trait::async_trait;
use axum::http::{HeaderMap, header};
use futures_util::{Stream, StreamExt, stream};

use super::{
    guard::Limits,
    transport::{AuthFailure, Authenticate, RequestData, Settings, Transport},
};

pub type Tiny = Schema<Query, Mutation, Ticks>;

#[derive(SimpleObject)]
pub struct PageInfo {
    has_next_page: bool,
}

pub struct Deal;

#[Object]
impl Deal {
    fn id(&self) -> &str {
        "d1"
    }
    fn title(&self) -> Option<Result<String>> {
        Some(Err(Error::new("hidden").extend_with(|_, extensions| {
            extensions.set("code", "FORBIDDEN")
        })))
    }
    /// Kin of this deal.
    fn related(&self) -> Vec<Self> {
        vec![]
    }
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    fn siblings(&self) -> Vec<Self> {
        vec![]
    }
    fn parent(&self) -> Option<Box<Self>> {
        None
    }
    fn deals(&self, first: Option<i32>, last: Option<i32>) -> DealConnection {
        let _ = (first, last);
        DealConnection
    }
}

#[derive(SimpleObject)]
pub struct DealEdge {
    cursor: String,
    node: Deal,
}

pub struct DealConnection;

#[Object]
impl DealConnection {
    fn edges(&self) -> Vec<DealEdge> {
        vec![DealEdge {
            cursor: "c".to_owned(),
            node: Deal,
        }]
    }
    fn nodes(&self) -> Vec<Deal> {
        vec![Deal]
    }
    fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: false,
        }
    }
    fn total_count(&self) -> i32 {
        1
    }
}

#[derive(Default)]
pub struct Query;

#[Object]
impl Query {
    fn version(&self) -> &str {
        "1"
    }
    fn deal(&self) -> Option<Deal> {
        Some(Deal)
    }
    fn deals(&self, first: Option<i32>, last: Option<i32>) -> DealConnection {
        let _ = (first, last);
        DealConnection
    }
    #[graphql(directive = crate::graphql::cost::list_size::apply(1, Some(vec!["ids".to_owned()])))]
    fn deals_of(&self, ids: Vec<String>) -> Vec<Deal> {
        ids.iter().map(|_| Deal).collect()
    }
    fn echo(&self, number: i32) -> i32 {
        number
    }
    fn panics(&self) -> i32 {
        std::hint::black_box(None::<i32>).expect("a resolver broke")
    }
    fn leaks(&self) -> Result<i32> {
        Err(std::io::Error::other("password=hunter2"))?
    }
    async fn slow(&self) -> i32 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        1
    }
    fn caller(&self, context: &Context<'_>) -> String {
        context
            .data_opt::<Name>()
            .map_or_else(|| "nobody".to_owned(), |name| name.0.clone())
    }
}

#[derive(Default)]
pub struct Mutation;

#[derive(SimpleObject)]
pub struct Payload {
    deal: Option<Deal>,
}

#[Object]
impl Mutation {
    fn deal_create(&self) -> Payload {
        Payload { deal: Some(Deal) }
    }
    fn login(&self) -> bool {
        true
    }
}

#[derive(Default)]
pub struct Ticks;

#[Subscription]
impl Ticks {
    async fn ticks(&self, count: i32) -> impl Stream<Item = i32> {
        stream::iter(0..count)
    }
    async fn forever(&self) -> impl Stream<Item = i32> {
        stream::iter([1]).chain(stream::pending())
    }
    async fn breaks(&self) -> impl Stream<Item = i32> {
        stream::once(async { panic!("a stream broke") })
    }
}

/// The name behind a token of the form `Bearer <name>`.
pub struct Name(pub String);

/// Signs in whoever names himself; the token `once` is good for a single look.
#[derive(Default)]
pub struct Door(AtomicU32);

#[async_trait]
impl Authenticate for Door {
    async fn authenticate(&self, headers: &HeaderMap) -> Result<RequestData, AuthFailure> {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        match token.map(|token| token.trim_start_matches("Bearer ").to_owned()) {
            None => Ok(RequestData::new("anonymous", |request| request)),
            Some(bad) if bad == "bad" => {
                Err(AuthFailure::Unauthenticated("the token is not valid"))
            }
            Some(barred) if barred == "barred" => {
                Err(AuthFailure::Forbidden("the account is closed"))
            }
            Some(away) if away == "away" => Err(AuthFailure::Unavailable),
            Some(once) if once == "once" && self.0.fetch_add(1, Ordering::Relaxed) > 0 => {
                Err(AuthFailure::Unauthenticated("the session was ended"))
            }
            Some(name) => {
                let expires = (name == "brief").then(|| Duration::from_millis(50));
                let data = RequestData::new(name.clone(), move |request| {
                    request.data(Name(name.clone()))
                });
                Ok(data.expires_in(expires))
            }
        }
    }
}

pub fn schema() -> Tiny {
    Schema::new(Query, Mutation, Ticks)
}

pub fn limits() -> Limits {
    Limits {
        alone: ["login".to_owned()].into(),
        ..Limits::default()
    }
}

/// A transport over the small schema, its settings adapted.
pub fn transport(adapt: impl FnOnce(&mut Settings)) -> Transport {
    let mut settings = Settings {
        limits: limits(),
        ..Settings::default()
    };
    adapt(&mut settings);
    let schema = schema();
    let sdl = schema.sdl();
    Transport::new(Arc::new(schema), &sdl, Arc::new(Door::default()), settings).unwrap()
}
