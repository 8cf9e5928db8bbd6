//! One error for the whole house, and the catalogue of its codes.
//!
//! A use case refuses with a [`Refusal`]: a code that programs understand, a sentence that people
//! understand, and the path of the input it is about. Everything unexpected keeps its source, is logged once
//! at the edge and answers `INTERNAL`.

use std::{fmt, sync::Arc};

use sea_orm::{DbErr, SqlErr};

use crate::platform::{
    transition::{self, IllegalTransition},
    trouble::Trouble,
};

/// Every code that the API may answer. The wire form is SCREAMING_SNAKE_CASE.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sea_orm::EnumIter, async_graphql::Enum,
)]
#[graphql(name = "ErrorCode")]
pub enum Code {
    /// No valid sign-in: the token is missing, expired, revoked or forged, or the password is wrong.
    Unauthenticated,
    /// The object is visible, but this role may not do that.
    Forbidden,
    /// The object does not exist, or not for this caller: both answer the same.
    NotFound,
    /// A value is malformed, out of range or inconsistent; `field` names it.
    BadUserInput,
    /// The state of the object does not allow this move.
    IllegalTransition,
    /// The customer is already registered or protected for a product family, or may already be recorded. `reasons`
    /// shows what matched.
    Conflict,
    /// Something with this unique value exists already.
    Duplicate,
    /// The object changed since the caller read it; read again and repeat.
    StaleObject,
    /// This decision needs a reason.
    ReasonRequired,
    /// A participant of the deal has not accepted a role yet.
    RolesIncomplete,
    /// The partner's state or programme does not allow this.
    NotEligible,
    /// Who made it cannot approve it.
    SamePerson,
    /// A limit of the programme is reached.
    LimitReached,
    /// The protection cannot be extended (again, in time, or without progress).
    ExtensionRefused,
    /// The invitation, reset or confirmation is unknown, used or expired.
    InvalidToken,
    /// This mutation needs `@idempotent(key: …)`.
    IdempotencyKeyRequired,
    /// The key was used before with other arguments.
    IdempotencyKeyMismatch,
    /// The cursor is not one of this list.
    InvalidCursor,
    /// The document cannot be parsed or does not fit the schema.
    GraphqlValidationFailed,
    /// The document is deeper, wider or costlier than the limits allow.
    TooComplex,
    /// Too many requests or attempts; wait for `retryAfterMs`.
    Throttled,
    /// The request did not finish in time; what it did is unknown unless it carried an idempotency key.
    Timeout,
    /// The database was busy, full or out of reach; nothing happened, and the same call may be repeated.
    RetryLater,
    /// An error of the server; the request id finds it in the log.
    Internal,
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
}

impl Code {
    /// The wire form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::IllegalTransition => "ILLEGAL_TRANSITION",
            Self::Conflict => "CONFLICT",
            Self::Duplicate => "DUPLICATE",
            Self::StaleObject => "STALE_OBJECT",
            Self::ReasonRequired => "REASON_REQUIRED",
            Self::RolesIncomplete => "ROLES_INCOMPLETE",
            Self::NotEligible => "NOT_ELIGIBLE",
            Self::SamePerson => "SAME_PERSON",
            Self::LimitReached => "LIMIT_REACHED",
            Self::ExtensionRefused => "EXTENSION_REFUSED",
            Self::InvalidToken => "INVALID_TOKEN",
            Self::IdempotencyKeyRequired => "IDEMPOTENCY_KEY_REQUIRED",
            Self::IdempotencyKeyMismatch => "IDEMPOTENCY_KEY_MISMATCH",
            Self::InvalidCursor => "INVALID_CURSOR",
            Self::GraphqlValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::TooComplex => "TOO_COMPLEX",
            Self::Throttled => "THROTTLED",
            Self::Timeout => "TIMEOUT",
            Self::RetryLater => "RETRY_LATER",
            Self::Internal => "INTERNAL",
            Self::BadRequest => "BAD_REQUEST",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::NotAcceptable => "NOT_ACCEPTABLE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
        }
    }

    /// Whether the same request may succeed later without a change.
    #[must_use]
    pub const fn retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Timeout | Self::RetryLater)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One expected refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What programs decide by.
    pub code: Code,
    /// What a person reads; never contains data of another partner.
    pub message: String,
    /// The path into the mutation's input, list positions included; empty when it is about the whole.
    pub field: Vec<String>,
    /// Further codes, such as the reasons of a conflict.
    pub reasons: Vec<String>,
}

impl Refusal {
    /// A refusal of the whole input.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: Vec::new(),
            reasons: Vec::new(),
        }
    }

    /// A value of the input is wrong. `path` is dotted: `products.0.quantity`.
    pub fn input(path: &str, message: impl Into<String>) -> Self {
        Self::new(Code::BadUserInput, message).at(path)
    }

    /// Says which part of the input it is about, as a dotted path.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.field = path.split('.').map(str::to_owned).collect();
        self
    }

    /// Adds reason codes.
    #[must_use]
    pub fn because(mut self, reasons: impl IntoIterator<Item = String>) -> Self {
        self.reasons = reasons.into_iter().collect();
        self
    }
}

/// A path into an input as messages show it: `orderBy[0].field`.
#[must_use]
pub fn place(path: &[String]) -> String {
    let mut place = String::new();
    for part in path {
        // No name begins with a digit.
        if part.starts_with(|first: char| first.is_ascii_digit()) {
            place.push_str(&format!("[{part}]"));
        } else {
            place.push_str(if place.is_empty() { "" } else { "." });
            place.push_str(part);
        }
    }
    place
}

impl fmt::Display for Refusal {
    /// For an operator: `BAD_USER_INPUT at value.amount: must not be empty`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_slice() {
            [] => write!(f, "{}: {}", self.code, self.message),
            path => write!(f, "{} at {}: {}", self.code, place(path), self.message),
        }
    }
}

/// Anything that stops a use case.
#[derive(Debug)]
pub enum Error {
    /// Expected: told to the caller, every fault at once.
    Refused(Vec<Refusal>),
    /// Too many attempts; the caller may try again after this many milliseconds.
    Throttled { retry_after_ms: u64 },
    /// The database failed. The write path decides whether to try again.
    Database(DbErr),
    /// Anything else unexpected, with its source.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

/// The result of everything that can be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The one refusal for an object that is absent or hidden.
    #[must_use]
    pub fn not_found(path: &str) -> Self {
        let refusal = Refusal::new(Code::NotFound, "There is no such object.");
        if path.is_empty() {
            refusal.into()
        } else {
            refusal.at(path).into()
        }
    }

    /// The caller's role does not allow this.
    #[must_use]
    pub fn forbidden() -> Self {
        Refusal::new(Code::Forbidden, "Your role does not allow this.").into()
    }

    /// The version the caller read is not the stored one.
    #[must_use]
    pub fn stale() -> Self {
        Refusal::new(Code::StaleObject, "The object changed since you read it.").into()
    }

    /// The same refusals, about this part of the input.
    #[must_use]
    pub fn at(self, path: &str) -> Self {
        match self {
            Self::Refused(refusals) => {
                let moved = refusals.into_iter().map(|refusal| refusal.at(path));
                Self::Refused(moved.collect())
            }
            other => other,
        }
    }

    /// What the database says where it refused a value that must be unique.
    #[must_use]
    pub fn taken(&self) -> Option<String> {
        match self {
            Self::Database(error) => match error.sql_err()? {
                SqlErr::UniqueConstraintViolation(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// An unexpected state, in words for the log.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into().into())
    }

    /// The code of the first refusal, or of the fault.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Refused(refusals) => refusals
                .first()
                .map_or(Code::Internal, |refusal| refusal.code),
            Self::Throttled { .. } => Code::Throttled,
            Self::Database(error) => match Trouble::of(error) {
                None | Some(Trouble::Taken(_)) => Code::Internal,
                // What the request has changed is changed.
                Some(Trouble::AfterChange | Trouble::Unknown | Trouble::Undone | Trouble::Slow) => {
                    Code::Timeout
                }
                Some(_) => Code::RetryLater,
            },
            // A loader's error belongs to every field that waited for it.
            Self::Internal(source) => source
                .downcast_ref::<Arc<Self>>()
                .map_or(Code::Internal, |error| error.code()),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(vec![refusal])
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<IllegalTransition> for Error {
    fn from(error: IllegalTransition) -> Self {
        Refusal::new(Code::IllegalTransition, error.to_string()).into()
    }
}

impl From<transition::Refusal> for Error {
    fn from(refusal: transition::Refusal) -> Self {
        match refusal {
            transition::Refusal::IllegalTransition(error) => error.into(),
            transition::Refusal::ReasonRequired { .. } => {
                Refusal::new(Code::ReasonRequired, refusal.to_string())
                    .at("reason")
                    .into()
            }
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusals) => {
                let texts: Vec<_> = refusals.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join("; "))
            }
            Self::Throttled { retry_after_ms } => {
                write!(f, "THROTTLED: retry after {retry_after_ms} ms")
            }
            Self::Database(error) => write!(f, "database: {error}"),
            Self::Internal(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Database(error) => Some(error),
            Self::Internal(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}

/// Whether a character makes what follows it appear in another order: the embeddings, overrides and isolates of Unicode,
/// with which one name can be made to look like another. The marks that only give a direction to their neighbours
/// (U+200E, U+200F, U+061C) belong to names in Arabic and Hebrew and are kept.
const fn reorders(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Collects every fault of an input before refusing, so that a form shows them all at once.
#[derive(Debug, Default)]
pub struct Faults(Vec<Refusal>);

impl Faults {
    /// Notes a fault of one field.
    pub fn add(&mut self, path: &str, message: impl Into<String>) {
        self.0.push(Refusal::input(path, message));
    }

    /// Notes any refusal.
    pub fn push(&mut self, refusal: Refusal) {
        self.0.push(refusal);
    }

    /// Keeps a good value, or notes the fault and yields nothing.
    pub fn take<T, E: fmt::Display>(
        &mut self,
        path: &str,
        result: std::result::Result<T, E>,
    ) -> Option<T> {
        result
            .map_err(|error| self.add(path, error.to_string()))
            .ok()
    }

    /// A text that must not be blank nor longer than `limit` characters, trimmed. A line ends with LF however it was
    /// sent: CR LF becomes LF.
    pub fn text(&mut self, path: &str, value: &str, limit: usize) -> String {
        let text = value.trim().replace("\r\n", "\n");
        let control = |c: char| c.is_control() && c != '\n' && c != '\t';
        if text.is_empty() {
            self.add(path, "must not be empty");
        } else if text.chars().count() > limit {
            self.add(path, format!("must have at most {limit} characters"));
        } else if text.chars().any(control) {
            self.add(path, "must not contain control characters");
        } else if let Some(mark) = text.chars().find(|c| reorders(*c)) {
            let code = u32::from(mark);
            self.add(
                path,
                format!("must not contain characters that reorder the text (U+{code:04X})"),
            );
        }
        text
    }

    /// The same for a value that may be absent; blank counts as absent.
    pub fn optional_text(
        &mut self,
        path: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Option<String> {
        value
            .filter(|text| !text.trim().is_empty())
            .map(|text| self.text(path, text, limit))
    }

    /// Refuses when anything was noted.
    ///
    /// # Errors
    /// All noted faults together.
    pub fn check(self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Refused(self.0))
        }
    }
}
