//! A partner moves in its life with the vendor.

use sea_orm::{ActiveEnum, ActiveValue::Set};

use super::{standing, store};
use crate::{
    access::Action,
    entity::{
        ids::{LifecycleEventId, PartnerId},
        partner,
        partner_lifecycle_event::{self, PartnerAction},
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    platform::transition::{self, StateMachine},
    tx::Tx,
};

/// The most characters of a reason.
const REASON: usize = 2_000;

/// A move to be made.
#[derive(Clone, Debug)]
pub struct Move {
    /// The partner.
    pub partner: PartnerId,
    /// Which move.
    pub action: PartnerAction,
    /// Why; some moves need it.
    pub reason: Option<String>,
}

/// Makes a move and keeps it in the partner's history. Of two equal moves at once one is made and the other refused.
///
/// # Errors
/// `NOT_FOUND` for a partner the caller does not see, `FORBIDDEN` for everybody but the vendor's administrators and
/// alliance managers, `ILLEGAL_TRANSITION` when the partner's state does not allow the move, `REASON_REQUIRED` at
/// `reason`. Records `partner.status_changed`.
pub async fn apply(tx: &Tx, command: Move) -> Result<PartnerId> {
    let Move {
        partner: id,
        action,
        reason,
    } = command;
    tx.actor().may(Action::PartnerRead)?;
    let partner = standing::hold(tx, id, "partnerId").await?;
    tx.actor().may(Action::PartnerLifecycle)?;
    let mut faults = Faults::default();
    let reason = faults.optional_text("reason", reason.as_deref(), REASON);
    faults.check()?;
    let next = partner
        .status
        .apply_because(action, reason.as_deref())
        .map_err(refused)?;
    let row = partner::ActiveModel {
        status: Set(next),
        version: Set(partner.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    if !store::replace(tx, row, id, partner.version).await? {
        return Err(Error::stale());
    }
    tx.insert(partner_lifecycle_event::ActiveModel {
        id: Set(tx.id::<LifecycleEventId>()),
        partner_id: Set(id),
        action: Set(action),
        from_status: Set(Some(partner.status)),
        to_status: Set(next),
        actor_id: Set(tx.actor().user_id()),
        reason: Set(reason),
        at: Set(tx.now()),
    })
    .await?;
    tx.record(Event::PartnerStatusChanged {
        partner_id: id,
        from: partner.status.to_value(),
        to: next.to_value(),
    });
    Ok(id)
}

fn refused(refusal: transition::Refusal) -> Error {
    match refusal {
        transition::Refusal::IllegalTransition(_) => {
            Refusal::new(Code::IllegalTransition, refusal.to_string()).into()
        }
        transition::Refusal::ReasonRequired { .. } => {
            Refusal::new(Code::ReasonRequired, refusal.to_string())
                .at("reason")
                .into()
        }
    }
}
