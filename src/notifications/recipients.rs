//! Who gets which mail.
//!
//! | event | mail | who |
//! |---|---|---|
//! | user.invited | invitation | the invited person |
//! | user.password_reset_requested | password_reset | that person |
//! | user.password_changed | password_changed | that person |
//! | partner.status_changed | partner_status_changed | deciders of the partner |
//! | deal_registration.submitted | registration_received | deciders of the partner, submitter |
//! | | registration_to_review | alliance managers |
//! | deal_registration.info_requested | registration_info_requested | deciders of the partner, submitter |
//! | deal_registration.answered | registration_answered | alliance managers |
//! | deal_registration.approved | registration_approved | deciders of the partner, submitter |
//! | deal_registration.rejected | registration_rejected | deciders of the partner, submitter |
//! | deal_registration.extended | registration_extended | deciders of the partner, submitter |
//! | deal_registration.protection_reminder | protection_reminder | deciders of the partner, submitter |
//! | deal_registration.expired | registration_expired | deciders of the partner, submitter |
//! | deal_participant.invited | participant_invited | deciders of the partner |
//! | deal_participant.accepted | participant_accepted | alliance managers |
//! | deal_participant.declined | participant_declined | alliance managers |
//! | deal_participant.expired | participant_expired | alliance managers |
//! | deal_participant.removed | participant_removed | deciders of the partner |
//! | deal.won | deal_won | deciders of each participant that earned nothing by it |
//! | commission.accrued | commission_earned | deciders of the partner: its own amount |
//! | commission.clawed_back | commission_clawed_back | deciders of the partner: its own amount |
//! | touchpoint.recorded | touchpoint_to_verify | alliance managers, when a partner recorded it |
//! | touchpoint.verified | touchpoint_verified | deciders of the partner |
//! | touchpoint.rejected | touchpoint_rejected | deciders of the partner |
//! | payout_run.calculated | payout_run_to_approve | finance and administrators, without its creator |
//! | payment_details.changed | payment_details_changed | administrators of the partner |
//! | payout.paid | payout_paid | deciders of the partner |
//! | statement.published | statement_published | deciders of the partner |
//! | payout.failed | payout_failed | deciders of the partner |
//! | | payout_to_mend | finance |
//!
//! The deciders of a partner are its administrators and managers; its members neither see amounts nor answer
//! invitations. A deal that is won reaches each partner in one mail: `commission.accrued` tells the win and the amount,
//! `deal.won` those to whom no commission fell. In the same way a refund is told by what it takes back. Every other
//! event goes without mail. Nobody gets two mails about one event.

use super::texts::Mail;
use crate::{
    entity::{
        ids::{PartnerId, UserId},
        user::{Role, UserStatus},
    },
    events::Event,
};

/// Who at a partner decides for it.
const DECIDERS: &[Role] = &[Role::PartnerAdministrator, Role::PartnerManager];
/// Who at a partner answers for its account.
const ADMINISTRATORS: &[Role] = &[Role::PartnerAdministrator];
/// Who at the vendor looks after partners and their deals.
const ALLIANCE: &[Role] = &[Role::AllianceManager];
/// Who at the vendor mends a failed payment.
const FINANCE: &[Role] = &[Role::Finance];
/// Who at the vendor is asked to approve a payout run.
const APPROVERS: &[Role] = &[Role::Finance, Role::Administrator];

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
    /// Whether this person belongs to it. Who may not sign in gets no mail; the invitation alone
    /// goes to people who may not sign in yet.
    #[must_use]
    pub fn includes(&self, mail: Mail, person: &Candidate) -> bool {
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
        concerned && person.status == standing(mail)
    }
}

/// The standing in which a person must be to get this mail.
#[must_use]
pub const fn standing(mail: Mail) -> UserStatus {
    match mail {
        Mail::Invitation => UserStatus::Invited,
        _ => UserStatus::Active,
    }
}

/// What the decision needs beyond the event itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Who handed in the registration.
    pub submitter: Option<UserId>,
    /// Who created the payout run.
    pub creator: Option<UserId>,
    /// Whether a partner, and not the vendor, recorded the touchpoint.
    pub recorded_by_partner: bool,
    /// The participants of the won deal to whom no commission fell.
    pub without_commission: Vec<PartnerId>,
}

/// Who gets which mail about an event. Whoever is in two audiences gets the mail of the first.
#[must_use]
pub fn decide(event: &Event, known: &Circumstances) -> Vec<(Audience, Mail)> {
    match event {
        Event::UserInvited { .. }
        | Event::PasswordResetRequested { .. }
        | Event::PasswordChanged { .. } => account(event),
        Event::RegistrationSubmitted { partner_id, .. }
        | Event::RegistrationInfoRequested { partner_id, .. }
        | Event::RegistrationAnswered { partner_id, .. }
        | Event::RegistrationApproved { partner_id, .. }
        | Event::RegistrationRejected { partner_id, .. }
        | Event::RegistrationExtended { partner_id, .. }
        | Event::ProtectionReminder { partner_id, .. }
        | Event::RegistrationExpired { partner_id, .. } => {
            registration(event, *partner_id, known.submitter)
        }
        Event::DealWon { .. } => {
            let partners = known.without_commission.iter();
            partners
                .map(|partner| (Audience::Partner(*partner, DECIDERS), Mail::DealWon))
                .collect()
        }
        Event::TouchpointRecorded { .. } if !known.recorded_by_partner => Vec::new(),
        Event::PaymentDetailsChanged { partner_id, .. } => vec![(
            Audience::Partner(*partner_id, ADMINISTRATORS),
            Mail::PaymentDetailsChanged,
        )],
        Event::PayoutRunCalculated { .. } => {
            vec![(
                Audience::Vendor(APPROVERS, known.creator),
                Mail::PayoutRunToApprove,
            )]
        }
        Event::PayoutFailed { partner_id, .. } => vec![
            (Audience::Partner(*partner_id, DECIDERS), Mail::PayoutFailed),
            (Audience::Vendor(FINANCE, None), Mail::PayoutToMend),
        ],
        _ => to_partner(event)
            .or_else(|| to_alliance(event))
            .into_iter()
            .collect(),
    }
}

fn account(event: &Event) -> Vec<(Audience, Mail)> {
    match event {
        Event::UserInvited { user_id, .. } => vec![(Audience::Person(*user_id), Mail::Invitation)],
        Event::PasswordResetRequested { user_id, .. } => {
            vec![(Audience::Person(*user_id), Mail::PasswordReset)]
        }
        Event::PasswordChanged { user_id } => {
            vec![(Audience::Person(*user_id), Mail::PasswordChanged)]
        }
        _ => Vec::new(),
    }
}

fn registration(
    event: &Event,
    partner: PartnerId,
    submitter: Option<UserId>,
) -> Vec<(Audience, Mail)> {
    let review = |mail| (Audience::Vendor(ALLIANCE, None), mail);
    let mail = match event {
        Event::RegistrationSubmitted { .. } => Mail::RegistrationReceived,
        Event::RegistrationInfoRequested { .. } => Mail::RegistrationInfoRequested,
        Event::RegistrationApproved { .. } => Mail::RegistrationApproved,
        Event::RegistrationRejected { .. } => Mail::RegistrationRejected,
        Event::RegistrationExtended { .. } => Mail::RegistrationExtended,
        Event::ProtectionReminder { .. } => Mail::ProtectionReminder,
        Event::RegistrationExpired { .. } => Mail::RegistrationExpired,
        _ => return vec![review(Mail::RegistrationAnswered)],
    };
    let mut told = vec![(Audience::Partner(partner, DECIDERS), mail)];
    told.extend(submitter.map(|user| (Audience::Person(user), mail)));
    if mail == Mail::RegistrationReceived {
        told.push(review(Mail::RegistrationToReview));
    }
    told
}

fn to_partner(event: &Event) -> Option<(Audience, Mail)> {
    let (partner, mail) = match event {
        Event::PartnerStatusChanged { partner_id, .. } => (partner_id, Mail::PartnerStatusChanged),
        Event::ParticipantInvited { partner_id, .. } => (partner_id, Mail::ParticipantInvited),
        Event::ParticipantRemoved { partner_id, .. } => (partner_id, Mail::ParticipantRemoved),
        Event::CommissionAccrued { partner_id, .. } => (partner_id, Mail::CommissionEarned),
        Event::CommissionClawedBack { partner_id, .. } => (partner_id, Mail::CommissionClawedBack),
        Event::TouchpointVerified { partner_id, .. } => (partner_id, Mail::TouchpointVerified),
        Event::TouchpointRejected { partner_id, .. } => (partner_id, Mail::TouchpointRejected),
        Event::PayoutPaid { partner_id, .. } => (partner_id, Mail::PayoutPaid),
        Event::StatementPublished { partner_id, .. } => (partner_id, Mail::StatementPublished),
        _ => return None,
    };
    Some((Audience::Partner(*partner, DECIDERS), mail))
}

fn to_alliance(event: &Event) -> Option<(Audience, Mail)> {
    let mail = match event {
        Event::ParticipantAccepted { .. } => Mail::ParticipantAccepted,
        Event::ParticipantDeclined { .. } => Mail::ParticipantDeclined,
        Event::ParticipantExpired { .. } => Mail::ParticipantExpired,
        Event::TouchpointRecorded { .. } => Mail::TouchpointToVerify,
        _ => return None,
    };
    Some((Audience::Vendor(ALLIANCE, None), mail))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::entity::ids::*;

    const PARTNER: PartnerId = PartnerId(Uuid::from_u128(1));
    const USER: UserId = UserId(Uuid::from_u128(2));
    const DEAL: DealId = DealId(Uuid::from_u128(3));
    const REGISTRATION: DealRegistrationId = DealRegistrationId(Uuid::from_u128(4));
    const PAYOUT: PayoutId = PayoutId(Uuid::from_u128(5));
    const TOUCHPOINT: TouchpointId = TouchpointId(Uuid::from_u128(6));

    #[test]
    fn a_submission_is_confirmed_to_the_partner_and_laid_before_the_alliance_managers() {
        let event = Event::RegistrationSubmitted {
            registration_id: REGISTRATION,
            partner_id: PARTNER,
        };
        let known = Circumstances {
            submitter: Some(USER),
            ..Circumstances::default()
        };
        assert_eq!(
            decide(&event, &known),
            [
                (
                    Audience::Partner(PARTNER, DECIDERS),
                    Mail::RegistrationReceived
                ),
                (Audience::Person(USER), Mail::RegistrationReceived),
                (Audience::Vendor(ALLIANCE, None), Mail::RegistrationToReview),
            ]
        );
    }

    #[test]
    fn a_won_deal_reaches_each_partner_once() {
        let known = Circumstances {
            without_commission: vec![PARTNER],
            ..Circumstances::default()
        };
        let won = decide(&Event::DealWon { deal_id: DEAL }, &known);
        assert_eq!(won, [(Audience::Partner(PARTNER, DECIDERS), Mail::DealWon)]);
        assert_eq!(
            decide(&Event::DealWon { deal_id: DEAL }, &Circumstances::default()),
            []
        );
        let earned = decide(
            &Event::CommissionAccrued {
                deal_id: DEAL,
                partner_id: PARTNER,
            },
            &known,
        );
        assert_eq!(
            earned,
            [(Audience::Partner(PARTNER, DECIDERS), Mail::CommissionEarned)]
        );
    }

    #[test]
    fn the_vendor_is_not_told_what_it_recorded_itself() {
        let event = Event::TouchpointRecorded {
            touchpoint_id: TOUCHPOINT,
            deal_id: DEAL,
            partner_id: PARTNER,
        };
        assert_eq!(decide(&event, &Circumstances::default()), []);
        let claimed = Circumstances {
            recorded_by_partner: true,
            ..Circumstances::default()
        };
        assert_eq!(
            decide(&event, &claimed),
            [(Audience::Vendor(ALLIANCE, None), Mail::TouchpointToVerify)]
        );
    }

    #[test]
    fn whoever_made_a_run_is_not_asked_to_approve_it() {
        let event = Event::PayoutRunCalculated {
            run_id: PayoutRunId(PAYOUT.0),
        };
        let known = Circumstances {
            creator: Some(USER),
            ..Circumstances::default()
        };
        assert_eq!(
            decide(&event, &known),
            [(
                Audience::Vendor(APPROVERS, Some(USER)),
                Mail::PayoutRunToApprove
            )]
        );
    }

    #[test]
    fn events_without_a_row_go_without_mail() {
        let plan_id = IncentivePlanId(Uuid::from_u128(7));
        for event in [
            Event::PlanActivated { plan_id },
            Event::DealCreated { deal_id: DEAL },
        ] {
            assert_eq!(
                decide(&event, &Circumstances::default()),
                [],
                "{}",
                event.name()
            );
        }
    }
}
