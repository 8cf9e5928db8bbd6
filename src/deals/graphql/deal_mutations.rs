//! What can be done to deals and to the partners on them.

use async_graphql::{Context, Object};

use super::{
    Deal, DealParticipant,
    deal_inputs::{
        DealCreateInput, DealLoseInput, DealParticipantAcceptInput, DealParticipantDeclineInput,
        DealParticipantInviteInput, DealParticipantRemoveInput, DealStageChangeInput,
    },
    write,
};
use crate::{
    deals::{advance, close, invite, open},
    graphql::ContextExt,
    payload,
};

payload!(
    /// The result of opening a deal.
    DealCreatePayload {
        /// The deal; null when it was refused.
        deal: Deal
    }
);
payload!(
    /// The result of a move.
    DealStageChangePayload {
        /// The deal; null when it was refused.
        deal: Deal
    }
);
payload!(
    /// The result of losing a deal.
    DealLosePayload {
        /// The deal; null when it was refused.
        deal: Deal
    }
);
payload!(
    /// The result of an invitation.
    DealParticipantInvitePayload {
        /// The participant; null when it was refused.
        participant: DealParticipant
    }
);
payload!(
    /// The result of accepting.
    DealParticipantAcceptPayload {
        /// The participant; null when it was refused.
        participant: DealParticipant
    }
);
payload!(
    /// The result of declining.
    DealParticipantDeclinePayload {
        /// The participant; null when it was refused.
        participant: DealParticipant
    }
);
payload!(
    /// The result of taking a partner off.
    DealParticipantRemovePayload {
        /// The participant; null when it was refused.
        participant: DealParticipant
    }
);

/// Deals and their pipeline.
#[derive(Default)]
pub struct PipelineMutation;

#[Object]
impl PipelineMutation {
    /// Opens a deal of the vendor's own sales: no registration, no protection, no participants. For alliance managers.
    async fn deal_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The deal.")] input: DealCreateInput,
    ) -> async_graphql::Result<DealCreatePayload> {
        let result = async {
            let id = write!(ctx, "dealCreate", input.command(), open::create)?;
            Deal::fresh(ctx, id).await
        };
        DealCreatePayload::of(result.await)
    }

    /// Moves an open deal to another open stage, forward or back. Refused with `ROLES_INCOMPLETE` when it would pass a stage
    /// that asks for accepted roles while an invitation stands open. For alliance managers.
    async fn deal_stage_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where to.")] input: DealStageChangeInput,
    ) -> async_graphql::Result<DealStageChangePayload> {
        let result = async {
            let id = write!(ctx, "dealStageChange", input.command(), advance::advance)?;
            Deal::fresh(ctx, id).await
        };
        DealStageChangePayload::of(result.await)
    }

    /// Closes a deal as lost, with a reason and the competitor; its place is free again. For alliance managers.
    async fn deal_lose(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and why.")] input: DealLoseInput,
    ) -> async_graphql::Result<DealLosePayload> {
        let result = async {
            let id = write!(ctx, "dealLose", input.command(), close::lose)?;
            Deal::fresh(ctx, id).await
        };
        DealLosePayload::of(result.await)
    }
}

/// Partners on deals.
#[derive(Default)]
pub struct ParticipantMutation;

#[Object]
impl ParticipantMutation {
    /// Invites a partner to an open deal; the invitation stands for the days of the programme. `CONFLICT` for a second reseller
    /// of record, `DUPLICATE` when the partner has this role already. For alliance managers.
    async fn deal_participant_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom, and for what.")] input: DealParticipantInviteInput,
    ) -> async_graphql::Result<DealParticipantInvitePayload> {
        let result = async {
            let id = write!(
                ctx,
                "dealParticipantInvite",
                input.command(),
                invite::invite
            )?;
            DealParticipant::fresh(ctx, id).await
        };
        DealParticipantInvitePayload::of(result.await)
    }

    /// Takes the role. For managers of the invited partner only.
    async fn deal_participant_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which invitation.")] input: DealParticipantAcceptInput,
    ) -> async_graphql::Result<DealParticipantAcceptPayload> {
        let result = async {
            let id = write!(
                ctx,
                "dealParticipantAccept",
                input.command(),
                invite::accept
            )?;
            DealParticipant::fresh(ctx, id).await
        };
        DealParticipantAcceptPayload::of(result.await)
    }

    /// Says no to the role; the deal is then no longer visible. For managers of the invited partner only.
    async fn deal_participant_decline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which invitation.")] input: DealParticipantDeclineInput,
    ) -> async_graphql::Result<DealParticipantDeclinePayload> {
        let result = async {
            let id = write!(
                ctx,
                "dealParticipantDecline",
                input.command(),
                invite::decline
            )?;
            DealParticipant::fresh(ctx, id).await
        };
        DealParticipantDeclinePayload::of(result.await)
    }

    /// Takes a partner off an open deal, or takes an invitation back. What the partner did on the deal stays. For alliance
    /// managers.
    async fn deal_participant_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and why.")] input: DealParticipantRemoveInput,
    ) -> async_graphql::Result<DealParticipantRemovePayload> {
        let result = async {
            let id = write!(
                ctx,
                "dealParticipantRemove",
                input.command(),
                invite::remove
            )?;
            DealParticipant::fresh(ctx, id).await
        };
        DealParticipantRemovePayload::of(result.await)
    }
}
