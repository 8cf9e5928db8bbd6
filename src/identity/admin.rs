//! People who come without an invitation: the first administrator, made at the command line, and those of
//! the demo.

use super::{
    person,
    store::{self, NewUser},
};
use crate::{
    access::Action,
    entity::{
        ids::{PartnerId, UserId},
        user::Role,
    },
    error::{Code, Faults, Refusal, Result},
    events::Event,
    tx::Tx,
};

/// Whom to create.
#[derive(Clone, Debug)]
pub struct Create {
    /// The address.
    pub email: String,
    /// The full name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The partner of a partner role.
    pub partner_id: Option<PartnerId>,
    /// The language of mails, `en` unless given.
    pub locale: Option<String>,
    /// The password, hashed.
    pub password_hash: String,
}

/// Creates an active user. Records `user.activated`.
///
/// # Errors
/// `FORBIDDEN` unless the server or an administrator acts, `BAD_USER_INPUT` for malformed facts or a partner
/// that does not fit the role, `NOT_FOUND` for an unknown partner, `DUPLICATE` for an address in use.
pub async fn create(tx: &Tx, command: Create) -> Result<UserId> {
    tx.actor().may(Action::UserInvite)?;
    let mut faults = Faults::default();
    let email = person::email(&mut faults, "email", &command.email);
    let name = person::name(&mut faults, "name", &command.name);
    let locale = person::locale(&mut faults, "locale", command.locale.as_deref());
    match command.partner_id {
        Some(_) if command.role.is_vendor() => {
            faults.add("partnerId", "a role at the vendor has no partner");
        }
        None if !command.role.is_vendor() => {
            faults.add("partnerId", "a role at a partner needs its partner");
        }
        Some(partner) if !store::partner_exists(tx, partner).await? => {
            faults.push(Refusal::new(Code::NotFound, "There is no such object.").at("partnerId"))
        }
        _ => {}
    }
    faults.check()?;
    let new = NewUser {
        email: email.map(|email| email.to_string()).unwrap_or_default(),
        name,
        role: command.role,
        partner_id: command.partner_id,
        locale,
        password_hash: Some(command.password_hash),
    };
    let taken = || Refusal::new(Code::Duplicate, "This address is in use.").at("email");
    let user_id = store::insert_user(tx, new).await?.ok_or_else(taken)?;
    tx.record(Event::UserActivated { user_id });
    Ok(user_id)
}
