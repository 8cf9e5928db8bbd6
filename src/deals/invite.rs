//! Partners join a deal beside each other: the vendor invites them in a role, they accept or decline, and the vendor
//! takes them off again. What a partner did on a deal stays when it leaves.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{
    advance,
    participant::{self, ParticipantAction},
    participant_store, refusal,
};
use crate::{
    access::{Action, Actor, Held, Visible},
    entity::{
        deal::{self, SalesStatus},
        deal_participant::{self, Column, ParticipantRole, ParticipantStatus},
        ids::{DealId, DealParticipantId, PartnerId},
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    partners::standing::{self, Ability},
    platform::transition::StateMachine,
    tx::Tx,
};

/// A locked participant.
type Live = Held<deal_participant::Entity>;

/// The most roles of partners on one deal, those who left included.
pub const MAX_PARTICIPANTS: usize = 20;

/// An invitation to a deal.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Which deal.
    pub deal: DealId,
    /// Whom.
    pub partner: PartnerId,
    /// In which role.
    pub role: ParticipantRole,
    /// What exactly the partner is to do, in words.
    pub scope: Option<String>,
}

/// An answer to an invitation.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Which invitation.
    pub participant: DealParticipantId,
}

/// Taking a partner off a deal.
#[derive(Clone, Debug)]
pub struct Remove {
    /// Which role of which partner.
    pub participant: DealParticipantId,
    /// Why.
    pub reason: Option<String>,
}

/// Invites a partner to an open deal; the invitation stands for the programme's days. Whoever declined, was too late
/// or was removed may be invited again.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND`; `NOT_ELIGIBLE` by the partner's state; `ILLEGAL_TRANSITION` on a closed deal;
/// `DUPLICATE` when the partner has this role or is invited to it; `CONFLICT` for a second reseller of record;
/// `LIMIT_REACHED` beyond [`MAX_PARTICIPANTS`]. Records `deal_participant.invited`.
pub async fn invite(tx: &Tx, command: Invite) -> Result<Live> {
    tx.actor().may(Action::ParticipantInvite)?;
    let mut faults = Faults::default();
    let scope = faults.optional_text("scope", command.scope.as_deref(), 1_000);
    faults.check()?;
    let deal = tx.load_seen::<deal::Entity>(command.deal).await?;
    require_open(&deal)?;
    standing::require(tx, command.partner, Ability::JoinDeals, "partnerId").await?;
    let everybody = tx.lock(participant_store::participants_of(deal.id)).await?;
    check_role(&command, &everybody)?;

    let rules = advance::rules_of(tx, &deal).await?;
    let days = rules.settings.invitation_days;
    let zone = rules.program.default_time_zone;
    let invitation = deal_participant::Model {
        id: tx.id(),
        deal_id: deal.id,
        partner_id: command.partner,
        role: command.role,
        status: ParticipantStatus::Invited,
        scope,
        invited_by: tx.actor().user_id(),
        invited_at: tx.now(),
        expires_at: Some(participant::invitation_expires_at(tx.now(), days, zone)),
        accepted_at: None,
        ended_at: None,
        end_reason: None,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
        fingerprint: None,
    };
    let invited = match in_role(&everybody, &command) {
        Some(before) => {
            let again = |row: &mut deal_participant::Model| {
                *row = deal_participant::Model {
                    id: row.id,
                    version: row.version,
                    created_at: row.created_at,
                    ..invitation
                };
            };
            tx.save(before, again).await?
        }
        None => tx.add_new(invitation).await?.ok_or_else(|| {
            Refusal::new(Code::Conflict, participant::SecondReseller.to_string()).at("role")
        })?,
    };
    tx.record(Event::ParticipantInvited {
        participant_id: invited.id,
        deal_id: deal.id,
        partner_id: command.partner,
    });
    Ok(invited)
}

/// The row of the partner in the role: the live one, else the newest.
fn in_role<'r>(rows: &'r [Live], command: &Invite) -> Option<&'r Live> {
    let same = rows
        .iter()
        .filter(|row| row.partner_id == command.partner && row.role == command.role);
    same.max_by_key(|row| row.status.is_live())
}

fn check_role(command: &Invite, everybody: &[Live]) -> Result<()> {
    let before = in_role(everybody, command);
    if before.is_some_and(|row| row.status.apply(ParticipantAction::InviteAgain).is_err()) {
        return Err(Refusal::new(
            Code::Duplicate,
            "The partner has this role on the deal, or is invited to it.",
        )
        .into());
    }
    participant::may_invite(
        command.role,
        everybody.iter().map(|row| (row.role, row.status)),
    )
    .map_err(|second| Refusal::new(Code::Conflict, second.to_string()).at("role"))?;
    if before.is_none() && everybody.len() >= MAX_PARTICIPANTS {
        let message = format!("A deal has at most {MAX_PARTICIPANTS} participants.");
        return Err(Refusal::new(Code::LimitReached, message).into());
    }
    Ok(())
}

/// The invited partner takes the role.
///
/// # Errors
/// `FORBIDDEN` for anybody but the invited partner's managers; `NOT_FOUND`; `ILLEGAL_TRANSITION` unless invited, after
/// the invitation's time or on a closed deal. Records `deal_participant.accepted`.
pub async fn accept(tx: &Tx, answer: Answer) -> Result<Live> {
    let (deal, invited) = invitation(tx, answer.participant).await?;
    require_open(&deal)?;
    let status = moved(&invited, ParticipantAction::Accept, None)?;
    if invited.expires_at.is_some_and(|end| tx.now() >= end) {
        return Err(refusal::illegal_move("The invitation is no longer open."));
    }
    tx.record(Event::ParticipantAccepted {
        participant_id: invited.id,
        deal_id: deal.id,
        partner_id: invited.partner_id,
    });
    tx.save(&invited, |row| {
        row.status = status;
        row.accepted_at = Some(tx.now());
    })
    .await
}

/// The invited partner says no, and sees the deal no more.
///
/// # Errors
/// As for [`accept`], but a closed deal or a late answer does not matter. Records `deal_participant.declined`.
pub async fn decline(tx: &Tx, answer: Answer) -> Result<Live> {
    let (deal, invited) = invitation(tx, answer.participant).await?;
    let status = moved(&invited, ParticipantAction::Decline, None)?;
    tx.record(Event::ParticipantDeclined {
        participant_id: invited.id,
        deal_id: deal.id,
        partner_id: invited.partner_id,
    });
    tx.save(&invited, |row| {
        row.status = status;
        row.ended_at = Some(tx.now());
    })
    .await
}

/// The vendor takes a partner off an open deal, or takes an invitation back. Touchpoints stay.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND`; `REASON_REQUIRED`; `ILLEGAL_TRANSITION` when the partner is not on the deal, or the deal is
/// closed. Records `deal_participant.removed`.
pub async fn remove(tx: &Tx, command: Remove) -> Result<Live> {
    tx.actor().may(Action::ParticipantInvite)?;
    let mut faults = Faults::default();
    let reason = faults.optional_text("reason", command.reason.as_deref(), 1_000);
    faults.check()?;
    let (deal, live) = locked(tx, command.participant).await?;
    require_open(&deal)?;
    let status = moved(&live, ParticipantAction::Remove, reason.as_deref())?;
    tx.record(Event::ParticipantRemoved {
        participant_id: live.id,
        deal_id: deal.id,
        partner_id: live.partner_id,
    });
    tx.save(&live, |row| {
        row.status = status;
        row.ended_at = Some(tx.now());
        row.end_reason = reason;
    })
    .await
}

/// An invitation of the actor's own partner: nobody answers for another, the vendor's people included.
async fn invitation(tx: &Tx, id: DealParticipantId) -> Result<(deal::Model, Live)> {
    tx.actor().may(Action::ParticipantAccept)?;
    let (deal, invited) = locked(tx, id).await?;
    let own = tx.actor().partner_id() == Some(invited.partner_id);
    if own || *tx.actor() == Actor::System {
        Ok((deal, invited))
    } else {
        Err(Error::forbidden())
    }
}

/// A participant that the actor sees. The deal is locked first, so that a role is not taken while it is being closed.
async fn locked(tx: &Tx, id: DealParticipantId) -> Result<(deal::Model, Live)> {
    let seen = deal_participant::Entity::seen_by(tx.actor()).filter(Column::Id.eq(id));
    let seen = seen.one(tx).await?;
    let seen = seen.ok_or_else(|| Error::not_found(deal_participant::Entity::ARGUMENT))?;
    // Whether or not the participant can still see it.
    let deal = tx.lock(deal::Entity::find_by_id(seen.deal_id)).await?.pop();
    let deal = deal.ok_or_else(|| Error::internal("a participant without a deal"))?;
    Ok((deal.into_row(), tx.load_seen(id).await?))
}

fn moved(
    row: &deal_participant::Model,
    action: ParticipantAction,
    reason: Option<&str>,
) -> Result<ParticipantStatus> {
    row.status
        .apply_because(action, reason)
        .map_err(|error| refusal::transition(&error, "reason"))
}

fn require_open(deal: &deal::Model) -> Result<()> {
    if deal.status == SalesStatus::Open {
        Ok(())
    } else {
        Err(refusal::illegal_move("The deal is closed."))
    }
}
