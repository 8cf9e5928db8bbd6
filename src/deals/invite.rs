//! Partners join a deal beside each other: the vendor invites them in a role, they accept or decline, and the vendor
//! takes them off again. What a partner did on a deal stays when it leaves.

use sea_orm::ActiveValue::Set;

use super::{
    advance,
    participant::{self, ParticipantAction},
    participant_store, refusal, store,
};
use crate::{
    access::{Action, Actor},
    entity::{
        deal::{self, SalesStatus},
        deal_participant::{self, ParticipantRole, ParticipantStatus},
        ids::{DealId, DealParticipantId, PartnerId},
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    partners::standing::{self, Ability},
    platform::transition::StateMachine,
    tx::Tx,
};

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
pub async fn invite(tx: &Tx, command: Invite) -> Result<DealParticipantId> {
    tx.actor().may(Action::ParticipantInvite)?;
    let mut faults = Faults::default();
    let scope = faults.optional_text("scope", command.scope.as_deref(), 1_000);
    faults.check()?;
    let deal = store::lock_deal(tx, command.deal, "dealId").await?;
    require_open(&deal)?;
    standing::require(tx, command.partner, Ability::JoinDeals, "partnerId").await?;
    let everybody = participant_store::all_participants(tx, deal.id).await?;
    check_role(&command, &everybody)?;

    let rules = advance::rules_of(tx, &deal).await?;
    let days = rules.settings.invitation_days;
    let zone = rules.program.default_time_zone;
    let invitation = deal_participant::ActiveModel {
        status: Set(ParticipantStatus::Invited),
        scope: Set(scope),
        invited_by: Set(tx.actor().user_id()),
        invited_at: Set(tx.now()),
        expires_at: Set(Some(participant::invitation_expires_at(
            tx.now(),
            days,
            zone,
        ))),
        accepted_at: Set(None),
        ended_at: Set(None),
        end_reason: Set(None),
        ..Default::default()
    };
    let id = match in_role(&everybody, &command) {
        Some(before) => {
            participant_store::save_participant(tx, before, invitation).await?;
            before.id
        }
        None => insert(tx, &command, invitation).await?,
    };
    tx.record(Event::ParticipantInvited {
        participant_id: id,
        deal_id: deal.id,
        partner_id: command.partner,
    });
    Ok(id)
}

/// The row of the partner in the role: the live one, else the newest.
fn in_role<'r>(
    rows: &'r [deal_participant::Model],
    command: &Invite,
) -> Option<&'r deal_participant::Model> {
    let same = rows
        .iter()
        .filter(|row| row.partner_id == command.partner && row.role == command.role);
    same.max_by_key(|row| row.status.is_live())
}

fn check_role(command: &Invite, everybody: &[deal_participant::Model]) -> Result<()> {
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

async fn insert(
    tx: &Tx,
    command: &Invite,
    invitation: deal_participant::ActiveModel,
) -> Result<DealParticipantId> {
    let id = tx.id();
    let row = deal_participant::ActiveModel {
        id: Set(id),
        deal_id: Set(command.deal),
        partner_id: Set(command.partner),
        role: Set(command.role),
        version: Set(1),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
        ..invitation
    };
    if tx.insert_new(row).await? {
        Ok(id)
    } else {
        Err(
            Refusal::new(Code::Conflict, participant::SecondReseller.to_string())
                .at("role")
                .into(),
        )
    }
}

/// The invited partner takes the role.
///
/// # Errors
/// `FORBIDDEN` for anybody but the invited partner's managers; `NOT_FOUND`; `ILLEGAL_TRANSITION` unless invited, after
/// the invitation's time or on a closed deal. Records `deal_participant.accepted`.
pub async fn accept(tx: &Tx, answer: Answer) -> Result<DealParticipantId> {
    let (deal, invited) = invitation(tx, answer.participant).await?;
    require_open(&deal)?;
    let status = moved(&invited, ParticipantAction::Accept, None)?;
    if invited.expires_at.is_some_and(|end| tx.now() >= end) {
        return Err(refusal::illegal_move("The invitation is no longer open."));
    }
    let change = deal_participant::ActiveModel {
        status: Set(status),
        accepted_at: Set(Some(tx.now())),
        ..Default::default()
    };
    participant_store::save_participant(tx, &invited, change).await?;
    tx.record(Event::ParticipantAccepted {
        participant_id: invited.id,
        deal_id: deal.id,
        partner_id: invited.partner_id,
    });
    Ok(invited.id)
}

/// The invited partner says no, and sees the deal no more.
///
/// # Errors
/// As for [`accept`], but a closed deal or a late answer does not matter. Records `deal_participant.declined`.
pub async fn decline(tx: &Tx, answer: Answer) -> Result<DealParticipantId> {
    let (deal, invited) = invitation(tx, answer.participant).await?;
    let change = deal_participant::ActiveModel {
        status: Set(moved(&invited, ParticipantAction::Decline, None)?),
        ended_at: Set(Some(tx.now())),
        ..Default::default()
    };
    participant_store::save_participant(tx, &invited, change).await?;
    tx.record(Event::ParticipantDeclined {
        participant_id: invited.id,
        deal_id: deal.id,
        partner_id: invited.partner_id,
    });
    Ok(invited.id)
}

/// The vendor takes a partner off an open deal, or takes an invitation back. Touchpoints stay.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND`; `REASON_REQUIRED`; `ILLEGAL_TRANSITION` when the partner is not on the deal, or the deal is
/// closed. Records `deal_participant.removed`.
pub async fn remove(tx: &Tx, command: Remove) -> Result<DealParticipantId> {
    tx.actor().may(Action::ParticipantInvite)?;
    let mut faults = Faults::default();
    let reason = faults.optional_text("reason", command.reason.as_deref(), 1_000);
    faults.check()?;
    let (deal, live) = locked(tx, command.participant).await?;
    require_open(&deal)?;
    let change = deal_participant::ActiveModel {
        status: Set(moved(&live, ParticipantAction::Remove, reason.as_deref())?),
        ended_at: Set(Some(tx.now())),
        end_reason: Set(reason),
        ..Default::default()
    };
    participant_store::save_participant(tx, &live, change).await?;
    tx.record(Event::ParticipantRemoved {
        participant_id: live.id,
        deal_id: deal.id,
        partner_id: live.partner_id,
    });
    Ok(live.id)
}

/// An invitation of the actor's own partner: nobody answers for another, the vendor's people included.
async fn invitation(
    tx: &Tx,
    id: DealParticipantId,
) -> Result<(deal::Model, deal_participant::Model)> {
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
async fn locked(tx: &Tx, id: DealParticipantId) -> Result<(deal::Model, deal_participant::Model)> {
    let absent = || Error::not_found("participantId");
    let scope = tx.actor().scope();
    let seen = participant_store::participant(tx, scope, id)
        .await?
        .ok_or_else(absent)?;
    let deal = store::lock_deal_of(tx, &seen).await?;
    let current = participant_store::participant(tx, scope, id)
        .await?
        .ok_or_else(absent)?;
    Ok((deal, current))
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
