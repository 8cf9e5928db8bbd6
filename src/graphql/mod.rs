//! The frame of the API.

pub mod ahead;
pub mod batches;
pub mod budget;
pub mod context;
pub mod cost;
pub mod errors;
pub mod guard;
pub mod http;
pub mod ide;
mod list;
pub mod media;
pub mod node;
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

pub use context::ContextExt;
pub use errors::UserError;
pub use list::List;

use std::{
    any::TypeId,
    sync::{Arc, OnceLock},
};

use async_graphql::{EmptySubscription, MergedObject, Schema, SchemaBuilder};
use batches::Batches;
use guard::{Guard, Limits, Words};
use refusal::{Cause, Refusal, RequestId, finish};

/// Everything that can be read.
#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQuery,
    crate::identity::graphql::IdentityQuery,
    crate::partners::graphql::PartnerQuery,
    crate::programs::graphql::ProgramQuery,
    crate::customers::graphql::CustomerQuery,
    crate::rates::graphql::RatesQuery,
    crate::catalog::graphql::CatalogQuery,
    crate::deals::graphql::DealsQuery,
    crate::attribution::graphql::AttributionQuery,
    crate::incentives::graphql::IncentivesQuery,
    crate::incentives::statement::graphql::StatementQuery,
    crate::ledger::graphql::LedgerQuery,
    crate::payouts::graphql::PayoutsQuery,
    crate::notifications::graphql::NotificationQuery,
);

/// Everything that can be changed.
#[derive(MergedObject, Default)]
pub struct Mutation(
    crate::identity::graphql::IdentityMutation,
    crate::partners::graphql::PartnersMutation,
    crate::programs::graphql::ProgramMutation,
    crate::customers::graphql::CustomerMutation,
    crate::rates::graphql::RatesMutation,
    crate::catalog::graphql::CatalogMutation,
    crate::deals::graphql::DealsMutation,
    crate::attribution::graphql::AttributionMutation,
    crate::incentives::graphql::IncentivesMutation,
    crate::incentives::statement::graphql::StatementMutation,
    crate::payouts::graphql::PayoutsMutation,
    crate::notifications::graphql::NotificationMutation,
);

/// The schema.
pub type ApiSchema = Schema<Query, Mutation, EmptySubscription>;

/// The schema, ready for an application to be attached.
#[must_use]
pub fn schema() -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .directive(context::idempotent)
}

/// The limits of one request.
#[must_use]
pub fn limits() -> Limits {
    // One sign-in attempt a request: aliases must not multiply guesses.
    let alone = [
        "login",
        "tokenRefresh",
        "invitationAccept",
        "passwordResetRequest",
        "passwordReset",
    ];
    Limits {
        alone: alone.map(str::to_owned).into(),
        keyless: alone
            .into_iter()
            .chain(["logout"])
            .map(str::to_owned)
            .collect(),
        ..Limits::default()
    }
}

/// The API as everything outside the frame uses it: execute a request as a caller, past the guard that clients meet.
///
/// Type-erased on purpose: an edit of a test or of the transport then does not compile the schema anew.
#[derive(Clone)]
pub struct Api {
    app: crate::app::App,
    door: Arc<dyn Execute>,
}

/// The door of [`Api`].
#[async_trait::async_trait]
trait Execute: Send + Sync {
    async fn execute(&self, request: async_graphql::Request) -> async_graphql::Response;
    fn sdl(&self) -> String;
}

struct Executor(ApiSchema);

#[async_trait::async_trait]
impl Execute for Executor {
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
    /// The API over an application.
    #[must_use]
    pub fn new(app: crate::app::App) -> Self {
        let schema = schema().data(app.clone()).finish();
        Self {
            app,
            door: Arc::new(Executor(schema)),
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
        let checked = self.guard().and_then(|guard| {
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

    /// One guard for the process: the schema is the same whatever the application.
    fn guard(&self) -> Result<&'static Guard, Refusal> {
        static GUARD: OnceLock<Option<Guard>> = OnceLock::new();
        GUARD
            .get_or_init(|| Guard::new(&self.sdl(), limits()).ok())
            .as_ref()
            .ok_or_else(|| Refusal::new(Cause::Internal, "The schema cannot be read."))
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

/// The schema as text, sorted, as committed in `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    print(&schema().finish())
}

fn print(schema: &ApiSchema) -> String {
    let options = async_graphql::SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by();
    schema.sdl_with_options(options)
}
