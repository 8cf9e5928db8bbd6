//! What can be done to registrations.

use async_graphql::{Context, Object};

use super::{
    DealRegistration,
    registration_inputs::{
        DealRegistrationAnswerInput, DealRegistrationApproveInput, DealRegistrationExtendInput,
        DealRegistrationRejectInput, DealRegistrationRequestInfoInput,
        DealRegistrationReviewStartInput, DealRegistrationSubmitInput,
        DealRegistrationWithdrawInput,
    },
};
use crate::{
    deals::{extend, register, review},
    graphql::{Changes, context::KEPT},
    payload,
};

payload!(
    /// The result of handing in a claim.
    DealRegistrationSubmitPayload {
        /// The registration; null when it was refused.
        deal_registration: DealRegistration
    }
);
payload!(
    /// The result of taking a registration up.
    DealRegistrationReviewStartPayload {
        /// The registration; null when it was refused.
        deal_registration: DealRegistration
    }
);
payload!(
    /// The result of asking the partner.
    DealRegistrationRequestInfoPayload {
        /// The registration; null when it was refused.
        deal_registration: DealRegistration
    }
);
payload!(
    /// The result of an answer.
    DealRegistrationAnswerPayload {
        /// The registration; null when it was refused.
        deal_registration: DealRegistration
    }
);
payload!(
    /// The result of an approval.
    DealRegistrationApprovePayload {
        /// The registration with its deal; null when it was refused.
        deal_registration: DealRegistration
    }
);
payload!(
    /// The result of a rejection.
    DealRegistrationRejectPayload {
        /// The registration; null when it was refused.
        deal_registration: DealRegistration
    }
);
payload!(
    /// The result of taking a claim back.
    DealRegistrationWithdrawPayload {
        /// The registration; null when it was refused.
        deal_registration: DealRegistration
    }
);
payload!(
    /// The result of asking for longer protection.
    DealRegistrationExtendPayload {
        /// The registration; null when it was refused.
        deal_registration: DealRegistration
    }
);

/// Claims: handing in, review and protection.
#[derive(Default)]
pub struct RegistrationMutation;

#[Object]
impl RegistrationMutation {
    /// Hands in a claim and takes the customer's place for each product family. Needs `@idempotent`. Refused with
    /// `CONFLICT` and reasons when somebody else has the place, with `DUPLICATE` when your partner has it, with
    /// `NOT_ELIGIBLE` by the partner's state, with `LIMIT_REACHED` by its tier.
    async fn deal_registration_submit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The claim.")] input: DealRegistrationSubmitInput,
    ) -> async_graphql::Result<DealRegistrationSubmitPayload> {
        ctx.change_once(
            "dealRegistrationSubmit",
            KEPT,
            Ok(input.command()),
            register::submit,
        )
        .await
    }

    /// Takes a registration up, so that other reviewers see that somebody is on it. For reviewers of the vendor.
    async fn deal_registration_review_start(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: DealRegistrationReviewStartInput,
    ) -> async_graphql::Result<DealRegistrationReviewStartPayload> {
        ctx.change(
            "dealRegistrationReviewStart",
            Ok(input.command()),
            review::start,
        )
        .await
    }

    /// Asks the partner for more; the review clock stands still until the answer. For reviewers of the vendor.
    async fn deal_registration_request_info(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The question.")] input: DealRegistrationRequestInfoInput,
    ) -> async_graphql::Result<DealRegistrationRequestInfoPayload> {
        ctx.change(
            "dealRegistrationRequestInfo",
            Ok(input.command()),
            review::request_info,
        )
        .await
    }

    /// Answers the reviewer's question. For the partner's people.
    async fn deal_registration_answer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The answer.")] input: DealRegistrationAnswerInput,
    ) -> async_graphql::Result<DealRegistrationAnswerPayload> {
        ctx.change(
            "dealRegistrationAnswer",
            Ok(input.command()),
            review::answer,
        )
        .await
    }

    /// Grants the claim: protection for the days of the tier, and the deal with the partner as its sourcer. For
    /// reviewers of the vendor, but not for the person who submitted it (`SAME_PERSON`). While another open registration
    /// may be for the same customer, it is refused with `CONFLICT` at `differentCustomer` until you decide.
    async fn deal_registration_approve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: DealRegistrationApproveInput,
    ) -> async_graphql::Result<DealRegistrationApprovePayload> {
        ctx.change(
            "dealRegistrationApprove",
            Ok(input.command()),
            review::approve,
        )
        .await
    }

    /// Refuses the claim with a reason and words; the place is free again. For reviewers of the vendor.
    async fn deal_registration_reject(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and why.")] input: DealRegistrationRejectInput,
    ) -> async_graphql::Result<DealRegistrationRejectPayload> {
        ctx.change(
            "dealRegistrationReject",
            Ok(input.command()),
            review::reject,
        )
        .await
    }

    /// Takes the claim back before the decision; the place is free again. For the partner's managers.
    async fn deal_registration_withdraw(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: DealRegistrationWithdrawInput,
    ) -> async_graphql::Result<DealRegistrationWithdrawPayload> {
        ctx.change(
            "dealRegistrationWithdraw",
            Ok(input.command()),
            review::withdraw,
        )
        .await
    }

    /// Prolongs protection by the days of the tier, counted from the last protected day. Refused with
    /// `EXTENSION_REFUSED` after the end, beyond the tier's number, or when the deal has not reached a higher stage
    /// since the approval or the last extension. For the partner's managers.
    async fn deal_registration_extend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and what was done.")] input: DealRegistrationExtendInput,
    ) -> async_graphql::Result<DealRegistrationExtendPayload> {
        ctx.change(
            "dealRegistrationExtend",
            Ok(input.command()),
            extend::extend,
        )
        .await
    }
}
