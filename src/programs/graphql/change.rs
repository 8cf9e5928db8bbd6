//! Opening programmes, changing their rules, enrolling partners.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};

use super::program::Program;
use crate::{
    access::Action,
    graphql::{
        context::{self, ContextExt},
        scalars::DateTime,
    },
    partners::graphql::Partner,
    payload,
    programs::{
        create::{self, Create},
        effect::{self, Withdraw},
        enroll::{self, Place},
        revise::{self, Revise},
    },
    settings::input::ProgramSettingsInput,
};

/// A programme to be opened.
#[derive(Clone, Debug, InputObject)]
pub struct ProgramCreateInput {
    /// Its name; unique, at most 120 characters.
    name: String,
    /// Its rules; what is left out is as in the standard programme.
    settings: Option<ProgramSettingsInput>,
}

/// New rules for a programme.
#[derive(Clone, Debug, InputObject)]
pub struct ProgramSettingsChangeInput {
    /// The programme.
    program_id: ID,
    /// The rules; what is left out is as in the last version.
    settings: ProgramSettingsInput,
    /// From when on they hold: now unless given, never in the past, and after the beginning of every other version.
    effective_from: Option<DateTime>,
    /// The `version` of the programme you read; `STALE_OBJECT` when it has changed since. Without it the change is made
    /// on whatever is stored.
    expected_version: Option<i32>,
}

/// A partner's place in a programme.
#[derive(Clone, Debug, InputObject)]
pub struct PartnerEnrollInput {
    /// The partner.
    partner_id: ID,
    /// The programme; the only active one when left out.
    program_id: Option<ID>,
    /// The key of a tier of the programme, such as `GOLD`.
    tier: String,
}

/// A version of a programme's rules to be withdrawn.
#[derive(Clone, Debug, InputObject)]
pub struct ProgramVersionWithdrawInput {
    /// The version.
    version_id: ID,
    /// The `version` of the programme you read; `STALE_OBJECT` when it has changed since. Not checked unless given.
    expected_version: Option<i32>,
}

/// Another tier for a partner in a programme.
#[derive(Clone, Debug, InputObject)]
pub struct PartnerTierChangeInput {
    /// The partner.
    partner_id: ID,
    /// The programme; the only active one when left out.
    program_id: Option<ID>,
    /// The key of a tier of the programme, such as `GOLD`.
    tier: String,
}

fn place(partner: &ID, program: Option<&ID>, tier: String) -> Place {
    Place {
        partner: context::id(partner),
        program: program.map(context::id),
        tier,
    }
}

payload!(
    /// The programme that was opened.
    ProgramCreatePayload {
        /// The programme; null when nothing was created.
        program: Program
    }
);

payload!(
    /// The programme whose rules were changed.
    ProgramSettingsChangePayload {
        /// The programme; null when nothing was changed.
        program: Program
    }
);

payload!(
    /// The programme whose version was withdrawn.
    ProgramVersionWithdrawPayload {
        /// The programme; null when nothing was changed.
        program: Program
    }
);

payload!(
    /// The partner that was enrolled.
    PartnerEnrollPayload {
        /// The partner, with its place among its `enrollments`; null when nothing was changed.
        partner: Partner
    }
);

payload!(
    /// The partner whose tier was changed.
    PartnerTierChangePayload {
        /// The partner, with its place among its `enrollments`; null when nothing was changed.
        partner: Partner
    }
);

/// What can be done with programmes.
#[derive(Default)]
pub struct ProgramMutation;

#[Object]
impl ProgramMutation {
    /// Opens a programme; its rules are in force at once. For administrators and alliance managers of the vendor.
    async fn program_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The programme.")] input: ProgramCreateInput,
    ) -> async_graphql::Result<ProgramCreatePayload> {
        let result = async {
            ctx.actor().may(Action::ProgramRead)?;
            let command = Create {
                name: input.name,
                settings: Arc::new(input.settings.unwrap_or_default()),
            };
            let id = ctx
                .write("programCreate", move |tx| {
                    let command = command.clone();
                    Box::pin(async move { create::create(tx, command).await })
                })
                .await?;
            Program::fresh(ctx, id).await
        };
        ProgramCreatePayload::of(result.await)
    }

    /// Gives a programme a new version of its rules, from now or a coming instant on. What was made under earlier
    /// versions keeps them. For administrators and alliance managers of the vendor.
    async fn program_settings_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which programme, and its new rules.")] input: ProgramSettingsChangeInput,
    ) -> async_graphql::Result<ProgramSettingsChangePayload> {
        let result = async {
            ctx.actor().may(Action::ProgramRead)?;
            let command = Revise {
                program: context::id(&input.program_id),
                expected_version: input.expected_version.map(i64::from),
                effective_from: input.effective_from.map(|at| at.0),
                settings: Arc::new(input.settings),
            };
            let id = ctx
                .write("programSettingsChange", move |tx| {
                    let command = command.clone();
                    Box::pin(async move { revise::revise(tx, command).await })
                })
                .await?;
            Program::fresh(ctx, id).await
        };
        ProgramSettingsChangePayload::of(result.await)
    }

    /// Withdraws a version of a programme's rules before it takes effect; the version before it holds on. Only the last
    /// version can be withdrawn. For administrators and alliance managers of the vendor.
    async fn program_version_withdraw(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The version to withdraw.")] input: ProgramVersionWithdrawInput,
    ) -> async_graphql::Result<ProgramVersionWithdrawPayload> {
        let result = async {
            ctx.actor().may(Action::ProgramRead)?;
            let command = Withdraw {
                version: context::id(&input.version_id),
                expected_version: input.expected_version.map(i64::from),
            };
            let id = ctx
                .write("programVersionWithdraw", move |tx| {
                    let command = command.clone();
                    Box::pin(async move { effect::withdraw(tx, command).await })
                })
                .await?;
            Program::fresh(ctx, id).await
        };
        ProgramVersionWithdrawPayload::of(result.await)
    }

    /// Enrols a partner in a programme at a tier. For administrators and alliance managers of the vendor.
    async fn partner_enroll(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which partner, where, at which tier.")] input: PartnerEnrollInput,
    ) -> async_graphql::Result<PartnerEnrollPayload> {
        let result = async {
            ctx.actor().may(Action::ProgramRead)?;
            let command = place(&input.partner_id, input.program_id.as_ref(), input.tier);
            let id = ctx
                .write("partnerEnroll", move |tx| {
                    let command = command.clone();
                    Box::pin(async move { enroll::enroll(tx, command).await })
                })
                .await?;
            Partner::fresh(ctx, id).await
        };
        PartnerEnrollPayload::of(result.await)
    }

    /// Gives a partner another tier in a programme. Registrations keep the tier under which they were handed in. For
    /// administrators and alliance managers of the vendor.
    async fn partner_tier_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which partner, where, and the tier.")] input: PartnerTierChangeInput,
    ) -> async_graphql::Result<PartnerTierChangePayload> {
        let result = async {
            ctx.actor().may(Action::ProgramRead)?;
            let command = place(&input.partner_id, input.program_id.as_ref(), input.tier);
            let id = ctx
                .write("partnerTierChange", move |tx| {
                    let command = command.clone();
                    Box::pin(async move { enroll::change_tier(tx, command).await })
                })
                .await?;
            Partner::fresh(ctx, id).await
        };
        PartnerTierChangePayload::of(result.await)
    }
}
