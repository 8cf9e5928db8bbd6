//! One mutation for each move in a partner's life.

use async_graphql::{Context, ID, InputObject, Object};

use super::Partner;
use crate::{
    entity::partner_lifecycle_event::PartnerAction,
    graphql::{Changes, context},
    partners::lifecycle::{self, Move},
    payload,
};

/// Declares the moves: field, wire name, action, input and payload. All of them look the same to a client.
macro_rules! moves {
    ($($(#[$doc:meta])* $field:ident = $name:literal: $action:ident, $input:ident, $payload:ident;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, InputObject)]
            pub struct $input {
                /// The partner.
                pub partner_id: ID,
                /// Why, at most 2,000 characters; kept in the history and shown to the partner. `REASON_REQUIRED` where
                /// the move needs one.
                pub reason: Option<String>,
            }

            payload!(
                /// The partner after the move.
                $payload {
                    /// The partner; null when the move was refused.
                    partner: Partner
                }
            );
        )+

        /// The moves in a partner's life.
        #[derive(Default)]
        pub struct LifecycleMutation;

        #[Object]
        impl LifecycleMutation {
            $(
                $(#[$doc])*
                async fn $field(
                    &self,
                    ctx: &Context<'_>,
                    #[graphql(desc = "Which partner, and why.")] input: $input,
                ) -> async_graphql::Result<$payload> {
                    let command = Move {
                        partner: context::id(&input.partner_id),
                        action: PartnerAction::$action,
                        reason: input.reason,
                    };
                    ctx.change($name, Ok(command), lifecycle::apply).await
                }
            )+
        }
    };
}

moves! {
    /// Hands in an application for a prospect, or again for a rejected applicant.
    partner_apply = "partnerApply": Apply, PartnerApplyInput, PartnerApplyPayload;
    /// Takes an application up for vetting.
    partner_review_start = "partnerReviewStart": StartReview, PartnerReviewStartInput, PartnerReviewStartPayload;
    /// Accepts an applicant that was vetted.
    partner_approve = "partnerApprove": Approve, PartnerApproveInput, PartnerApprovePayload;
    /// Turns an applicant down; needs a reason.
    partner_reject = "partnerReject": Reject, PartnerRejectInput, PartnerRejectPayload;
    /// Begins agreements, training and set-up with an accepted partner.
    partner_onboarding_start = "partnerOnboardingStart": StartOnboarding, PartnerOnboardingStartInput, PartnerOnboardingStartPayload;
    /// Puts a partner into full standing: after onboarding, after approval, or a prospect whose agreement was made
    /// elsewhere. An applicant waits for its decision.
    partner_activate = "partnerActivate": Activate, PartnerActivateInput, PartnerActivatePayload;
    /// Observes a partner in full standing; needs a reason.
    partner_watch = "partnerWatch": Watch, PartnerWatchInput, PartnerWatchPayload;
    /// Bars a partner from new business and holds its payments; needs a reason.
    partner_suspend = "partnerSuspend": Suspend, PartnerSuspendInput, PartnerSuspendPayload;
    /// Returns a watched or suspended partner to full standing.
    partner_reinstate = "partnerReinstate": Reinstate, PartnerReinstateInput, PartnerReinstatePayload;
    /// Begins the farewell: no new business, running business is settled and paid; needs a reason.
    partner_offboarding_start = "partnerOffboardingStart": StartOffboarding, PartnerOffboardingStartInput, PartnerOffboardingStartPayload;
    /// Closes a partner's file for good.
    partner_retire = "partnerRetire": Retire, PartnerRetireInput, PartnerRetirePayload;
}
