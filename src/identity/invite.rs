//! Inviting people: the vendor's administrators invite anybody, alliance managers the people of any partner,
//! a partner's administrators their own.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;

use super::{
    person,
    store::{self, NewUser},
    throttle::{self, Key},
    tokens::{Ticket, kind},
};
use crate::{
    access::{Action, Actor},
    entity::{
        ids::{PartnerId, UserId, UserTokenId},
        user::{Role, UserStatus},
        user_token::TokenPurpose,
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    platform::{
        auth::opaque::{self, OpaqueTokens},
        ids::TypedId,
    },
    tx::Tx,
};

/// How long an invitation is good.
pub const LIFETIME: TimeDelta = TimeDelta::hours(72);

/// Whom to invite.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The address.
    pub email: String,
    /// The full name; whoever accepts may correct it.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The partner of a partner role; a partner's administrators may leave it out.
    pub partner_id: Option<PartnerId>,
    /// The language of mails, `en` unless given.
    pub locale: Option<String>,
}

/// Creates an invited user and the ticket that the mail carries. Whoever was invited before with the same
/// role and has not accepted yet gets a new ticket, and the old ones end. Records `user.invited`.
///
/// # Errors
/// `FORBIDDEN` for a role the caller may not give, `NOT_FOUND` for a partner that is hidden or absent,
/// `BAD_USER_INPUT` for malformed facts, `DUPLICATE` for an address in use, `THROTTLED` when the sender, its partner or
/// the recipient had as many invitations in 15 minutes as there may be.
pub async fn invite(tx: &Tx, tokens: &OpaqueTokens, command: Invite) -> Result<UserId> {
    let partner_id = place(tx.actor(), command.role, command.partner_id)?;
    let new = facts(&command, partner_id)?;
    if let Some(partner) = partner_id
        && !store::partner_exists(tx, partner).await?
    {
        return Err(Error::not_found("partnerId"));
    }
    admit(tx, &new.email).await?;
    let user_id = match store::insert_user(tx, new.clone()).await? {
        Some(user_id) => user_id,
        None => invited_before(tx, &new).await?,
    };
    store::spend_tickets(tx, user_id, [TokenPurpose::Invitation]).await?;
    let token_id = hand_out(tx, tokens, user_id, TokenPurpose::Invitation, LIFETIME).await?;
    tx.record(Event::UserInvited { user_id, token_id });
    Ok(user_id)
}

/// Counts an invitation, unless there were too many: it is a mail to an address of the sender's choice.
async fn admit(tx: &Tx, email: &str) -> Result<()> {
    let (sender, partner) = (tx.actor().person()?, tx.actor().partner_id());
    let (by, to) = (Key::inviter(sender, partner), Key::invited(email));
    // The recipient first: it is the one name that people of several partners share.
    store::serialise(tx, [&to.account, &by.account, &by.address]).await?;
    let limit = match partner {
        Some(_) => throttle::INVITER_LIMIT,
        None => throttle::VENDOR_INVITER_LIMIT,
    };
    for (account, limit) in [(&by.account, limit), (&to.account, throttle::INVITED_LIMIT)] {
        let recent = store::attempts_on_account(tx, account, limit, tx.now()).await?;
        refuse_beyond(&recent, limit, tx.now())?;
    }
    if partner.is_some() {
        let limit = throttle::PARTNER_LIMIT;
        let recent = store::attempts_from_address(tx, &by.address, limit, tx.now()).await?;
        refuse_beyond(&recent, limit, tx.now())?;
    }
    store::insert_attempt(tx, &by).await?;
    store::insert_attempt(tx, &to).await
}

fn refuse_beyond(recent: &[DateTime<Utc>], limit: usize, now: DateTime<Utc>) -> Result<()> {
    match throttle::wait(recent, limit, now) {
        Some(wait) => Err(throttle::refused(wait)),
        None => Ok(()),
    }
}

/// Writes a ticket for a user; the mail job derives its text from the id.
///
/// # Errors
/// The database failed.
pub async fn hand_out(
    tx: &Tx,
    tokens: &OpaqueTokens,
    user_id: UserId,
    purpose: TokenPurpose,
    lifetime: TimeDelta,
) -> Result<UserTokenId> {
    let id: UserTokenId = tx.id();
    let token = tokens.derive(kind(purpose), id.uuid());
    let hash = opaque::hash(token.expose_secret());
    let ticket = Ticket { id, purpose, hash };
    store::insert_ticket(tx, user_id, ticket, tx.now() + lifetime).await?;
    Ok(id)
}

/// The partner to which the new person will belong.
fn place(actor: &Actor, role: Role, asked: Option<PartnerId>) -> Result<Option<PartnerId>> {
    if role.is_vendor() {
        actor.may(Action::UserInvite)?;
        return match asked {
            None => Ok(None),
            Some(_) => {
                Err(Refusal::input("partnerId", "a role at the vendor has no partner").into())
            }
        };
    }
    if actor.can(Action::UserInvitePartner) {
        let missing = || Refusal::input("partnerId", "a role at a partner needs its partner");
        return Ok(Some(asked.ok_or_else(missing)?));
    }
    actor.may(Action::UserInviteOwnPartner)?;
    match (actor.partner_id(), asked) {
        (Some(own), None) => Ok(Some(own)),
        (Some(own), Some(asked)) if own == asked => Ok(Some(own)),
        _ => Err(Error::not_found("partnerId")),
    }
}

fn facts(command: &Invite, partner_id: Option<PartnerId>) -> Result<NewUser> {
    let mut faults = Faults::default();
    let email = person::email(&mut faults, "email", &command.email);
    let name = person::name(&mut faults, "name", &command.name);
    let locale = person::locale(&mut faults, "locale", command.locale.as_deref());
    faults.check()?;
    Ok(NewUser {
        email: email.map(|email| email.to_string()).unwrap_or_default(),
        name,
        role: command.role,
        partner_id,
        locale,
        password_hash: None,
    })
}

/// The user who holds the address, if inviting again is what was meant.
async fn invited_before(tx: &Tx, new: &NewUser) -> Result<UserId> {
    let known = store::user_by_email(tx, &new.email).await?;
    let same = known.filter(|user| {
        user.status == UserStatus::Invited
            && user.role == new.role
            && user.partner_id == new.partner_id
    });
    let taken = || Refusal::new(Code::Duplicate, "This address is in use.").at("email");
    Ok(same.ok_or_else(taken)?.id)
}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveEnum, Iterable};
    use uuid::Uuid;

    use super::*;
    use crate::{
        access::{Scope, SignedIn},
        entity::ids::SessionId,
    };

    const OWN: PartnerId = PartnerId(Uuid::from_u128(1));
    const OTHER: PartnerId = PartnerId(Uuid::from_u128(2));

    fn somebody(role: Role) -> Actor {
        Actor::User(SignedIn {
            user_id: UserId(Uuid::from_u128(3)),
            role,
            partner_id: (!role.is_vendor()).then_some(OWN),
            session_id: SessionId(Uuid::from_u128(4)),
        })
    }

    fn verdict(actor: &Actor, role: Role, asked: Option<PartnerId>) -> String {
        match place(actor, role, asked) {
            Ok(partner) if partner == actor.partner_id() => "ok".to_owned(),
            Ok(_) => "ok, elsewhere".to_owned(),
            Err(error) => error.code().to_string(),
        }
    }

    #[test]
    fn each_role_invites_where_it_may() {
        let rows = Role::iter().map(|role| {
            let actor = somebody(role);
            let cells = [
                verdict(&actor, Role::Auditor, None),
                verdict(&actor, Role::PartnerMember, None),
                verdict(&actor, Role::PartnerMember, Some(OWN)),
                verdict(&actor, Role::PartnerMember, Some(OTHER)),
            ];
            format!("{}: {}", role.to_value(), cells.join(" | "))
        });
        let table = rows.collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(table, @r"
        ADMINISTRATOR: ok | BAD_USER_INPUT | ok, elsewhere | ok, elsewhere
        ALLIANCE_MANAGER: FORBIDDEN | BAD_USER_INPUT | ok, elsewhere | ok, elsewhere
        FINANCE: FORBIDDEN | FORBIDDEN | FORBIDDEN | FORBIDDEN
        AUDITOR: FORBIDDEN | FORBIDDEN | FORBIDDEN | FORBIDDEN
        EXECUTIVE: FORBIDDEN | FORBIDDEN | FORBIDDEN | FORBIDDEN
        PARTNER_ADMINISTRATOR: FORBIDDEN | ok | ok | NOT_FOUND
        PARTNER_MANAGER: FORBIDDEN | FORBIDDEN | FORBIDDEN | FORBIDDEN
        PARTNER_MEMBER: FORBIDDEN | FORBIDDEN | FORBIDDEN | FORBIDDEN
        ");
        assert_eq!(somebody(Role::PartnerMember).scope(), Scope::Partner(OWN));
        let vendor = somebody(Role::Administrator);
        let misplaced = place(&vendor, Role::Finance, Some(OWN)).unwrap_err();
        assert_eq!(misplaced.code(), Code::BadUserInput);
        let nobody = place(&Actor::Anonymous, Role::PartnerMember, Some(OWN)).unwrap_err();
        assert_eq!(nobody.code(), Code::Unauthenticated);
    }
}
