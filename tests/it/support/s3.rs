//! An S3-compatible service: a small one of the test's own, or a real one that is named in the environment.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
    routing::any,
};
use ensemble::platform::files::{Bucket, Keys};

/// The access key of every service of a test.
const KEY: (&str, &str) = ("prm", "a key that only the tests know");
const REGION: &str = "eu-central-1";

/// An access key.
pub fn keys(id: &str, secret: &str) -> Option<Keys> {
    Some(Keys {
        id: id.to_owned(),
        secret: secret.to_owned().into(),
    })
}

/// The bucket `ensemble-test` of the real service that `ENSEMBLE_TEST_S3` names, such as `http://127.0.0.1:9000`, and what
/// a run keeps there.
#[expect(
    clippy::disallowed_methods,
    reason = "a real service is named by the environment"
)]
pub fn service() -> Option<Bucket> {
    let endpoint = std::env::var("ENSEMBLE_TEST_S3").ok()?;
    Some(Bucket {
        name: "ensemble-test".to_owned(),
        prefix: format!("run-{}", rand::random::<u64>()),
        endpoint: endpoint.parse().ok(),
        region: REGION.to_owned(),
        keys: keys(KEY.0, KEY.1),
    })
}

type Objects = Arc<Mutex<BTreeMap<String, Bytes>>>;

/// A service with one bucket.
pub struct Service {
    address: SocketAddr,
    objects: Objects,
}

impl Service {
    /// Starts one.
    pub async fn open(bucket: &'static str) -> Self {
        let objects = Objects::default();
        let routes = Router::new()
            .route(&format!("/{bucket}"), any(list))
            .route(&format!("/{bucket}/{{*key}}"), any(object))
            .with_state(Arc::clone(&objects));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, objects }
    }

    /// Its bucket, for those who have its key.
    pub fn bucket(&self, name: &str, prefix: &str) -> Bucket {
        Bucket {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: format!("http://{}", self.address).parse().ok(),
            region: REGION.to_owned(),
            keys: keys(KEY.0, KEY.1),
        }
    }

    /// What it keeps.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.objects.lock().unwrap().clone()
    }
}

/// Whether a request is signed by the key for this region. The signature itself is for real services to check.
fn is_signed(headers: &HeaderMap) -> bool {
    let given = headers.get("authorization");
    let given = given.and_then(|value| value.to_str().ok());
    given.is_some_and(|given| {
        given.starts_with(&format!("AWS4-HMAC-SHA256 Credential={}/", KEY.0))
            && given.contains(&format!("/{REGION}/s3/aws4_request"))
    })
}

async fn object(
    State(objects): State<Objects>,
    method: Method,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_signed(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut objects = objects.lock().unwrap();
    let stored = |content: Bytes| {
        let length = content.len().to_string();
        let facts = [
            ("etag", "\"1\"".to_owned()),
            ("last-modified", "Sun, 01 Mar 2026 09:00:00 GMT".to_owned()),
            ("content-length", length),
        ];
        (facts, content).into_response()
    };
    match (method.as_str(), headers.get("x-amz-copy-source")) {
        ("GET" | "HEAD", _) => match objects.get(&key) {
            Some(content) => stored(content.clone()),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        ("PUT", Some(source)) => {
            let source = source.to_str().unwrap();
            let (_, from) = source.trim_start_matches('/').split_once('/').unwrap();
            let Some(content) = objects.get(from).cloned() else {
                return StatusCode::NOT_FOUND.into_response();
            };
            objects.insert(key, content);
            "<CopyObjectResult><ETag>\"1\"</ETag></CopyObjectResult>".into_response()
        }
        ("PUT", None) => {
            let once = headers.get("if-none-match").is_some_and(|any| any == "*");
            if once && objects.contains_key(&key) {
                return StatusCode::PRECONDITION_FAILED.into_response();
            }
            objects.insert(key, body);
            stored(Bytes::new())
        }
        ("DELETE", _) => {
            objects.remove(&key);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

async fn list(
    State(objects): State<Objects>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if !is_signed(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let query = query.unwrap_or_default();
    let mut parameters = url::form_urlencoded::parse(query.as_bytes());
    let prefix = parameters.find(|(name, _)| name == "prefix");
    let prefix = prefix
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default();
    let objects = objects.lock().unwrap();
    let found = objects.iter().filter(|(key, _)| key.starts_with(&prefix));
    let found: String = found
        .map(|(key, content)| {
            format!(
                "<Contents><Key>{key}</Key><Size>{}</Size><ETag>\"1\"</ETag>\
                 <LastModified>2026-03-01T09:00:00.000Z</LastModified></Contents>",
                content.len()
            )
        })
        .collect();
    let head = "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>";
    format!("{head}{found}</ListBucketResult>").into_response()
}
