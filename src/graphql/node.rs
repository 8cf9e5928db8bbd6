//! `node` and `nodes`: any object by its id, through the same doors as every list.

use async_graphql::{Context, ID, Interface, Object};

use super::{context::ContextExt, errors::top_level};
use crate::{
    catalog::graphql::Product,
    customers::graphql::Customer,
    deals::graphql::{Deal, DealRegistration},
    error::{Faults, Result},
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
