//! How an [`Error`] reaches a client: expected refusals as data, the rest as top-level errors with a code.

use async_graphql::{ErrorExtensions, Interface, SimpleObject};

use crate::error::{Code, Error, Refusal, place};

/// An expected refusal of a mutation. When there is one, nothing was changed.
#[derive(Clone, Debug, Interface)]
#[graphql(
    field(name = "code", ty = "&Code", desc = "What programs decide by."),
    field(
        name = "message",
        ty = "&String",
        desc = "What a person reads, in English."
    ),
    field(
        name = "field",
        ty = "&Vec<String>",
        desc = "The path into `input`, list positions included, such as `[\"products\", \"0\", \"quantity\"]`; empty when it is about the whole."
    )
)]
pub enum UserError {
    /// A refusal with nothing to add.
    Plain(PlainError),
    /// A refusal because of a clash with something that exists.
    Conflict(ConflictError),
    /// A refusal to prolong protection.
    Extension(ExtensionError),
}

/// A refusal that its code explains.
#[derive(Clone, Debug, SimpleObject)]
pub struct PlainError {
    /// What programs decide by.
    code: Code,
    /// What a person reads, in English.
    message: String,
    /// The path into `input`; empty when it is about the whole.
    field: Vec<String>,
}

/// A refusal because the customer is already registered, or something like it exists.
#[derive(Clone, Debug, SimpleObject)]
pub struct ConflictError {
    /// What programs decide by.
    code: Code,
    /// What a person reads, in English. It never names another partner.
    message: String,
    /// The path into `input`; empty when it is about the whole.
    field: Vec<String>,
    /// Why it is a conflict: `SAME_DOMAIN`, `SAME_NAME`, `SAME_REGISTRATION_NUMBER` … At most ten.
    reasons: Vec<String>,
}

/// A refusal to prolong the protection of a registration.
#[derive(Clone, Debug, SimpleObject)]
pub struct ExtensionError {
    /// What programs decide by: `EXTENSION_REFUSED`.
    code: Code,
    /// What a person reads, in English.
    message: String,
    /// The path into `input`; empty when it is about the whole.
    field: Vec<String>,
    /// Why: `ENDED` (the protection is over), `LIMIT_REACHED` (the tier allows no further extension) or `NO_PROGRESS`
    /// (the deal has not reached a higher stage since). At most ten.
    reasons: Vec<String>,
}

impl From<Refusal> for UserError {
    fn from(
        Refusal {
            code,
            message,
            field,
            reasons,
        }: Refusal,
    ) -> Self {
        match code {
            Code::Conflict | Code::Duplicate => Self::Conflict(ConflictError {
                code,
                message,
                field,
                reasons,
            }),
            Code::ExtensionRefused => Self::Extension(ExtensionError {
                code,
                message,
                field,
                reasons,
            }),
            _ => Self::Plain(PlainError {
                code,
                message,
                field,
            }),
        }
    }
}

/// Splits a failed mutation: what the client did wrong becomes data, everything else a top-level error.
///
/// # Errors
/// Not signed in, throttled, busy, or a fault of the server.
pub fn user_errors(error: Error) -> async_graphql::Result<Vec<UserError>> {
    match error {
        Error::Refused(refusals)
            if !refusals.iter().any(|r| {
                matches!(
                    r.code,
                    Code::Unauthenticated | Code::RetryLater | Code::Timeout
                )
            }) =>
        {
            Ok(told(refusals))
        }
        error => Err(top_level(error)),
    }
}

/// Refusals as the data of a payload; the log hears of them, too.
pub fn told(refusals: Vec<Refusal>) -> Vec<UserError> {
    note(&refusals);
    refusals.into_iter().map(UserError::from).collect()
}

/// An error as a top-level one. Faults are logged here, once, and answer only `INTERNAL`.
pub fn top_level(error: impl AsRef<Error>) -> async_graphql::Error {
    let error = error.as_ref();
    let code = error.code();
    let message = match error {
        Error::Refused(refusals) => {
            note(refusals);
            refusals.first().map_or_else(String::new, named)
        }
        Error::Throttled { .. } => "Too many attempts; wait and try again.".to_owned(),
        _ if code == Code::Timeout => {
            tracing::warn!(error = %Chain(error), "a request was not finished");
            "The database did not answer in time; a change that the request made stays.".to_owned()
        }
        _ if code == Code::RetryLater => {
            tracing::warn!(error = %Chain(error), "a request could not be answered");
            "The database is busy or cannot be reached; nothing was changed.".to_owned()
        }
        Error::Database(_) | Error::Internal(_) => {
            tracing::error!(error = %Chain(error), "a request failed");
            "Something went wrong on the server.".to_owned()
        }
    };
    let retry_after = match error {
        Error::Throttled { retry_after_ms } => Some(*retry_after_ms),
        _ => None,
    };
    let field = match error {
        Error::Refused(refusals) => refusals.first().map(|refusal| refusal.field.clone()),
        _ => None,
    };
    async_graphql::Error::new(message).extend_with(|_, extensions| {
        extensions.set("code", code.as_str());
        if let Some(field) = field.filter(|field| !field.is_empty()) {
            extensions.set("field", field);
        }
        extensions.set("retryable", code.retryable());
        if let Some(milliseconds) = retry_after {
            extensions.set("retryAfterMs", milliseconds);
        }
    })
}

/// The message of a refusal outside of `userErrors`: one that goes on from the name of its argument gets that name.
fn named(refusal: &Refusal) -> String {
    let Refusal { message, field, .. } = refusal;
    if field.is_empty() || !message.starts_with(char::is_lowercase) {
        return message.clone();
    }
    format!("Argument \"{}\": {message}", place(field))
}

/// Tells the log that something was refused, by codes alone: what a caller typed may be personal.
fn note(refusals: &[Refusal]) {
    for refusal in refusals {
        tracing::info!(code = refusal.code.as_str(), "refused");
    }
}

impl AsRef<Self> for Error {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// An error with all its sources, for the log.
struct Chain<'a>(&'a Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = std::error::Error::source(self.0);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// Declares the payload of a mutation: the object, null exactly when there are errors, and the errors.
#[macro_export]
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident: $type:ty }) => {
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            $(#[$field_doc])*
            pub $field: Option<$type>,
            /// Why nothing was changed, one for each fault; empty on success. At most 100.
            #[graphql(directive = $crate::graphql::cost::list_size::apply(3, None))]
            pub user_errors: Vec<$crate::graphql::UserError>,
        }

        impl $name {
            /// The payload of a finished mutation.
            ///
            /// # Errors
            /// What is not an expected refusal.
            pub fn of(result: $crate::error::Result<$type>) -> async_graphql::Result<Self> {
                <Self as $crate::graphql::Payload>::of(result)
            }
        }

        impl $crate::graphql::Payload for $name {
            type Object = $type;

            fn done(object: $type) -> Self {
                Self { $field: Some(object), user_errors: Vec::new() }
            }

            fn refused(user_errors: Vec<$crate::graphql::UserError>) -> Self {
                Self { $field: None, user_errors }
            }
        }
    };
}
