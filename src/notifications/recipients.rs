//! From whom an event concerns to the people who get a mail about it.
//!
//! Pure: decides from facts alone.

use super::mail::{Concerned, Mail, To};
use crate::entity::{
    ids::{PartnerId, UserId},
    user::{Role, UserStatus},
};

/// A group of people, or one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The people of one partner in these roles.
    Partner(PartnerId, &'static [Role]),
    /// The vendor's people in these roles, without this one.
    Vendor(&'static [Role], Option<UserId>),
    /// One person.
    Person(UserId),
}

/// Somebody who may be in an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The user.
    pub user_id: UserId,
    /// The user's one role.
    pub role: Role,
    /// The partner of a partner role.
    pub partner_id: Option<PartnerId>,
    /// Whether the user may sign in.
    pub status: UserStatus,
}

impl Audience {
    /// Whether this person belongs to it and may get this mail.
    #[must_use]
    pub fn includes(&self, mail: &Mail, person: &Candidate) -> bool {
        let concerned = match *self {
            Self::Partner(partner, roles) => {
                person.partner_id == Some(partner) && roles.contains(&person.role)
            }
            Self::Vendor(roles, except) => {
                let asked = except != Some(person.user_id);
                person.partner_id.is_none() && roles.contains(&person.role) && asked
            }
            Self::Person(id) => person.user_id == id,
        };
        concerned && person.status == mail.status()
    }
}

/// Who gets which of an event's mails, in the order of the mails.
#[must_use]
pub fn decide(mails: &[&'static Mail], concerned: &Concerned) -> Vec<(Audience, &'static Mail)> {
    let of = |mail: &'static Mail| {
        let audiences = mail.to.iter().flat_map(|to| audiences(*to, concerned));
        audiences.map(move |audience| (audience, mail))
    };
    mails.iter().copied().flat_map(of).collect()
}

fn audiences(to: To, concerned: &Concerned) -> Vec<Audience> {
    let partners = |roles| {
        let partners = concerned.partners.iter();
        partners
            .map(|partner| Audience::Partner(*partner, roles))
            .collect()
    };
    match to {
        To::Deciders => partners(&[Role::PartnerAdministrator, Role::PartnerManager]),
        To::PartnerAdministrators => partners(&[Role::PartnerAdministrator]),
        To::AllianceManagers => vec![Audience::Vendor(&[Role::AllianceManager], None)],
        To::Finance => vec![Audience::Vendor(&[Role::Finance], None)],
        To::Approvers => vec![Audience::Vendor(
            &[Role::Finance, Role::Administrator],
            concerned.maker,
        )],
        To::Person | To::Invited => concerned.person.map(Audience::Person).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const PARTNER: PartnerId = PartnerId(Uuid::from_u128(1));
    const USER: UserId = UserId(Uuid::from_u128(2));
    const MAILS: &[Mail] = &[
        Mail {
            name: "received",
            on: "claim.submitted",
            to: &[To::Deciders, To::Person],
            texts: &[],
        },
        Mail {
            name: "to_approve",
            on: "claim.submitted",
            to: &[To::Approvers],
            texts: &[],
        },
    ];

    #[test]
    fn the_first_mail_goes_to_the_partners_the_second_to_those_who_approve_without_the_maker() {
        let concerned = Concerned {
            partners: vec![PARTNER],
            person: Some(USER),
            maker: Some(USER),
        };
        let told: Vec<_> = decide(&[&MAILS[0], &MAILS[1]], &concerned)
            .into_iter()
            .map(|(audience, mail)| (audience, mail.name))
            .collect();
        let deciders: &[Role] = &[Role::PartnerAdministrator, Role::PartnerManager];
        let approvers: &[Role] = &[Role::Finance, Role::Administrator];
        assert_eq!(
            told,
            [
                (Audience::Partner(PARTNER, deciders), "received"),
                (Audience::Person(USER), "received"),
                (Audience::Vendor(approvers, Some(USER)), "to_approve"),
            ]
        );
    }

    #[test]
    fn whom_nobody_named_gets_nothing() {
        let told = decide(&[&MAILS[0]], &Concerned::default());
        assert!(told.is_empty());
    }
}
