//! What the frame itself refuses, and the shape every error has when it leaves the house.
//!
//! A client reads one shape only: `{"errors": [{message, extensions: {code, requestId, retryable}}]}`. An error that
//! nobody meant for clients leaves as `INTERNAL` with the request id and nothing else.

use std::{borrow::Cow, sync::Arc, time::Duration};

use async_graphql::{ErrorExtensionValues, Pos, Response, ServerError, Value};
use axum::http::StatusCode;

use crate::error::Code;

/// The maximum number of errors listed for one document.
pub const MOST_ERRORS: usize = 20;

/// The name under which one request is found in the logs; sent back as `x-request-id` and in every error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a request was refused or broke off before a resolver could say anything about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The request is not a well-formed GraphQL request.
    BadRequest,
    /// The operation may not be sent by this HTTP method.
    MethodNotAllowed,
    /// The client accepts none of the media types offered.
    NotAcceptable,
    /// The body has a media type that is not read.
    UnsupportedMediaType,
    /// The body is larger than allowed.
    PayloadTooLarge,
    /// The document cannot be parsed or does not fit the schema.
    ValidationFailed,
    /// Variables or the operation name do not fit the document.
    BadUserInput,
    /// The document asks for more than one request may.
    TooComplex,
    /// The caller has used up its points for now.
    Throttled,
    /// The answer was not ready in time.
    Timeout,
    /// The bearer token is invalid, expired or revoked.
    Unauthenticated,
    /// The caller is known but may not come in.
    Forbidden,
    /// Something needed is away for a moment.
    RetryLater,
    /// Unexpected; the log knows more under the request id.
    Internal,
}

impl Cause {
    /// Every cause, to find one by its code.
    pub const ALL: [Self; 14] = [
        Self::BadRequest,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::UnsupportedMediaType,
        Self::PayloadTooLarge,
        Self::ValidationFailed,
        Self::BadUserInput,
        Self::TooComplex,
        Self::Throttled,
        Self::Timeout,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::RetryLater,
        Self::Internal,
    ];

    /// The code on the wire: one of the catalogue, always.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::BadRequest => Code::BadRequest,
            Self::MethodNotAllowed => Code::MethodNotAllowed,
            Self::NotAcceptable => Code::NotAcceptable,
            Self::UnsupportedMediaType => Code::UnsupportedMediaType,
            Self::PayloadTooLarge => Code::PayloadTooLarge,
            Self::ValidationFailed => Code::GraphqlValidationFailed,
            Self::BadUserInput => Code::BadUserInput,
            Self::TooComplex => Code::TooComplex,
            Self::Throttled => Code::Throttled,
            Self::Timeout => Code::Timeout,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden => Code::Forbidden,
            Self::RetryLater => Code::RetryLater,
            Self::Internal => Code::Internal,
        }
        .as_str()
    }

    /// The HTTP status, and whether it holds even for clients of `application/json`, which otherwise expect 200 for
    /// every well-formed request.
    #[must_use]
    pub const fn status(self) -> (StatusCode, bool) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, true),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, true),
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, true),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, true),
            Self::PayloadTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, true),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, true),
            Self::Forbidden => (StatusCode::FORBIDDEN, true),
            Self::RetryLater => (StatusCode::SERVICE_UNAVAILABLE, true),
            Self::ValidationFailed | Self::BadUserInput | Self::TooComplex => {
                (StatusCode::BAD_REQUEST, false)
            }
            Self::Throttled => (StatusCode::TOO_MANY_REQUESTS, false),
            Self::Timeout => (StatusCode::GATEWAY_TIMEOUT, false),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, false),
        }
    }

    fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.code() == code)
    }
}

/// One refusal, in words for the developer who reads it.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why.
    pub cause: Cause,
    /// What to do about it.
    pub message: Cow<'static, str>,
    /// Where in the document, when a place can be named.
    pub position: Option<Pos>,
    /// When it is worth trying again; only for `THROTTLED`.
    pub retry_after: Option<Duration>,
    /// Further errors in the same document.
    pub more: Vec<Self>,
}

impl Refusal {
    /// A refusal without a place in the document.
    pub fn new(cause: Cause, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            cause,
            message: message.into(),
            position: None,
            retry_after: None,
            more: Vec::new(),
        }
    }

    /// Combines the refusals into one; none if there are none.
    #[must_use]
    pub fn all(refusals: Vec<Self>) -> Option<Self> {
        let mut refusals = refusals.into_iter();
        let first = refusals.next()?;
        Some(Self {
            more: refusals.collect(),
            ..first
        })
    }

    /// The same refusal, pointing into the document.
    #[must_use]
    pub fn at(self, position: Pos) -> Self {
        Self {
            position: Some(position),
            ..self
        }
    }

    /// The GraphQL response that says so; nothing was executed.
    #[must_use]
    pub fn into_response(mut self) -> Response {
        let more = std::mem::take(&mut self.more);
        let all = std::iter::once(self).chain(more);
        Response::from_errors(all.map(Self::into_error).collect())
    }

    fn into_error(self) -> ServerError {
        let mut error = ServerError::new(self.message, self.position);
        let extensions = error
            .extensions
            .get_or_insert_with(ErrorExtensionValues::default);
        extensions.set("code", self.cause.code());
        if let Some(wait) = self.retry_after {
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            extensions.set("retryAfterMs", millis);
        }
        error
    }
}

/// Why the whole request was refused; `None` when it was executed, even if some fields failed.
#[must_use]
pub fn refused(response: &Response) -> Option<Cause> {
    let first = response.errors.first()?;
    let executed =
        response.data != Value::Null || response.errors.iter().any(|error| !error.path.is_empty());
    if executed {
        return None;
    }
    Some(
        code_of(first)
            .and_then(Cause::from_code)
            .unwrap_or(Cause::ValidationFailed),
    )
}

/// Gives every error its code, request id and whether a retry can help. Errors without a code are the library's own
/// (the document does not fit the schema, an argument cannot be read) or unexpected: those are logged and hidden.
#[must_use]
pub fn finish(mut response: Response, request_id: &RequestId) -> Response {
    // Limits the response to a document with an error in every field.
    if response.errors.len() > MOST_ERRORS
        && let Some(cause) = refused(&response)
    {
        response.errors.truncate(MOST_ERRORS);
        let message = format!("There are more errors; the first {MOST_ERRORS} are listed.");
        response
            .errors
            .push(Refusal::new(cause, message).into_error());
    }
    for error in &mut response.errors {
        if code_of(error).is_none() {
            let cause = cause_of(error);
            if cause == Cause::Internal {
                tracing::error!(%request_id, path = ?error.path, error = %error.message, "unexpected error in a resolver");
                error.message = "something went wrong on our side".to_owned();
            }
            error
                .extensions
                .get_or_insert_with(ErrorExtensionValues::default)
                .set("code", cause.code());
        }
        let retryable = matches!(
            code_of(error),
            Some("THROTTLED" | "TIMEOUT" | "RETRY_LATER")
        );
        let extensions = error
            .extensions
            .get_or_insert_with(ErrorExtensionValues::default);
        extensions.set("requestId", &*request_id.0);
        if extensions.get("retryable").is_none() {
            extensions.set("retryable", retryable);
        }
    }
    response
}

fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        Value::Enum(code) => Some(code),
        _ => None,
    }
}

/// The library words its complaints about arguments in these few ways; they are the only uncoded texts let through.
fn cause_of(error: &ServerError) -> Cause {
    const ARGUMENT: [&str; 3] = [
        "Failed to parse \"",
        "Expected input type \"",
        "Invalid value for argument",
    ];
    if error.source.is_some() {
        Cause::Internal
    } else if ARGUMENT
        .iter()
        .any(|start| error.message.starts_with(start))
    {
        Cause::BadUserInput
    } else if error.path.is_empty() {
        Cause::ValidationFailed
    } else {
        Cause::Internal
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Error, PathSegment};

    use super::*;

    fn finished(error: ServerError) -> serde_json::Value {
        let id = RequestId("r-1".into());
        serde_json::to_value(finish(Response::from_errors(vec![error]), &id)).unwrap()["errors"][0]
            .clone()
    }

    #[test]
    fn a_converted_database_error_leaves_as_internal_without_its_text() {
        let leak = Error::from(std::io::Error::other("password=hunter2"))
            .into_server_error(Pos::default());
        let wire = finished(leak);
        assert_eq!(wire["message"], "something went wrong on our side");
        assert_eq!(
            wire["extensions"],
            serde_json::json!({"code": "INTERNAL", "requestId": "r-1", "retryable": false})
        );
    }

    #[test]
    fn an_uncoded_error_of_a_resolver_is_internal_and_an_unreadable_argument_is_the_callers() {
        let path = vec![PathSegment::Field("deal".to_owned())];
        let own = ServerError::new("row 7 is broken", None).with_path(path.clone());
        assert_eq!(finished(own)["extensions"]["code"], "INTERNAL");
        let argument = ServerError::new("Failed to parse \"Int\": too large", None).with_path(path);
        assert_eq!(finished(argument)["extensions"]["code"], "BAD_USER_INPUT");
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let mut refusal = Refusal::new(Cause::Throttled, "slower");
        refusal.retry_after = Some(Duration::from_millis(250));
        let response = refusal.into_response();
        assert_eq!(refused(&response), Some(Cause::Throttled));
        let wire = finished(response.errors[0].clone());
        assert_eq!(wire["extensions"]["retryAfterMs"], 250);
        assert_eq!(wire["extensions"]["retryable"], true);
    }

    #[test]
    fn a_failed_field_is_an_answer_not_a_refusal() {
        let error =
            ServerError::new("x", None).with_path(vec![PathSegment::Field("deal".to_owned())]);
        assert_eq!(refused(&Response::from_errors(vec![error])), None);
    }
}
