//! The frame of the API.

pub mod context;
pub mod errors;
pub mod node;
pub mod paging;
pub mod scalars;

pub use context::ContextExt;
pub use errors::UserError;

use async_graphql::{EmptySubscription, MergedObject, Schema, SchemaBuilder};

/// Everything that can be read.
#[derive(MergedObject, Default)]
pub struct Query(node::NodeQuery, crate::identity::graphql::IdentityQuery);

/// Everything that can be changed.
#[derive(MergedObject, Default)]
pub struct Mutation(crate::identity::graphql::IdentityMutation);

/// The schema.
pub type ApiSchema = Schema<Query, Mutation, EmptySubscription>;

/// The schema, ready for an application to be attached.
#[must_use]
pub fn schema() -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription).directive(context::idempotent)
}

/// The API as everything outside the frame uses it: execute a request as a caller.
///
/// Type-erased on purpose: an edit of a test or of the transport then does not compile the schema anew.
#[derive(Clone)]
pub struct Api(std::sync::Arc<dyn Execute>);

/// The door of [`Api`].
#[async_trait::async_trait]
trait Execute: Send + Sync {
    async fn execute(&self, caller: context::Caller, request: async_graphql::Request) -> async_graphql::Response;
    fn sdl(&self) -> String;
}

struct Executor {
    schema: ApiSchema,
    app: crate::app::App,
}

#[async_trait::async_trait]
impl Execute for Executor {
    async fn execute(&self, caller: context::Caller, request: async_graphql::Request) -> async_graphql::Response {
        let loaders = context::loaders(&self.app, &caller);
        self.schema.execute(request.data(caller).data(loaders)).await
    }

    fn sdl(&self) -> String {
        sdl(&self.schema)
    }
}

impl Api {
    /// The API over an application.
    #[must_use]
    pub fn new(app: crate::app::App) -> Self {
        let schema = schema().data(app.clone()).finish();
        Self(std::sync::Arc::new(Executor { schema, app }))
    }

    /// Executes a request.
    pub async fn execute(&self, caller: context::Caller, request: async_graphql::Request) -> async_graphql::Response {
        self.0.execute(caller, request).await
    }

    /// The schema as text.
    #[must_use]
    pub fn sdl(&self) -> String {
        self.0.sdl()
    }
}

/// The schema as text, sorted, as committed in `schema.graphql`.
fn sdl(schema: &ApiSchema) -> String {
    let options = async_graphql::SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by();
    schema.sdl_with_options(options)
}
