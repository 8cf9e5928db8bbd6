//! Who is acting, and which rows that makes visible.

use super::policy::{Action, permits};
use crate::{
    entity::{
        ids::{PartnerId, SessionId, UserId},
        user::Role,
    },
    error::{Code, Error, Refusal, Result},
};

/// A signed-in user, as established by the access token and its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The user.
    pub user_id: UserId,
    /// The user's one role.
    pub role: Role,
    /// The partner of a partner role; absent for the vendor's people.
    pub partner_id: Option<PartnerId>,
    /// The session of the token.
    pub session_id: SessionId,
}

/// Who is acting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Nobody signed in.
    Anonymous,
    /// A person.
    User(SignedIn),
    /// The server itself: scheduled jobs, imports and the command line.
    System,
}

impl Actor {
    /// The user, when a person acts.
    #[must_use]
    pub const fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user.user_id),
            Self::Anonymous | Self::System => None,
        }
    }

    /// The partner for whom the person acts.
    #[must_use]
    pub const fn partner_id(&self) -> Option<PartnerId> {
        match self {
            Self::User(user) => user.partner_id,
            Self::Anonymous | Self::System => None,
        }
    }

    /// Whether a person of the vendor acts. The server itself is nobody's word.
    #[must_use]
    pub const fn is_vendor(&self) -> bool {
        match self {
            Self::User(user) => user.partner_id.is_none(),
            Self::System | Self::Anonymous => false,
        }
    }

    /// The user who acts.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when nobody signed in, `FORBIDDEN` for the server: some acts need a person.
    pub fn person(&self) -> Result<UserId> {
        match self {
            Self::User(user) => Ok(user.user_id),
            Self::System => Err(Error::forbidden()),
            Self::Anonymous => Err(unauthenticated()),
        }
    }

    /// Whether the policy permits an action.
    #[must_use]
    pub fn can(&self, action: Action) -> bool {
        match self {
            Self::User(user) => permits(user.role, action),
            Self::System => true,
            Self::Anonymous => false,
        }
    }

    /// Refuses what the policy does not permit.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when nobody signed in, `FORBIDDEN` when the role does not allow it.
    pub fn may(&self, action: Action) -> Result<()> {
        match self {
            Self::Anonymous => Err(unauthenticated()),
            _ if self.can(action) => Ok(()),
            _ => Err(Error::forbidden()),
        }
    }

    /// The rows this actor may see.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        match self {
            Self::System => Scope::All,
            Self::Anonymous => Scope::Nothing,
            Self::User(user) => match user.partner_id {
                Some(partner) => Scope::Partner(partner),
                None => Scope::All,
            },
        }
    }
}

fn unauthenticated() -> Error {
    Refusal::new(Code::Unauthenticated, "Sign in first.").into()
}

/// The wall between partners: applied in every store query and loader, never only in a resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The vendor sees every row.
    All,
    /// A partner sees its own rows, and of shared deals its own part.
    Partner(PartnerId),
    /// Nobody signed in.
    Nothing,
}
