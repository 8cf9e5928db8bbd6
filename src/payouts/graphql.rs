//! The API of `payouts`.

mod payment;
mod run;

use async_graphql::{Context, ID, InputObject, MergedObject, Object};

pub use payment::{Payout, PayoutConnection, PayoutFilter, PayoutQuery};
pub use run::{PayoutException, PayoutRun, PayoutRunFilter, PayoutRunQuery};

use super::{advance, approve, cancel, create, execute, retry};
use crate::{
    entity::ids::{PayoutId, PayoutRunId},
    error::Result,
    graphql::{
        ContextExt,
        context::{self, KEPT_FOR_PAYOUTS},
        scalars::Date,
    },
    payload,
};

/// Queries of payouts.
#[derive(MergedObject, Default)]
pub struct PayoutsQuery(PayoutRunQuery, PayoutQuery);

/// A payout run to be created.
#[derive(Clone, Debug, InputObject)]
pub struct PayoutRunCreateInput {
    /// The programme whose commission is paid; may be left out while there is only one active programme.
    pub program_id: Option<ID>,
    /// The first day of the period that the run is about, for the records: lines that earlier runs left are paid too.
    pub period_start: Date,
    /// The last day of the period. Commission earned and available until its end in the programme's time zone, but not
    /// after now, is
    /// paid.
    pub period_end: Date,
}

/// A payout run to be approved.
#[derive(Clone, Debug, InputObject)]
pub struct PayoutRunApproveInput {
    /// The run.
    pub payout_run_id: ID,
}

/// A payout run to be given up.
#[derive(Clone, Debug, InputObject)]
pub struct PayoutRunCancelInput {
    /// The run.
    pub payout_run_id: ID,
}

/// A payout run to be executed.
#[derive(Clone, Debug, InputObject)]
pub struct PayoutRunExecuteInput {
    /// The run.
    pub payout_run_id: ID,
}

/// A failed payment to be tried again.
#[derive(Clone, Debug, InputObject)]
pub struct PayoutRetryInput {
    /// The payout.
    pub payout_id: ID,
    /// Whether to pay to the account that the partner has now. Otherwise, and unless you say so, the payment goes to the
    /// account that was approved with its run.
    #[graphql(default)]
    pub use_current_payment_details: bool,
}

payload!(
    /// The result of `payoutRunCreate`.
    PayoutRunCreatePayload {
        /// The new run: waiting for review, or still being calculated.
        payout_run: PayoutRun
    }
);
payload!(
    /// The result of `payoutRunApprove`.
    PayoutRunApprovePayload {
        /// The approved run.
        payout_run: PayoutRun
    }
);
payload!(
    /// The result of `payoutRunCancel`.
    PayoutRunCancelPayload {
        /// The run: cancelled, or its commission is still being freed.
        payout_run: PayoutRun
    }
);
payload!(
    /// The result of `payoutRunExecute`.
    PayoutRunExecutePayload {
        /// The run: completed when the provider settled every payment at once, otherwise still executing.
        payout_run: PayoutRun
    }
);
payload!(
    /// The result of `payoutRetry`.
    PayoutRetryPayload {
        /// The payment.
        payout: Payout
    }
);

/// Mutations of payouts.
#[derive(Default)]
pub struct PayoutsMutation;

#[Object]
impl PayoutsMutation {
    /// Collects the commission that is due into one payment per partner and currency, for review by somebody else.
    /// Who is not paid is listed with the reason; nothing is lost. A run of thousands of partners answers as
    /// `CALCULATING`, goes on by itself and waits for review then. Needs `@idempotent`. Refused with `BAD_USER_INPUT`
    /// for a period that ends before it starts, `NOT_FOUND` for an unknown programme.
    async fn payout_run_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run to be created.")] input: PayoutRunCreateInput,
    ) -> async_graphql::Result<PayoutRunCreatePayload> {
        PayoutRunCreatePayload::of(created(ctx, input).await)
    }

    /// Agrees to a run, which makes its amounts payable. Whoever created a run, or set an account that it pays to, cannot
    /// approve it (`SAME_PERSON`). Later changes of accounts do not redirect its payments. Of thousands of payments some may
    /// still be in `REVIEW` when this answers; they follow by themselves, and the run can be executed meanwhile.
    /// Refused with `ILLEGAL_TRANSITION` unless the run waits for review.
    async fn payout_run_approve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run to be approved.")] input: PayoutRunApproveInput,
    ) -> async_graphql::Result<PayoutRunApprovePayload> {
        PayoutRunApprovePayload::of(approved(ctx, &input.payout_run_id).await)
    }

    /// Gives a run up before it is approved; its commission is free for the next run. A run of thousands of partners
    /// answers as `CANCELLING` and goes on by itself. Refused with `ILLEGAL_TRANSITION` once it is approved.
    async fn payout_run_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run to be given up.")] input: PayoutRunCancelInput,
    ) -> async_graphql::Result<PayoutRunCancelPayload> {
        PayoutRunCancelPayload::of(cancelled(ctx, &input.payout_run_id).await)
    }

    /// Hands the payments of an approved run to the payment provider and settles them. Needs `@idempotent`. A run that
    /// was interrupted goes on by itself, or when this is called again; no payment is sent twice.
    async fn payout_run_execute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run to be executed.")] input: PayoutRunExecuteInput,
    ) -> async_graphql::Result<PayoutRunExecutePayload> {
        PayoutRunExecutePayload::of(executed(ctx, &input.payout_run_id).await)
    }

    /// Hands a failed payment to the provider again, as another attempt. Needs `@idempotent`. Refused
    /// with `ILLEGAL_TRANSITION` unless the payment failed; to the account of now, with `NOT_ELIGIBLE` when there is none
    /// and `SAME_PERSON` for whoever set it.
    async fn payout_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment to be tried again.")] input: PayoutRetryInput,
    ) -> async_graphql::Result<PayoutRetryPayload> {
        PayoutRetryPayload::of(retried(ctx, &input).await)
    }
}

async fn created(ctx: &Context<'_>, input: PayoutRunCreateInput) -> Result<PayoutRun> {
    let command = create::Create {
        program_id: input.program_id.map(|id| context::id(&id)),
        period_start: input.period_start.0,
        period_end: input.period_end.0,
    };
    let id = ctx
        .write_once("payoutRunCreate", KEPT_FOR_PAYOUTS, move |tx| {
            Box::pin(create::create(tx, command))
        })
        .await?;
    ctx.begin("payoutRunCreate", |app, _| async move {
        advance::go_on(&app, id).await
    })
    .await;
    PayoutRun::fresh(ctx, id).await
}

async fn approved(ctx: &Context<'_>, id: &ID) -> Result<PayoutRun> {
    let id: PayoutRunId = context::id(id);
    let id = ctx
        .write("payoutRunApprove", move |tx| {
            Box::pin(approve::approve(tx, id))
        })
        .await?;
    ctx.begin("payoutRunApprove", |app, _| async move {
        advance::go_on(&app, id).await
    })
    .await;
    PayoutRun::fresh(ctx, id).await
}

async fn cancelled(ctx: &Context<'_>, id: &ID) -> Result<PayoutRun> {
    let id: PayoutRunId = context::id(id);
    let id = ctx
        .write("payoutRunCancel", move |tx| {
            Box::pin(cancel::cancel(tx, id))
        })
        .await?;
    ctx.begin("payoutRunCancel", |app, _| async move {
        advance::go_on(&app, id).await
    })
    .await;
    PayoutRun::fresh(ctx, id).await
}

async fn executed(ctx: &Context<'_>, id: &ID) -> Result<PayoutRun> {
    let id: PayoutRunId = context::id(id);
    let provider = super::provider::configured(ctx.app());
    let name = provider.name();
    let id = ctx
        .write_once("payoutRunExecute", KEPT_FOR_PAYOUTS, move |tx| {
            Box::pin(execute::start(tx, id, name))
        })
        .await?;
    ctx.begin("payoutRunExecute", |app, call| async move {
        execute::go_on(&app, &call, &provider, id, None).await
    })
    .await;
    PayoutRun::fresh(ctx, id).await
}

async fn retried(ctx: &Context<'_>, input: &PayoutRetryInput) -> Result<Payout> {
    let id: PayoutId = context::id(&input.payout_id);
    let command = retry::Retry {
        payout: id,
        to_current_account: input.use_current_payment_details,
    };
    let provider = super::provider::configured(ctx.app());
    let name = provider.name();
    let run = ctx
        .write_once("payoutRetry", KEPT_FOR_PAYOUTS, move |tx| {
            Box::pin(retry::start(tx, command, name))
        })
        .await?;
    ctx.begin("payoutRetry", |app, call| async move {
        execute::go_on(&app, &call, &provider, run, Some(id)).await
    })
    .await;
    Payout::fresh(ctx, id).await
}
