//! Rows of partners on deals: the vendor sees all, a partner its own.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};

use super::store;
use crate::{
    access::{Action, Scope, Versioned, Visible, of_partner},
    entity::{
        deal_participant::{self, ParticipantStatus},
        ids::{DealId, DealParticipantId},
    },
    error::{Error, Result},
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

/// Invitations whose time is over, locked, at most [`crate::tx::CHUNK`].
///
/// # Errors
/// The database failed.
pub async fn lock_lapsed_invitations(tx: &Tx) -> Result<Vec<deal_participant::Model>> {
    Ok(deal_participant::Entity::find()
        .filter(deal_participant::Column::Status.eq(ParticipantStatus::Invited))
        .filter(deal_participant::Column::ExpiresAt.lte(tx.now()))
        .order_by_asc(deal_participant::Column::Id)
        .limit(store::chunk())
        .lock_exclusive()
        .all(tx)
        .await?)
}

/// Writes what changed on a participant, unless somebody else wrote since it was read.
///
/// # Errors
/// `STALE_OBJECT`.
pub async fn save_participant(
    tx: &Tx,
    read: &deal_participant::Model,
    mut change: deal_participant::ActiveModel,
) -> Result<()> {
    change.version = sea_orm::Set(read.version + 1);
    change.updated_at = sea_orm::Set(tx.now());
    let saved = deal_participant::Entity::update_many()
        .set(change)
        .filter(deal_participant::Column::Id.eq(read.id))
        .filter(deal_participant::Column::Version.eq(read.version))
        .exec(tx)
        .await?;
    if saved.rows_affected == 1 {
        Ok(())
    } else {
        Err(Error::stale())
    }
}

/// A participant; a partner sees its own.
///
/// # Errors
/// The database failed.
pub async fn participant<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    id: DealParticipantId,
) -> Result<Option<deal_participant::Model>> {
    Ok(participants(scope)
        .filter(deal_participant::Column::Id.eq(id))
        .one(db)
        .await?)
}

/// The participants that a scope shows: all, or a partner's own.
#[must_use]
pub fn participants(scope: Scope) -> Select<deal_participant::Entity> {
    deal_participant::Entity::find().filter(deal_participant::Entity::visible(scope))
}

/// Everybody who was ever asked to join a deal.
///
/// # Errors
/// The database failed.
pub async fn all_participants(tx: &Tx, deal: DealId) -> Result<Vec<deal_participant::Model>> {
    Ok(deal_participant::Entity::find()
        .filter(deal_participant::Column::DealId.eq(deal))
        .order_by_asc(deal_participant::Column::Id)
        .all(tx)
        .await?)
}

/// How many invitations to a deal stand open: neither answered nor past their time.
///
/// # Errors
/// The database failed.
pub async fn unanswered(tx: &Tx, deal: DealId) -> Result<usize> {
    let participants = all_participants(tx, deal).await?;
    let in_time = participants
        .iter()
        .filter(|row| row.expires_at.is_none_or(|end| tx.now() < end));
    Ok(super::participant::unanswered(
        in_time.map(|row| row.status),
    ))
}
