//! The schema, put together from the domains.

use std::sync::OnceLock;

use async_graphql::{
    Context, EmptySubscription, ID, Interface, MergedObject, Object, Schema, SchemaBuilder,
};

use crate::{
    app::App,
    catalog::graphql::Product,
    customers::graphql::Customer,
    deals::graphql::{Deal, DealRegistration},
    error::{Faults, Result},
    graphql::{
        Api, Shown,
        context::{self, ContextExt},
        errors::top_level,
        guard::{Guard, Limits},
        print,
    },
    identity::graphql::User,
    incentives::{graphql::IncentivePlan, statement::graphql::PublishedStatement},
    partners::graphql::Partner,
    payouts::graphql::{Payout, PayoutRun},
    platform::ids::TypedId,
    programs::graphql::Program,
};

/// An object with an id that is unique in the whole API.
#[derive(Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "The object's id, such as `deal_01j9z3k7e8f9g0h1j2k3m4n5p6`."
))]
pub enum Node {
    /// A person.
    User(User),
    /// A partner.
    Partner(Partner),
    /// A programme.
    Program(Program),
    /// A customer.
    Customer(Customer),
    /// A product.
    Product(Product),
    /// A deal registration.
    DealRegistration(DealRegistration),
    /// A deal.
    Deal(Deal),
    /// An incentive plan.
    IncentivePlan(IncentivePlan),
    /// A payout run.
    PayoutRun(PayoutRun),
    /// A payout.
    Payout(Payout),
    /// A published statement.
    PublishedStatement(PublishedStatement),
}

/// How many ids one `nodes` takes.
const MAX_IDS: usize = 100;

/// Objects by id.
#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its id. A malformed id, an unknown one and an object of somebody else all answer null with
    /// the error `NOT_FOUND`.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The object's id.")] id: ID,
    ) -> Option<async_graphql::Result<Node>> {
        Some(
            load(ctx, &id)
                .await
                .and_then(|node| node.ok_or_else(|| crate::error::Error::not_found("id")))
                .map_err(top_level),
        )
    }

    /// Several objects by their ids, in the same order; null where there is none for the caller. At most 100.
    #[graphql(directive = crate::graphql::cost::list_size::apply(1, Some(vec!["ids".to_owned()])))]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 100 ids.")] ids: Vec<ID>,
    ) -> async_graphql::Result<Vec<Option<Node>>> {
        if ids.len() > MAX_IDS {
            let mut faults = Faults::default();
            faults.add("ids", format!("at most {MAX_IDS}"));
            faults.check().map_err(top_level)?;
        }
        let loads = ids.iter().map(|id| load(ctx, id));
        futures_util::future::try_join_all(loads)
            .await
            .map_err(top_level)
    }
}

async fn load(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    ctx.actor().person()?;
    /// Tries one type after the other by the id's prefix; the loader applies the caller's scope.
    macro_rules! by_prefix {
        ($($object:ident: $id:ident),+ $(,)?) => {{
            $(if let Some(id) = crate::entity::ids::$id::parse(id) {
                return Ok($object::load(ctx, id).await?.map(Node::$object));
            })+
            Ok(None)
        }};
    }
    by_prefix!(
        User: UserId,
        Partner: PartnerId,
        Program: ProgramId,
        Customer: CustomerId,
        Product: ProductId,
        DealRegistration: DealRegistrationId,
        Deal: DealId,
        IncentivePlan: IncentivePlanId,
        PayoutRun: PayoutRunId,
        Payout: PayoutId,
        PublishedStatement: PartnerStatementId,
    )
}

/// Everything that can be read.
#[derive(MergedObject, Default)]
pub struct Query(
    NodeQuery,
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
    crate::outcomes::graphql::OutcomeMutation,
    crate::attribution::graphql::AttributionMutation,
    crate::incentives::graphql::IncentivesMutation,
    crate::incentives::statement::graphql::StatementMutation,
    crate::payouts::graphql::PayoutsMutation,
    crate::notifications::graphql::NotificationMutation,
);

fn schema() -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .directive(context::idempotent)
}

/// The API over an application.
#[must_use]
pub fn api(app: App) -> Api {
    let schema = schema().data(app.clone()).finish();
    Api::over(app, schema, guard)
}

/// One guard for the process: the schema is the same whatever the application.
fn guard() -> Option<&'static Guard> {
    static GUARD: OnceLock<Option<Guard>> = OnceLock::new();
    GUARD
        .get_or_init(|| Guard::new(&sdl(), limits()).ok())
        .as_ref()
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

/// The schema as text, sorted, as committed in `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    print(&schema().finish())
}
