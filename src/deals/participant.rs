//! Partners beside each other on a deal: in which role, invited or accepted, and who is the
//! reseller of record.
//!
//! An invited partner accepts or declines, or the invitation expires. Whoever declined, was too
//! late or was removed may be invited again. Removing a partner leaves what it did on the deal in
//! place.
//!
//! Pure: decides from facts alone.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::{
    entity::deal_participant::{ParticipantRole, ParticipantStatus},
    platform::{calendar, transition::StateMachine},
};

crate::text_enum! {
    /// What can be done to a partner's place on a deal.
    pub enum ParticipantAction {
        /// Take the role.
        Accept,
        /// Say no to the role.
        Decline,
        /// End the invitation because its time is over.
        Expire,
        /// Take the partner off the deal. Needs a reason.
        Remove,
        /// Invite once more.
        InviteAgain,
    }
}

impl StateMachine for ParticipantStatus {
    type Action = ParticipantAction;

    fn target(self, action: ParticipantAction) -> Option<Self> {
        use ParticipantAction as A;
        use ParticipantStatus as S;
        Some(match (self, action) {
            (S::Invited, A::Accept) => S::Accepted,
            (S::Invited, A::Decline) => S::Declined,
            (S::Invited, A::Expire) => S::Expired,
            (S::Invited | S::Accepted, A::Remove) => S::Removed,
            (S::Declined | S::Expired | S::Removed, A::InviteAgain) => S::Invited,
            _ => return None,
        })
    }

    fn needs_reason(action: ParticipantAction) -> bool {
        action == ParticipantAction::Remove
    }
}

impl ParticipantStatus {
    /// Whether the partner is on the deal or may still come: live participants occupy their role.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Invited | Self::Accepted)
    }
}

/// A deal has one reseller of record, and somebody else is it, or is invited to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deal already has a reseller of record")]
pub struct SecondReseller;

/// Whether a partner may be invited in `role` to a deal with these other participants.
///
/// # Errors
/// The role is reseller and there is a live one.
pub fn may_invite(
    role: ParticipantRole,
    others: impl IntoIterator<Item = (ParticipantRole, ParticipantStatus)>,
) -> Result<(), SecondReseller> {
    let is_live_reseller = |(other, status): (ParticipantRole, ParticipantStatus)| {
        other == ParticipantRole::Reseller && status.is_live()
    };
    if role == ParticipantRole::Reseller && others.into_iter().any(is_live_reseller) {
        return Err(SecondReseller);
    }
    Ok(())
}

/// How many participants are invited and have not answered; the gate of the pipeline counts them.
pub fn unanswered(participants: impl IntoIterator<Item = ParticipantStatus>) -> usize {
    participants
        .into_iter()
        .filter(|status| *status == ParticipantStatus::Invited)
        .count()
}

/// When an invitation expires: `days` days after it was sent, at the same time of day in the programme's time zone. It
/// can be accepted before, no longer at it.
pub fn invitation_expires_at(invited_at: DateTime<Utc>, days: u16, zone: Tz) -> DateTime<Utc> {
    calendar::add_days(zone, invited_at, days.into()).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        entity::deal_participant::{ParticipantRole as R, ParticipantStatus as S},
        platform::transition::table,
    };

    #[test]
    fn every_status_allows_exactly_the_listed_actions() {
        insta::assert_snapshot!(table::<S>(), @r"
        INVITED: ACCEPT > ACCEPTED, DECLINE > DECLINED, EXPIRE > EXPIRED, REMOVE! > REMOVED
        ACCEPTED: REMOVE! > REMOVED
        DECLINED: INVITE_AGAIN > INVITED
        EXPIRED: INVITE_AGAIN > INVITED
        REMOVED: INVITE_AGAIN > INVITED
        ");
    }

    #[test]
    fn a_deal_has_one_reseller_of_record() {
        for live in [S::Invited, S::Accepted] {
            assert_eq!(
                may_invite(
                    R::Reseller,
                    [(R::Sourcer, S::Accepted), (R::Reseller, live)]
                ),
                Err(SecondReseller)
            );
            assert_eq!(may_invite(R::Implementer, [(R::Reseller, live)]), Ok(()));
        }
        for gone in [S::Declined, S::Expired, S::Removed] {
            assert_eq!(may_invite(R::Reseller, [(R::Reseller, gone)]), Ok(()));
        }
        assert_eq!(
            may_invite(R::Influencer, [(R::Influencer, S::Accepted)]),
            Ok(())
        );
    }

    #[test]
    fn only_open_invitations_are_unanswered() {
        let all = [
            S::Invited,
            S::Accepted,
            S::Declined,
            S::Invited,
            S::Expired,
            S::Removed,
        ];
        assert_eq!(unanswered(all), 2);
    }

    #[test]
    fn an_invitation_lasts_its_days_to_the_second() {
        let invited: DateTime<Utc> = "2026-03-20T09:30:00Z".parse().unwrap();
        assert_eq!(
            invitation_expires_at(invited, 15, Tz::UTC).to_string(),
            "2026-04-04 09:30:00 UTC"
        );
        // Clocks go forward on 29 March.
        assert_eq!(
            invitation_expires_at(invited, 15, chrono_tz::Europe::Berlin).to_string(),
            "2026-04-04 08:30:00 UTC"
        );
    }
}
