//! Rows of partners on deals: the vendor sees all, a partner its own.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::store;
use crate::{
    access::{Action, Scope, Versioned, Visible, of_partner},
    entity::{
        deal_participant::{self, ParticipantStatus},
        ids::DealId,
    },
    error::Result,
    tx::Tx,
};

impl Visible for deal_participant::Entity {
    const ID: Self::Column = deal_participant::Column::Id;
    const ARGUMENT: &'static str = "participantId";
    const READ: Action = Action::DealRead;

    fn visible(scope: Scope) -> Condition {
        of_partner(scope, deal_participant::Column::PartnerId)
    }
}

impl Versioned for deal_participant::Entity {
    const VERSION: Self::Column = deal_participant::Column::Version;
    const UPDATED_AT: Option<Self::Column> = Some(deal_participant::Column::UpdatedAt);
}

/// Expired invitations, at most [`crate::tx::CHUNK`].
pub fn lapsed_invitations(now: DateTime<Utc>) -> Select<deal_participant::Entity> {
    deal_participant::Entity::find()
        .filter(deal_participant::Column::Status.eq(ParticipantStatus::Invited))
        .filter(deal_participant::Column::ExpiresAt.lte(now))
        .order_by_asc(deal_participant::Column::Id)
        .limit(store::chunk())
}

/// The participants that a scope shows: all, or a partner's own.
#[must_use]
pub fn participants(scope: Scope) -> Select<deal_participant::Entity> {
    deal_participant::Entity::find().filter(deal_participant::Entity::visible(scope))
}

/// Everybody who was ever asked to join a deal.
pub fn participants_of(deal: DealId) -> Select<deal_participant::Entity> {
    deal_participant::Entity::find()
        .filter(deal_participant::Column::DealId.eq(deal))
        .order_by_asc(deal_participant::Column::Id)
}

/// How many invitations to a deal stand open: neither answered nor past their time.
///
/// # Errors
/// The database failed.
pub async fn unanswered(tx: &Tx, deal: DealId) -> Result<usize> {
    let participants = participants_of(deal).all(tx).await?;
    let in_time = participants
        .iter()
        .filter(|row| row.expires_at.is_none_or(|end| tx.now() < end));
    Ok(super::participant::unanswered(
        in_time.map(|row| row.status),
    ))
}
