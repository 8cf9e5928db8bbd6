//! The API of `attribution`: touchpoints, the credit of deals, its explanation, and influenced revenue.

mod credit;
mod explanation;
mod influence;
mod touchpoint;

use async_graphql::{Context, ID, Object};

pub use credit::{Attribution, AttributionCredit, CaseOf, CreditOf, attribution_for};
pub use explanation::{AttributionExplanation, ExplainedCredit, ExplainedTouchpoint};
pub use influence::{InfluencedRevenue, PartnerInfluence};
pub use touchpoint::{
    Touchpoint, TouchpointConnection, TouchpointEdge, TouchpointRecordInput,
    TouchpointRecordPayload, TouchpointRejectInput, TouchpointRejectPayload, TouchpointVerifyInput,
    TouchpointVerifyPayload, touchpoints_for,
};

use super::{confirm, record};
use crate::{
    access::Action,
    deals::graphql::Deal,
    entity::ids::PartnerId,
    error::Error,
    graphql::{
        Changes, ContextExt, Shown,
        context::{self, KEPT_FOR_PAYOUTS},
        errors::top_level,
        scalars::Date,
    },
};

/// Queries of credit.
#[derive(Default)]
pub struct AttributionQuery;

#[Object]
impl AttributionQuery {
    /// Why credit for a deal is what it is. A partner's people get their own part with their touchpoints and the
    /// number of other partners; the vendor's people get all parts, and those who may compare, all models. For a won
    /// deal it explains the stored computation, for an open one what it would be if it were won now.
    #[graphql(directive = crate::graphql::cost::points::apply("50".to_owned()))]
    async fn attribution_explanation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The deal; one you cannot see answers NOT_FOUND.")] deal_id: ID,
    ) -> Option<async_graphql::Result<AttributionExplanation>> {
        Some(explanation::read(ctx, &deal_id).await)
    }

    /// Revenue that partners influenced without having brought it, by currency; at most 180 currencies. A partner's
    /// people see their own partner only. Deals count by the day on which they were won, in the time zone of their
    /// programme.
    #[graphql(
     directive = crate::graphql::cost::points::apply("1000".to_owned()),
     directive = crate::graphql::cost::list_size::apply(5, None)
    )]
    async fn influenced_revenue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day.")] period_start: Date,
        #[graphql(desc = "The last day, included.")] period_end: Date,
        #[graphql(desc = "Only this partner; all that you may see unless given.")]
        partner_id: Option<ID>,
    ) -> async_graphql::Result<Vec<InfluencedRevenue>> {
        ctx.may(if ctx.actor().is_vendor() {
            Action::InsightRead
        } else {
            Action::AttributionRead
        })?;
        influence::read(ctx, (period_start.0, period_end.0), partner_id)
            .await
            .map_err(top_level)
    }
}

/// Mutations of touchpoints.
#[derive(Default)]
pub struct AttributionMutation;

#[Object]
impl AttributionMutation {
    /// Records what a partner did for a deal. The other side must confirm it before it counts: the vendor what a
    /// partner recorded, a colleague at the vendor or a manager of the partner what the vendor recorded. After the deal
    /// closed it waits for the vendor's approval. Credit is computed when a deal is won; touchpoints confirmed after that
    /// change neither the stored credit nor commission. Needs `@idempotent`.
    async fn touchpoint_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What happened.")] input: TouchpointRecordInput,
    ) -> async_graphql::Result<TouchpointRecordPayload> {
        let command = input.command(ctx);
        ctx.change_once(
            "touchpointRecord",
            KEPT_FOR_PAYOUTS,
            command,
            record::record,
        )
        .await
    }

    /// Confirms a touchpoint. It then counts when the credit of the deal is computed, which happens once: when the deal is
    /// won, or for imported deals in the next accrual run. Confirming it later puts it on record and changes neither the
    /// stored credit nor commission. You cannot confirm what you recorded yourself.
    async fn touchpoint_verify(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which touchpoint.")] input: TouchpointVerifyInput,
    ) -> async_graphql::Result<TouchpointVerifyPayload> {
        ctx.change("touchpointVerify", input.command(), confirm::verify)
            .await
    }

    /// Refuses a touchpoint; it stays in the record with the reason and does not count.
    async fn touchpoint_reject(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which touchpoint, and why.")] input: TouchpointRejectInput,
    ) -> async_graphql::Result<TouchpointRejectPayload> {
        ctx.change("touchpointReject", input.command(), confirm::reject)
            .await
    }
}

/// The deal of an id under the caller's scope.
async fn deal(ctx: &Context<'_>, id: &ID) -> Result<Deal, Error> {
    let found = Deal::load(ctx, context::id(id)).await?;
    found.ok_or_else(|| Error::not_found("dealId"))
}

/// A partner argument that the caller may ask about: a partner's people only about their own.
fn partner(ctx: &Context<'_>, id: Option<ID>) -> Result<Option<PartnerId>, Error> {
    let named = id.map(|id| context::id(&id));
    match (ctx.actor().partner_id(), named) {
        (Some(own), Some(named)) if own != named => Err(Error::not_found("partnerId")),
        (Some(own), _) => Ok(Some(own)),
        (None, named) => Ok(named),
    }
}
