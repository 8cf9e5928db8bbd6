//! `GET` and `POST /graphql`, as the GraphQL-over-HTTP specification has them.

use async_graphql::{Response, ServerError, Value};
use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header},
    response::IntoResponse,
};
use futures_util::StreamExt;
use serde::Serialize;

use super::{
    media::{Media, is_json},
    params::Params,
    refusal::{Cause, Refusal, RequestId, refused},
    transport::{Carries, Settings, Transport, turned_away},
};

type HttpResponse = axum::response::Response;

/// Serves `/graphql`.
pub async fn graphql(
    State(transport): State<Transport>,
    Extension(id): Extension<RequestId>,
    request: Request<Body>,
) -> HttpResponse {
    let Some(media) = Media::accepted(request.headers()) else {
        let message = "accept application/graphql-response+json or application/json";
        return refuse(
            Refusal::new(Cause::NotAcceptable, message),
            Media::Json,
            &id,
        );
    };
    let carries = match *request.method() {
        Method::POST => Carries::QueriesAndMutations,
        _ => Carries::Queries,
    };
    let (headers, params) = match receive(request, transport.settings()).await {
        Ok(received) => received,
        Err(refusal) => return refuse(refusal, media, &id),
    };
    let caller = match transport.authenticate(&headers).await {
        Ok(caller) => caller,
        Err(refusal) => return refuse(refusal, media, &id),
    };
    let response = match transport.admit(&caller, params, carries, &id) {
        Ok(admitted) => transport.answer(admitted, &id).await,
        Err(response) => *response,
    };
    respond(&response, media)
}

/// Answers a method that is not served.
pub async fn method_not_allowed(
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
) -> HttpResponse {
    let media = Media::accepted(&headers).unwrap_or(Media::Json);
    refuse(
        Refusal::new(Cause::MethodNotAllowed, "send GraphQL by GET or POST"),
        media,
        &id,
    )
}

/// Reads the parameters of a request.
///
/// # Errors
///
/// `UNSUPPORTED_MEDIA_TYPE`, `PAYLOAD_TOO_LARGE`, `BAD_REQUEST`.
pub async fn receive(
    request: Request<Body>,
    settings: &Settings,
) -> Result<(HeaderMap, Params), Refusal> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        let params = Params::from_query_string(parts.uri.query().unwrap_or_default())?;
        return Ok((parts.headers, params));
    }
    let late = || Refusal::new(Cause::BadRequest, "the body did not arrive in time");
    let body = tokio::time::timeout(settings.deadline, read(body, settings.body))
        .await
        .map_err(|_| late())??;
    if !is_json(&parts.headers) {
        return Err(Refusal::new(
            Cause::UnsupportedMediaType,
            "send application/json in UTF-8",
        ));
    }
    Ok((parts.headers, Params::from_body(&body)?))
}

/// An oversized body is read on and thrown away for a while: a client that is still sending would otherwise see its
/// connection reset and never the answer.
async fn read(body: Body, limit: usize) -> Result<Vec<u8>, Refusal> {
    const PATIENCE: usize = 32 * 1024 * 1024;
    let (mut kept, mut seen) = (Vec::new(), 0_usize);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal::new(Cause::BadRequest, "the body broke off"))?;
        seen = seen.saturating_add(chunk.len());
        if seen > PATIENCE {
            break;
        }
        if seen <= limit {
            kept.extend_from_slice(&chunk);
        } else {
            kept = Vec::new();
        }
    }
    if seen > limit {
        return Err(Refusal::new(
            Cause::PayloadTooLarge,
            format!("the body is larger than {limit} bytes"),
        ));
    }
    Ok(kept)
}

/// The answer to a request that was not executed.
pub fn refuse(refusal: Refusal, media: Media, id: &RequestId) -> HttpResponse {
    respond(&turned_away(refusal, id), media)
}

/// The one place that decides status and headers of an answer.
pub fn respond(response: &Response, media: Media) -> HttpResponse {
    let cause = refused(response);
    let status = match (cause.map(Cause::status), media) {
        (None, _) | (Some((_, false)), Media::Json) => StatusCode::OK,
        (Some((status, _)), _) => status,
    };
    let mut http = (status, body(response)).into_response();
    let headers = http.headers_mut();
    headers.extend(response.http_headers.clone());
    headers.insert(header::CONTENT_TYPE, media.content_type());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.append(header::VARY, HeaderValue::from_static("accept"));
    match cause {
        Some(Cause::MethodNotAllowed) => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
        }
        Some(Cause::Unauthenticated) => {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer error=\"invalid_token\""),
            );
        }
        _ => {}
    }
    http
}

/// The answer as text. A request that was not executed has no `data`, not even null.
pub fn body(response: &Response) -> String {
    serde_json::to_string(&Wire::of(response)).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        r#"{"errors":[{"message":"something went wrong on our side","extensions":{"code":"INTERNAL"}}]}"#.to_owned()
    })
}

/// A response in the order the specification recommends.
#[derive(Serialize)]
pub struct Wire<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    extensions: &'a std::collections::BTreeMap<String, Value>,
}

impl<'a> Wire<'a> {
    /// The response as clients see it.
    #[must_use]
    pub fn of(response: &'a Response) -> Self {
        let data = refused(response).is_none().then_some(&response.data);
        Self {
            errors: &response.errors,
            data,
            extensions: &response.extensions,
        }
    }
}
