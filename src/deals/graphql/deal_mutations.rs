//! What can be done to deals and to the partners on them.

use async_graphql::{Context, Object};

use super::{
    Deal, DealParticipant,
    deal_inputs::{
        DealCreateInput, DealLoseInput, DealParticipantAcceptInput, DealParticipantDeclineInput,
        DealParticipantInviteInput, DealParticipantRemoveInput, DealStageChangeInput,
    },
};
use crate::{
    deals::{advance, close, invite, open},
    graphql::Changes,
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
        ctx.change("dealCreate", Ok(input.command()), open::create)
            .await
    }

    /// Moves an open deal to another open stage, forward or back. Refused with `ROLES_INCOMPLETE` when it would pass a stage
    /// that asks for accepted roles while an invitation stands open. For alliance managers.
    async fn deal_stage_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where to.")] input: DealStageChangeInput,
    ) -> async_graphql::Result<DealStageChangePayload> {
        ctx.change("dealStageChange", Ok(input.command()), advance::advance)
            .await
    }

    /// Closes a deal as lost, with a reason and the competitor; its place is free again. For alliance managers.
    async fn deal_lose(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and why.")] input: DealLoseInput,
    ) -> async_graphql::Result<DealLosePayload> {
        ctx.change("dealLose", Ok(input.command()), close::lose)
            .await
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
        ctx.change("dealParticipantInvite", Ok(input.command()), invite::invite)
            .await
    }

    /// Takes the role. For managers of the invited partner only.
    async fn deal_participant_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which invitation.")] input: DealParticipantAcceptInput,
    ) -> async_graphql::Result<DealParticipantAcceptPayload> {
        ctx.change("dealParticipantAccept", Ok(input.command()), invite::accept)
            .await
    }

    /// Says no to the role; the deal is then no longer visible. For managers of the invited partner only.
    async fn deal_participant_decline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which invitation.")] input: DealParticipantDeclineInput,
    ) -> async_graphql::Result<DealParticipantDeclinePayload> {
        ctx.change(
            "dealParticipantDecline",
            Ok(input.command()),
            invite::decline,
        )
        .await
    }

    /// Takes a partner off an open deal, or takes an invitation back. What the partner did on the deal stays. For alliance
    /// managers.
    async fn deal_participant_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and why.")] input: DealParticipantRemoveInput,
    ) -> async_graphql::Result<DealParticipantRemovePayload> {
        ctx.change("dealParticipantRemove", Ok(input.command()), invite::remove)
            .await
    }
}
