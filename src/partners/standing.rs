//! What a partner may do at present, by its state.

use std::collections::HashMap;

use chrono::NaiveDate;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::LockType,
};

use crate::{
    access::{self, Actor},
    entity::{ids::PartnerId, partner},
    error::{Code, Error, Refusal, Result},
    tx::Tx,
};

/// What a use case asks a partner's state for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Register deals.
    RegisterDeals,
    /// Join deals of others.
    JoinDeals,
}

/// Why a partner cannot be paid on a day. What it earned waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentObstacle {
    /// Its state does not allow payment, or there is no such partner.
    State,
    /// The data processing agreement on file has expired.
    AgreementExpired,
}

/// The partner, if its state allows this. It keeps that state until the end of the unit of work.
///
/// # Errors
/// `NOT_FOUND` at `path` for an unknown partner, `NOT_ELIGIBLE` when its state does not allow it.
pub async fn require(
    tx: &Tx,
    partner: PartnerId,
    ability: Ability,
    path: &str,
) -> Result<partner::Model> {
    let lock = match ability {
        // The claims of one partner follow each other, so that a limit over them holds.
        Ability::RegisterDeals => LockType::NoKeyUpdate,
        // The weakest lock that keeps the state.
        Ability::JoinDeals => LockType::KeyShare,
    };
    let one = partner::Entity::find()
        .filter(partner::Column::Id.eq(partner))
        .lock(lock);
    let found = one.one(tx).await?.ok_or_else(|| Error::not_found(path))?;
    let able = match ability {
        Ability::RegisterDeals => found.status.may_register_deals(),
        Ability::JoinDeals => found.status.may_join_deals(),
    };
    if able {
        return Ok(found);
    }
    let what = match ability {
        Ability::RegisterDeals => "register deals",
        Ability::JoinDeals => "join deals",
    };
    Err(Refusal::new(
        Code::NotEligible,
        format!("The partner's state does not allow it to {what}."),
    )
    .at(path)
    .into())
}

/// What keeps each of these partners from being paid on a day; nothing for those that can be paid.
///
/// # Errors
/// The database failed.
pub async fn payable<C: ConnectionTrait>(
    db: &C,
    partners: &[PartnerId],
    on: NaiveDate,
) -> Result<HashMap<PartnerId, Option<PaymentObstacle>>> {
    let found = access::find_all::<partner::Entity>(db, &Actor::System, partners).await?;
    let known: HashMap<_, _> = found.iter().map(|partner| (partner.id, partner)).collect();
    let obstacle = |id: &PartnerId| match known.get(id) {
        Some(partner) if partner.status.may_be_paid() => {
            let expired = partner.dpa_valid_until.is_some_and(|last| last < on);
            expired.then_some(PaymentObstacle::AgreementExpired)
        }
        _ => Some(PaymentObstacle::State),
    };
    Ok(partners.iter().map(|id| (*id, obstacle(id))).collect())
}
