//! The frame of the API.

pub mod ahead;
pub mod batches;
pub mod budget;
pub mod change;
pub mod context;
pub mod cost;
pub mod errors;
pub mod guard;
pub mod http;
pub mod ide;
mod list;
pub mod media;
pub mod objects;
pub mod page;
pub mod paging;
pub mod params;
pub mod refusal;
pub mod router;
pub mod scalars;
mod sockets;
pub mod sse;
pub mod transport;
mod turns;
pub mod ws;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tiny;

pub use change::{Changes, Payload};
pub use context::ContextExt;
pub use errors::UserError;
pub use list::List;
pub use objects::{Objects, Shown};

use std::{any::TypeId, sync::Arc};

use async_graphql::{ObjectType, SDLExportOptions, Schema, SubscriptionType};
use batches::Batches;
use guard::{Guard, Words};
use refusal::{Cause, Refusal, RequestId, finish};

/// The API as everything outside the frame uses it: execute a request as a caller, past the guard that clients meet.
///
/// Type-erased on purpose: an edit of a test or of the transport then does not compile the schema anew.
#[derive(Clone)]
pub struct Api {
    app: crate::app::App,
    door: Arc<dyn Execute>,
    guard: fn() -> Option<&'static Guard>,
}

/// The door of [`Api`].
#[async_trait::async_trait]
trait Execute: Send + Sync {
    async fn execute(&self, request: async_graphql::Request) -> async_graphql::Response;
    fn sdl(&self) -> String;
}

struct Executor<Q, M, S>(Schema<Q, M, S>);

#[async_trait::async_trait]
impl<Q, M, S> Execute for Executor<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    async fn execute(&self, request: async_graphql::Request) -> async_graphql::Response {
        let batches = request.data.get(&TypeId::of::<Batches>());
        let batches = batches.and_then(|batches| batches.downcast_ref::<Batches>());
        let batches = batches.cloned().unwrap_or_default();
        batches.serve(self.0.execute(request)).await
    }

    fn sdl(&self) -> String {
        print(&self.0)
    }
}

impl Api {
    /// The API over an application: its schema, and the guard that knows it.
    #[must_use]
    pub fn over<Q, M, S>(
        app: crate::app::App,
        schema: Schema<Q, M, S>,
        guard: fn() -> Option<&'static Guard>,
    ) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        Self {
            app,
            door: Arc::new(Executor(schema)),
            guard,
        }
    }

    /// Attaches a caller to a request, with loaders of its own.
    #[must_use]
    pub fn prepare(
        app: &crate::app::App,
        caller: context::Caller,
        request: async_graphql::Request,
    ) -> async_graphql::Request {
        let reader = app.db().reading();
        let batches = Batches::over(reader.clone());
        let loaders = context::loaders(app, &caller, reader, &batches);
        request
            .data(context::Session::new(caller, loaders))
            .data(batches)
    }

    /// Executes a request of a caller as if it had come over HTTP: the same limits, the same shape of errors. Only points
    /// are not counted.
    pub async fn execute(
        &self,
        caller: context::Caller,
        mut request: async_graphql::Request,
    ) -> async_graphql::Response {
        let id = RequestId(caller.request_id.as_str().into());
        let guard = (self.guard)();
        let guard =
            guard.ok_or_else(|| Refusal::new(Cause::Internal, "The schema cannot be read."));
        let checked = guard.and_then(|guard| {
            let operation = request.operation_name.as_deref();
            guard.check(&request.query, operation, &request.variables, Words::Open)
        });
        let response = match checked {
            Ok(checked) => {
                request.set_parsed_query(Arc::unwrap_or_clone(checked.document));
                self.execute_prepared(Self::prepare(&self.app, caller, request))
                    .await
            }
            Err(refusal) => refusal.into_response(),
        };
        finish(response, &id)
    }

    /// Executes a request to which its caller is attached.
    pub async fn execute_prepared(
        &self,
        request: async_graphql::Request,
    ) -> async_graphql::Response {
        self.door.execute(request).await
    }

    /// The schema as text.
    #[must_use]
    pub fn sdl(&self) -> String {
        self.door.sdl()
    }
}

/// A schema as text, sorted.
pub fn print<Q, M, S>(schema: &Schema<Q, M, S>) -> String
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by();
    schema.sdl_with_options(options)
}
