//! Winning and refunding in the API.

use async_graphql::{Context, Object, SimpleObject};

use super::{refund, win};
use crate::{
    deals::graphql::{
        Deal,
        deal_inputs::{DealRefundInput, DealWinInput},
    },
    graphql::{Changes, UserError, context::KEPT, errors},
    incentives::graphql::{CommissionException, exceptions_of},
    payload,
};

/// The result of winning a deal.
#[derive(SimpleObject)]
pub struct DealWinPayload {
    /// The deal; null when it was refused.
    deal: Option<Deal>,
    /// Why the deal pays no commission; empty when it pays some. At most 1.
    #[graphql(directive = crate::graphql::cost::list_size::apply(1, None))]
    commission_exceptions: Vec<CommissionException>,
    /// Why nothing was changed, one for each fault; empty on success. At most 100.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    user_errors: Vec<UserError>,
}
payload!(
    /// The result of a refund.
    DealRefundPayload {
        /// The deal; null when it was refused.
        deal: Deal
    }
);

/// What ends with money.
#[derive(Default)]
pub struct OutcomeMutation;

#[Object]
impl OutcomeMutation {
    /// Wins a deal: its registration is won, its protection ends, and credit, commission and ledger entries are made in the
    /// same transaction. A deal that pays no commission lists the cause. Needs `@idempotent`. For alliance managers.
    async fn deal_win(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, when and for how much.")] input: DealWinInput,
    ) -> async_graphql::Result<DealWinPayload> {
        let result = async {
            let deal: Deal = ctx
                .saved_once("dealWin", KEPT, Ok(input.command()), win::win)
                .await?;
            let exceptions = exceptions_of(ctx, &deal.0).await?;
            Ok((deal, exceptions))
        };
        let (deal, commission_exceptions, user_errors) = match result.await {
            Ok((deal, exceptions)) => (Some(deal), exceptions, Vec::new()),
            Err(error) => (None, Vec::new(), errors::user_errors(error)?),
        };
        Ok(DealWinPayload {
            deal,
            commission_exceptions,
            user_errors,
        })
    }

    /// Notes that the customer of a won deal got money back; commission is taken back inside its window. Needs `@idempotent`.
    /// For finance.
    async fn deal_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, how much and why.")] input: DealRefundInput,
    ) -> async_graphql::Result<DealRefundPayload> {
        ctx.change_once("dealRefund", KEPT, Ok(input.command()), refund::refund)
            .await
    }
}
