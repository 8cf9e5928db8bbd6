//! A touchpoint is recorded: by the partner who did something, or by the vendor who saw it.

use chrono::{DateTime, Utc};

use super::{store, touchpoint::TouchpointAction};
use crate::{
    access::{Action, Held},
    entity::{
        deal::{self, SalesStatus},
        ids::{DealId, PartnerId, TouchpointId},
        touchpoint::{self, DealMilestone, JourneyPhase, TouchpointKind, TouchpointStatus},
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    partners::standing::{self, Ability},
    platform::transition::StateMachine,
    tx::Tx,
};

/// How many partners may have a part in one deal: so many are told apart in its credit.
pub const MAX_PARTNERS: usize = 25;

/// What somebody says that a partner did.
#[derive(Clone, Debug)]
pub struct Record {
    /// For which deal.
    pub deal: DealId,
    /// Which partner; a partner's people may leave it out, it is their own.
    pub partner: Option<PartnerId>,
    /// What.
    pub kind: TouchpointKind,
    /// When in the customer's journey.
    pub phase: JourneyPhase,
    /// What it brought about.
    pub milestone: Option<DealMilestone>,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// What shows it: a link, a protocol, a name of a meeting.
    pub evidence: Option<String>,
    /// The touchpoint that this one corrects.
    pub corrects: Option<TouchpointId>,
}

/// Records a touchpoint as a claim that the other side must confirm before it counts; after the close of the deal as
/// one that waits for the vendor's approval. What the server records itself needs nobody's confirmation. A
/// correction is a row of its own: the corrected one stays and counts no more.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND` at `dealId`, `partnerId` or `correctsId`; `NOT_ELIGIBLE` by the partner's state;
/// `LIMIT_REACHED` for a partner too many; `ILLEGAL_TRANSITION` for a touchpoint that was corrected before;
/// `BAD_USER_INPUT` with every fault at its field. Records `touchpoint.recorded`.
pub async fn record(tx: &Tx, command: Record) -> Result<Held<touchpoint::Entity>> {
    tx.actor().may(Action::TouchpointRecord)?;
    let deal = tx.load_seen::<deal::Entity>(command.deal).await?;
    let partner = partner(tx, &command)?;
    standing::require(tx, partner, Ability::JoinDeals, "partnerId").await?;
    let evidence = check(tx, &command)?;
    leave_room(tx, deal.id, partner).await?;
    if let Some(corrected) = command.corrects {
        replace(tx, corrected, deal.id, partner).await?;
    }
    let row = touchpoint::Model {
        id: tx.id(),
        external_id: None,
        deal_id: deal.id,
        partner_id: partner,
        kind: command.kind,
        phase: command.phase,
        milestone: command.milestone,
        occurred_at: command.occurred_at,
        evidence,
        status: first_status(tx, &deal),
        corrects_id: command.corrects,
        recorded_by: tx.actor().user_id(),
        recorded_by_partner: tx.actor().partner_id(),
        recorded_at: tx.now(),
        verified_by: None,
        verified_at: tx.actor().user_id().is_none().then(|| tx.now()),
        rejection_reason: None,
        version: 1,
        fingerprint: None,
    };
    tx.record(Event::TouchpointRecorded {
        touchpoint_id: row.id,
        deal_id: deal.id,
        partner_id: partner,
    });
    tx.add(row).await
}

/// The partner it is about. Whoever acts for a partner speaks only of his own; another one does not exist for him.
fn partner(tx: &Tx, command: &Record) -> Result<PartnerId> {
    match (tx.actor().partner_id(), command.partner) {
        (Some(own), Some(named)) if own != named => Err(Error::not_found("partnerId")),
        (Some(own), _) => Ok(own),
        (None, Some(named)) => Ok(named),
        (None, None) => Err(Refusal::input("partnerId", "say which partner it was").into()),
    }
}

fn check(tx: &Tx, command: &Record) -> Result<Option<String>> {
    let mut faults = Faults::default();
    if command.occurred_at > tx.now() {
        faults.add("occurredAt", "must not lie in the future");
    }
    let evidence = faults.optional_text("evidence", command.evidence.as_deref(), 2_000);
    faults.check()?;
    Ok(evidence)
}

fn first_status(tx: &Tx, deal: &deal::Model) -> TouchpointStatus {
    if tx.actor().user_id().is_none() {
        TouchpointStatus::Verified
    } else if deal.status == SalesStatus::Open {
        TouchpointStatus::Claimed
    } else {
        TouchpointStatus::AwaitingApproval
    }
}

async fn leave_room(tx: &Tx, deal: DealId, partner: PartnerId) -> Result<()> {
    let known = store::partners_on(tx, deal).await?;
    if known.contains(&partner) || known.len() < MAX_PARTNERS {
        return Ok(());
    }
    let message = format!("At most {MAX_PARTNERS} partners have a part in one deal.");
    Err(Refusal::new(Code::LimitReached, message)
        .at("partnerId")
        .into())
}

/// Marks the touchpoint that is corrected; it must be of the same partner and deal.
async fn replace(tx: &Tx, id: TouchpointId, deal: DealId, partner: PartnerId) -> Result<()> {
    let path = "correctsId";
    let row = tx.load_seen::<touchpoint::Entity>(id).await;
    let row = row.map_err(|error| error.at(path))?;
    if row.deal_id != deal || row.partner_id != partner {
        return Err(Error::not_found(path));
    }
    let status = row.status.apply(TouchpointAction::Correct);
    let status = status.map_err(|error| Error::from(error).at(path))?;
    tx.save(&row, |row| row.status = status).await?;
    Ok(())
}
