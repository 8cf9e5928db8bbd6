//! Inviting people and shutting them out.

use async_graphql::{Context, ID, InputObject, Object};

use super::user::User;
use crate::{
    entity::{ids::UserId, user::Role},
    graphql::{
        context::{ContextExt, id},
        scalars::EmailAddress,
    },
    identity::{
        deactivate::{self, Deactivate},
        invite::{self, Invite},
    },
    payload,
};

/// Whom to invite, and as what.
#[derive(Clone, Debug, InputObject)]
pub struct UserInviteInput {
    /// Where the invitation is sent; also the name for signing in. Upper and lower case are the same.
    pub email: EmailAddress,
    /// The full name, at most 200 characters on one line.
    pub name: String,
    /// The role. Roles at the vendor are given by administrators only.
    pub role: Role,
    /// The partner of a partner role, none for a role at the vendor. A partner's administrators may leave it out: it is
    /// their own.
    pub partner_id: Option<ID>,
    /// The language of mails as a tag such as `en` or `pt-BR`; `en` unless given.
    pub locale: Option<String>,
}

/// Whom to shut out.
#[derive(Clone, Debug, InputObject)]
pub struct UserDeactivateInput {
    /// The user.
    pub user_id: ID,
    /// The `version` that you read; another one answers `STALE_OBJECT`.
    pub expected_version: i32,
}

payload! {
    /// The invited user.
    UserInvitePayload {
        /// The user, in status `INVITED`; null exactly when there are errors.
        user: User
    }
}

payload! {
    /// The deactivated user.
    UserDeactivatePayload {
        /// The user, in status `DEACTIVATED`; null exactly when there are errors.
        user: User
    }
}

/// What is done with people.
#[derive(Default)]
pub struct PeopleMutation;

#[Object]
impl PeopleMutation {
    /// Invites a person by mail; the link in it is good for 72 hours and for one use. Inviting somebody again who has
    /// not accepted yet sends a new link and makes the old ones worthless. Administrators invite anybody, alliance
    /// managers people of any partner, a partner's administrators their own people.
    async fn user_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to invite.")] input: UserInviteInput,
    ) -> async_graphql::Result<UserInvitePayload> {
        let result = async {
            ctx.actor().person()?;
            let tokens = ctx.app().tokens().clone();
            let command = invitation(input);
            let invited: UserId = ctx
                .write("userInvite", move |tx| {
                    let (tokens, command) = (tokens.clone(), command.clone());
                    Box::pin(async move { invite::invite(tx, &tokens, command).await })
                })
                .await?;
            User::fresh(ctx, invited).await
        };
        UserInvitePayload::of(result.await)
    }

    /// Takes the right to sign in from a person for good: all sessions end at once, open links become worthless. For
    /// administrators; nobody deactivates himself.
    async fn user_deactivate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to shut out.")] input: UserDeactivateInput,
    ) -> async_graphql::Result<UserDeactivatePayload> {
        let result = async {
            ctx.actor().person()?;
            let expected_version = i64::from(input.expected_version);
            let command = Deactivate {
                user_id: id(&input.user_id),
                expected_version,
            };
            let gone: UserId = ctx
                .write("userDeactivate", move |tx| {
                    Box::pin(deactivate::deactivate(tx, command))
                })
                .await?;
            User::fresh(ctx, gone).await
        };
        UserDeactivatePayload::of(result.await)
    }
}

fn invitation(input: UserInviteInput) -> Invite {
    Invite {
        email: input.email.0,
        name: input.name,
        role: input.role,
        partner_id: input.partner_id.map(|partner| id(&partner)),
        locale: input.locale,
    }
}
