//! Signing in and out, and coming in for the first time or again.
//!
//! None of these honours `@idempotent`: passwords and tokens are kept nowhere, not even as the hash of a call's
//! arguments, and each token is good for one use anyway.

use async_graphql::{Context, InputObject, Object};
use secrecy::{ExposeSecret, SecretString};

use super::user::User;
use crate::{
    app::App,
    entity::ids::{SessionId, UserId},
    error::{Code, Error, Result},
    graphql::{ContextExt, UserError, errors, scalars::DateTime},
    identity::{
        accept,
        login::{self, Verdict},
        logout, refresh, reset, throttle,
        tokens::{self, Opened, Tokens},
    },
    payload,
    platform::ids::{self, TypedId},
    tx::{Call, Tx, Work},
};

/// Address and password.
#[derive(InputObject)]
pub struct LoginInput {
    /// The e-mail address. Upper and lower case are the same; what is no address answers like an unknown one.
    pub email: String,
    /// The password.
    pub password: String,
}

/// The token with which to continue.
#[derive(InputObject)]
pub struct TokenRefreshInput {
    /// The latest refresh token of the session.
    pub refresh_token: String,
}

/// How to sign out.
#[derive(InputObject)]
pub struct LogoutInput {
    /// Whether all your sessions end, on all devices; only this one unless given.
    #[graphql(default)]
    pub everywhere: bool,
}

/// An invitation and the password of the new account.
#[derive(InputObject)]
pub struct InvitationAcceptInput {
    /// The token in the link of the mail.
    pub token: String,
    /// The password: 12 to 200 characters, not only white space.
    pub password: String,
    /// The full name, to correct the one in the invitation; at most 200 characters on one line.
    pub name: Option<String>,
}

/// Who lost the password.
#[derive(InputObject)]
pub struct PasswordResetRequestInput {
    /// The e-mail address of the account.
    pub email: String,
}

/// The link from the mail and a new password.
#[derive(InputObject)]
pub struct PasswordResetInput {
    /// The token in the link of the mail.
    pub token: String,
    /// The new password: 12 to 200 characters, not only white space.
    pub password: String,
}

/// Declares the payload of a mutation that lets somebody in.
macro_rules! entry_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            /// The token for the header `authorization: Bearer …`; null exactly when there are errors.
            access_token: Option<String>,
            /// The token for `tokenRefresh`, good for one use; null exactly when there are errors.
            refresh_token: Option<String>,
            /// When the access token ends, ten minutes from now; null exactly when there are errors.
            expires_at: Option<DateTime>,
            /// Who signed in; null exactly when there are errors.
            viewer: Option<User>,
            /// Why nothing was changed, one for each fault; empty on success. At most 100.
            #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
            user_errors: Vec<UserError>,
        }

        impl $name {
            fn of(result: Result<(Tokens, User)>) -> async_graphql::Result<Self> {
                Ok(match result {
                    Ok((tokens, viewer)) => Self {
                        access_token: Some(tokens.access.expose_secret().to_owned()),
                        refresh_token: Some(tokens.refresh.expose_secret().to_owned()),
                        expires_at: Some(DateTime(tokens.expires_at)),
                        viewer: Some(viewer),
                        user_errors: Vec::new(),
                    },
                    Err(error) => Self {
                        access_token: None,
                        refresh_token: None,
                        expires_at: None,
                        viewer: None,
                        user_errors: refused(error)?,
                    },
                })
            }
        }
    };
}

entry_payload! {
    /// A session that was begun. Wrong address or password: `UNAUTHENTICATED` in `userErrors`.
    LoginPayload
}

entry_payload! {
    /// The next tokens of a session. A session that is over: `UNAUTHENTICATED` in `userErrors`.
    TokenRefreshPayload
}

entry_payload! {
    /// The first session of a new account. A used or expired invitation: `INVALID_TOKEN` in `userErrors`.
    InvitationAcceptPayload
}

payload! {
    /// The end of a session.
    LogoutPayload {
        /// True: the session has ended, now or before; null exactly when there are errors.
        ended: bool
    }
}

payload! {
    /// The same for every address, whether there is such an account or not.
    PasswordResetRequestPayload {
        /// True: if there is such an account, a mail is on its way; null exactly when there are errors.
        accepted: bool
    }
}

payload! {
    /// The account with its new password.
    PasswordResetPayload {
        /// Whose password was set; null exactly when there are errors.
        user: User
    }
}

/// Coming in and going out.
#[derive(Default)]
pub struct SignInMutation;

#[Object]
impl SignInMutation {
    /// Signs in. The access token is good for ten minutes and renewed by `tokenRefresh`; the session for 30 days.
    /// After ten wrong passwords for an account from one network address within 15 minutes, that address gets `THROTTLED`
    /// with `retryAfterMs` for this account, for the right password too. After fifty from any addresses, so does every
    /// address from which the account has not signed in before. `passwordReset` unlocks the account at once. The only
    /// field of its document.
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Address and password.")] input: LoginInput,
    ) -> async_graphql::Result<LoginPayload> {
        let result = async {
            let (app, address) = (ctx.app(), &ctx.caller().address);
            let candidate =
                login::look_up(ctx.db(), &input.email, address, app.clock().now()).await?;
            // Whoever waits for his turn to be verified keeps nobody from reading.
            ctx.db().let_go();
            let genuine = candidate
                .verify(app.passwords(), input.password.into())
                .await?;
            let tokens = app.tokens().clone();
            let verdict = write(ctx, "login", move |tx| {
                let (candidate, tokens) = (candidate.clone(), tokens.clone());
                Box::pin(async move { login::conclude(tx, &tokens, candidate, genuine).await })
            })
            .await?;
            match verdict {
                Verdict::Right(opened) => let_in(ctx, &opened).await,
                Verdict::Wrong { slow } => {
                    if slow {
                        tokio::time::sleep(throttle::PAUSE).await;
                    }
                    Err(login::wrong())
                }
            }
        };
        LoginPayload::of(result.await)
    }

    /// Exchanges a refresh token for the next access and refresh token. Each is good for one use; asking again with the
    /// same one within ten seconds gives the same successor, later it ends the session. The only field of its document.
    async fn token_refresh(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The latest refresh token.")] input: TokenRefreshInput,
    ) -> async_graphql::Result<TokenRefreshPayload> {
        let result = async {
            let (tokens, presented) = (
                ctx.app().tokens().clone(),
                SecretString::from(input.refresh_token),
            );
            let opened = write(ctx, "tokenRefresh", move |tx| {
                let (tokens, presented) = (tokens.clone(), presented.clone());
                Box::pin(
                    async move { refresh::refresh(tx, &tokens, presented.expose_secret()).await },
                )
            })
            .await?;
            let_in(ctx, &opened.ok_or_else(refresh::over)?).await
        };
        TokenRefreshPayload::of(result.await)
    }

    /// Signs out: the session ends, and its access and refresh tokens with it.
    async fn logout(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How to sign out; may be left out.")] input: Option<LogoutInput>,
    ) -> async_graphql::Result<LogoutPayload> {
        let everywhere = input.is_some_and(|input| input.everywhere);
        let result = write(ctx, "logout", move |tx| {
            Box::pin(logout::logout(tx, everywhere))
        })
        .await;
        LogoutPayload::of(result.map(|()| true))
    }

    /// Accepts an invitation: sets the password of the new account and signs in. A link is good for 72 hours and for
    /// one use. The only field of its document.
    async fn invitation_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invitation and the password.")] input: InvitationAcceptInput,
    ) -> async_graphql::Result<InvitationAcceptPayload> {
        let result = async {
            let tokens = ctx.app().tokens().clone();
            let acceptance = accept::check(
                &tokens,
                &input.token,
                &input.password,
                input.name.as_deref(),
            )?;
            let hash = hash(ctx.app(), input.password).await?;
            let address = ctx.caller().address.clone();
            let opened = write(ctx, "invitationAccept", move |tx| {
                let (tokens, acceptance) = (tokens.clone(), acceptance.clone());
                let (hash, address) = (hash.clone(), address.clone());
                Box::pin(
                    async move { accept::accept(tx, &tokens, acceptance, &hash, &address).await },
                )
            })
            .await?;
            let_in(ctx, &opened).await
        };
        InvitationAcceptPayload::of(result.await)
    }

    /// Asks for a mail with a link for a new password, good for 30 minutes and for one use; three mails in 15 minutes
    /// at most. The answer never tells whether there is such an account. The only field of its document.
    async fn password_reset_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose password was lost.")] input: PasswordResetRequestInput,
    ) -> async_graphql::Result<PasswordResetRequestPayload> {
        let (tokens, address) = (ctx.app().tokens().clone(), ctx.caller().address.clone());
        let result = write(ctx, "passwordResetRequest", move |tx| {
            let (tokens, email, address) = (tokens.clone(), input.email.clone(), address.clone());
            Box::pin(async move { reset::request(tx, &tokens, &email, &address).await })
        })
        .await;
        PasswordResetRequestPayload::of(result.map(|()| true))
    }

    /// Sets a new password: every session of the account ends, and wrong passwords are forgotten. Sign in afterwards.
    /// The only field of its document.
    async fn password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The link and the new password.")] input: PasswordResetInput,
    ) -> async_graphql::Result<PasswordResetPayload> {
        let result = async {
            let ticket = reset::check(ctx.app().tokens(), &input.token, &input.password)?;
            let hash = hash(ctx.app(), input.password).await?;
            let user = write(ctx, "passwordReset", move |tx| {
                let (ticket, hash) = (ticket.clone(), hash.clone());
                Box::pin(async move { reset::reset(tx, &ticket, &hash).await })
            })
            .await?;
            // No session begins: nothing is written under this id, and no session has it.
            let session = SessionId::of(ids::of_nothing("password reset"));
            acting(ctx, user, session).await
        };
        PasswordResetPayload::of(result.await)
    }
}

/// The write path without idempotency keys.
async fn write<T, F>(ctx: &Context<'_>, name: &'static str, body: F) -> Result<T>
where
    T: Send + 'static,
    F: for<'t> Fn(&'t Tx) -> Work<'t, T> + Send + Sync + 'static,
{
    let caller = ctx.caller();
    let call = Call {
        name,
        actor: caller.actor.clone(),
        request_id: Some(caller.request_id.clone()),
    };
    ctx.db().let_go();
    ctx.app().write(call, body).await
}

/// The tokens of a session and its user. The payload is resolved as that user.
async fn let_in(ctx: &Context<'_>, opened: &Opened) -> Result<(Tokens, User)> {
    let tokens = tokens::issue(ctx.app(), opened)?;
    let user = acting(ctx, opened.user_id, opened.session_id).await?;
    Ok((tokens, user))
}

/// A user who has just proved an identity, as whom the rest of the payload is resolved.
async fn acting(ctx: &Context<'_>, user: UserId, session: SessionId) -> Result<User> {
    let user = User::own(ctx, user).await?;
    ctx.sign_in(user.signed_in(session));
    Ok(user)
}

async fn hash(app: &App, password: String) -> Result<String> {
    let hash = app.passwords().hash(password.into()).await;
    hash.map_err(|fault| Error::Internal(Box::new(fault)))
}

/// Elsewhere a missing sign-in is no matter of the input; here it is the answer.
fn refused(error: Error) -> async_graphql::Result<Vec<UserError>> {
    match error {
        Error::Refused(refusals)
            if refusals
                .iter()
                .all(|refusal| refusal.code == Code::Unauthenticated) =>
        {
            Ok(errors::told(refusals))
        }
        error => errors::user_errors(error),
    }
}
