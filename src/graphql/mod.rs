//! The frame of the API.

pub mod ahead;
pub mod batches;
pub mod budget;
pub mod context;
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
pub mod ws;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tiny;

pub use context::ContextExt;
pub use errors::UserError;
pub use list::List;

use std::any::TypeId;

use async_graphql::{EmptySubscription, MergedObject, Schema, SchemaBuilder};
use batches::Batches;

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

/// The API as everything outside the frame uses it: execute a request as a caller.
///
/// Type-erased on purpose: an edit of a test or of the transport then does not compile the schema anew.
#[derive(Clone)]
pub struct Api {
    app: crate::app::App,
    door: std::sync::Arc<dyn Execute>,
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
            door: std::sync::Arc::new(Executor(schema)),
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
        request.data(caller).data(loaders).data(batches)
    }

    /// Executes a request of a caller.
    pub async fn execute(
        &self,
        caller: context::Caller,
        request: async_graphql::Request,
    ) -> async_graphql::Response {
        self.execute_prepared(Self::prepare(&self.app, caller, request))
            .await
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
