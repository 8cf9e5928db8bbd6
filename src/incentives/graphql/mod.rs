//! The API of `incentives`: plans, previews, commission lines, and the run over deals that lack them.

mod accrual;
mod component;
mod plan;
mod preview;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

pub use accrual::{
    Accrual, AccrualConnection, AccrualEdge, AccrualsOf, accruals_for, accruals_paid_by,
};
pub use component::{
    IncentiveComponent, IncentiveComponentInput, IncentiveHoldback, IncentiveHoldbackInput,
    IncentiveRebate, IncentiveRebateInput, IncentiveRebateTier, IncentiveRebateTierInput,
};
pub use plan::{
    IncentivePlan, IncentivePlanActivateInput, IncentivePlanActivatePayload,
    IncentivePlanConnection, IncentivePlanCreateInput, IncentivePlanCreatePayload,
    IncentivePlanEdge, IncentivePlanFilter, IncentivePlanRetireInput, IncentivePlanRetirePayload,
};
pub use preview::{PayoutPreview, PayoutPreviewInput, PayoutPreviewLine};

use super::{
    batch,
    exception::{self, Reason},
    plan as plans, store,
};
use crate::{
    access::Action,
    attribution::attribute,
    entity::{deal, ids::ProgramId, incentive_plan},
    error::Result,
    graphql::{
        ContextExt,
        context::id,
        errors::top_level,
        paging::{self, Direction, PageArgs, Sort},
        scalars::BigInt,
    },
    payload,
    programs::rules::{self, Rules},
};

/// Queries of incentives.
#[derive(Default)]
pub struct IncentivesQuery;

#[Object]
impl IncentivesQuery {
    /// An incentive plan; null with NOT_FOUND when there is none for you.
    async fn incentive_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The plan's id.")] id: ID,
    ) -> Option<async_graphql::Result<IncentivePlan>> {
        Some(plan::read(ctx, &id).await)
    }

    /// Incentive plans, newest first. The vendor's people see all; a partner's people those that are or were in force.
    async fn incentive_plans(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which plans; all that you may see unless given.")] filter: Option<
            IncentivePlanFilter,
        >,
        #[graphql(desc = "The first so many, 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100; not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<IncentivePlanConnection> {
        ctx.may(Action::PlanRead)?;
        let wanted = filter.unwrap_or_default().wanted();
        let select = store::plans(ctx.actor().scope(), wanted);
        let sort = Sort {
            column: None,
            id: incentive_plan::Column::Id,
            direction: Direction::Desc,
        };
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = paging::page(ctx, ctx.db(), select, sort, args)
            .await
            .map_err(top_level)?;
        Ok(IncentivePlanConnection::of(page, IncentivePlan))
    }

    /// What a deal would pay if it were won now, computed by the same rule as the payment; for a won deal, what its
    /// plans give. Ask for a deal, or think of one by its value, your share and your roles. A partner's people see
    /// their own lines of a deal.
    async fn payout_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The deal, or what you imagine.")] input: PayoutPreviewInput,
    ) -> Option<async_graphql::Result<PayoutPreview>> {
        Some(preview::read(ctx, input).await)
    }
}

/// Mutations of incentives.
#[derive(Default)]
pub struct IncentivesMutation;

#[Object]
impl IncentivesMutation {
    /// Drafts an incentive plan, or the next number of one. It pays nothing before somebody else activates it.
    async fn incentive_plan_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the plan promises.")] input: IncentivePlanCreateInput,
    ) -> async_graphql::Result<IncentivePlanCreatePayload> {
        let result = async {
            let draft = input.draft(ctx)?;
            let id = ctx
                .write("incentivePlanCreate", move |tx| {
                    let draft = draft.clone();
                    Box::pin(async move { plans::create(tx, draft).await })
                })
                .await?;
            IncentivePlan::fresh(ctx, id).await
        };
        IncentivePlanCreatePayload::of(result.await)
    }

    /// Activates a draft. You cannot activate a plan that you drafted. The number of the same name that was active ends where this one
    /// begins; plans of other names pay beside it. Refused with `ILLEGAL_TRANSITION` at `planId` when it covers deals that
    /// another number of the same name has booked: a deal earns once under a plan.
    async fn incentive_plan_activate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which plan.")] input: IncentivePlanActivateInput,
    ) -> async_graphql::Result<IncentivePlanActivatePayload> {
        let result = async {
            let command = plan_move(&input.plan_id, input.expected_version);
            let id = ctx
                .write("incentivePlanActivate", move |tx| {
                    let command = command.clone();
                    Box::pin(async move { plans::activate(tx, command).await })
                })
                .await?;
            IncentivePlan::fresh(ctx, id).await
        };
        IncentivePlanActivatePayload::of(result.await)
    }

    /// Takes a plan out of force. What it paid stays; it pays nothing more.
    async fn incentive_plan_retire(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which plan.")] input: IncentivePlanRetireInput,
    ) -> async_graphql::Result<IncentivePlanRetirePayload> {
        let result = async {
            let command = plan_move(&input.plan_id, input.expected_version);
            let id = ctx
                .write("incentivePlanRetire", move |tx| {
                    let command = command.clone();
                    Box::pin(async move { plans::retire(tx, command).await })
                })
                .await?;
            IncentivePlan::fresh(ctx, id).await
        };
        IncentivePlanRetirePayload::of(result.await)
    }

    /// Gives all won deals of a programme the credit and the commission that they lack, such as after an import or
    /// for a plan that began in the past. What they have stays, so it may be repeated, and goes on where it stopped. Deals
    /// that pay no commission are listed by cause.
    async fn accrual_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "For which programme.")] input: AccrualRunInput,
    ) -> async_graphql::Result<AccrualRunPayload> {
        let result = async {
            ctx.actor().may(Action::PlanActivate)?;
            let program = id::<ProgramId>(&input.program_id);
            let _: Rules = rules::in_force(ctx.db(), program, ctx.app().clock().now()).await?;
            let report = ctx.finish("accrualRun", |app, call| async move {
                batch::run_as(&app, call, program, |_| {}).await
            });
            report.await.map(AccrualReport::from)
        };
        AccrualRunPayload::of(result.await)
    }
}

/// A programme whose won deals are to be worked through.
#[derive(Clone, Debug, InputObject)]
pub struct AccrualRunInput {
    /// The programme.
    program_id: ID,
}

/// What a run over the won deals of a programme came to.
#[derive(Clone, Debug, SimpleObject)]
pub struct AccrualReport {
    /// Won deals that were looked at.
    deals: BigInt,
    /// Commission lines that were booked; 0 when nothing was lacking.
    lines: BigInt,
    /// The won deals that pay no commission, by cause. At most 7.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    exceptions: Vec<CommissionExceptions>,
}

/// The won deals that pay no commission for one cause.
#[derive(Clone, Debug, SimpleObject)]
pub struct CommissionExceptions {
    /// The cause.
    reason: Reason,
    /// The number of deals.
    deals: BigInt,
    /// The IDs of the first of them, in the order in which they were won. At most 20.
    #[graphql(directive = crate::graphql::cost::list_size::apply(20, None))]
    deal_ids: Vec<ID>,
}

/// A won deal that pays no commission.
#[derive(Clone, Debug, SimpleObject)]
pub struct CommissionException {
    /// The ID of the deal.
    deal_id: ID,
    /// The cause.
    reason: Reason,
}

/// Why a won deal pays no commission; empty when it pays some, or is not won.
///
/// # Errors
/// The database failed.
pub async fn exceptions_of(
    ctx: &Context<'_>,
    deal: &deal::Model,
) -> Result<Vec<CommissionException>> {
    let attributed = attribute::stored(ctx.db(), std::slice::from_ref(deal)).await?;
    let exceptions = exception::of(ctx.db(), &attributed).await?;
    Ok(exceptions
        .into_iter()
        .map(|exception| CommissionException {
            deal_id: exception.deal.into(),
            reason: exception.reason,
        })
        .collect())
}

impl From<batch::Report> for AccrualReport {
    fn from(report: batch::Report) -> Self {
        let count = |number| BigInt(i64::try_from(number).unwrap_or(i64::MAX));
        Self {
            deals: count(report.deals),
            lines: count(report.lines),
            exceptions: report
                .exceptions
                .into_iter()
                .map(|(reason, unpaid)| CommissionExceptions {
                    reason,
                    deals: count(unpaid.deals),
                    deal_ids: unpaid.first.into_iter().map(ID::from).collect(),
                })
                .collect(),
        }
    }
}

payload! {
    /// What became of a run over the won deals of a programme.
    AccrualRunPayload {
        /// What was done; null exactly when there are errors.
        report: AccrualReport
    }
}

fn plan_move(plan_id: &ID, expected_version: Option<i32>) -> plans::Move {
    plans::Move {
        plan: id(plan_id),
        expected_version: expected_version.map(i64::from),
    }
}
