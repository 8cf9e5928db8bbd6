//! What time does to registrations and invitations: protections end, partners are reminded before, and
//! invitations that nobody answered lapse.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr,
};

use super::{
    input, occupy, participant_store,
    protection::{self, Reminder},
    rules::{PipelineRules, Rules},
    store,
};
use crate::{
    entity::{
        deal_participant::ParticipantStatus,
        deal_registration::{self, RegistrationStatus},
        ids::{CustomerId, DealRegistrationId},
    },
    error::{Error, Result},
    events::Event,
    programs::rules,
    tx::{CHUNK, Tx},
};

/// Ends protections past their time, so that others may register: one chunk. The deals stay open. Says whether there may
/// be more.
///
/// # Errors
/// The database failed. Records `deal_registration.expired` for each.
pub async fn expire(tx: &Tx) -> Result<bool> {
    Ok(expire_some(tx, None).await? == CHUNK)
}

/// The same for one customer, before somebody else registers it.
///
/// # Errors
/// As for [`expire`].
pub(super) async fn expire_at(tx: &Tx, customer: CustomerId) -> Result<()> {
    expire_some(tx, Some(customer)).await.map(|_| ())
}

async fn expire_some(tx: &Tx, customer: Option<CustomerId>) -> Result<usize> {
    let overdue = store::lock_overdue(tx, customer).await?;
    let ids: Vec<DealRegistrationId> = overdue.iter().map(|registration| registration.id).collect();
    if ids.is_empty() {
        return Ok(0);
    }
    deal_registration::Entity::update_many()
        .set(deal_registration::ActiveModel {
            status: Set(RegistrationStatus::Expired),
            reminder_due_at: Set(None),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .col_expr(
            deal_registration::Column::Version,
            Expr::col(deal_registration::Column::Version).add(1),
        )
        .filter(deal_registration::Column::Id.is_in(ids.iter().copied()))
        .exec(tx)
        .await?;
    occupy::free(tx, &ids).await?;
    for registration in &overdue {
        let (registration_id, partner_id) = (registration.id, registration.partner_id);
        tx.record(Event::RegistrationExpired {
            registration_id,
            partner_id,
        });
    }
    Ok(overdue.len())
}

/// Reminds partners of protections that end soon: once per step, and with the latest step only when several were
/// missed. One chunk; says whether there may be more.
///
/// # Errors
/// The database failed. Records `deal_registration.protection_reminder`.
pub async fn remind(tx: &Tx) -> Result<bool> {
    let due = store::lock_reminders(tx).await?;
    let versions: BTreeSet<_> = due
        .iter()
        .map(|registration| registration.program_version_id)
        .collect();
    let rules: HashMap<_, Rules> =
        rules::by_version(tx, &versions.into_iter().collect::<Vec<_>>()).await?;
    let mut planned: BTreeMap<Option<DateTime<Utc>>, Vec<DealRegistrationId>> = BTreeMap::new();
    for registration in &due {
        let rules = rules.get(&registration.program_version_id);
        let rules = rules.ok_or_else(|| Error::internal("a registration without rules"))?;
        let steps = steps(registration, &rules.settings)?;
        let next = steps.iter().find(|step| step.due_at > tx.now());
        planned
            .entry(next.map(|step| step.due_at))
            .or_default()
            .push(registration.id);
        let latest = steps.iter().rfind(|step| step.due_at <= tx.now());
        let protected = registration
            .protected_until
            .is_some_and(|until| protection::is_protected(tx.now(), until));
        if let Some(step) = latest.filter(|_| protected) {
            tx.record(Event::ProtectionReminder {
                registration_id: registration.id,
                partner_id: registration.partner_id,
                days_left: step.days_left.into(),
            });
        }
    }
    for (next, registrations) in planned {
        plan(tx, &registrations, next).await?;
    }
    Ok(due.len() == CHUNK)
}

fn steps(
    registration: &deal_registration::Model,
    settings: &PipelineRules,
) -> Result<Vec<Reminder>> {
    let (Some(from), Some(until)) = (registration.decided_at, registration.protected_until) else {
        return Ok(Vec::new());
    };
    let zone = input::stored_zone(&registration.time_zone)?;
    Ok(protection::reminders(
        from,
        until,
        zone,
        &settings.reminder_days,
    ))
}

async fn plan(
    tx: &Tx,
    registrations: &[DealRegistrationId],
    next: Option<DateTime<Utc>>,
) -> Result<()> {
    deal_registration::Entity::update_many()
        .set(deal_registration::ActiveModel {
            reminder_due_at: Set(next),
            ..Default::default()
        })
        .filter(deal_registration::Column::Id.is_in(registrations.iter().copied()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Lapses invitations that nobody answered in time: one chunk. Says whether there may be more.
///
/// # Errors
/// The database failed. Records `deal_participant.expired` for each.
pub async fn lapse_invitations(tx: &Tx) -> Result<bool> {
    let lapsed = tx
        .lock(participant_store::lapsed_invitations(tx.now()))
        .await?;
    tx.save_all(&lapsed, |row| {
        row.status = ParticipantStatus::Expired;
        row.ended_at = Some(tx.now());
    })
    .await?;
    for row in &lapsed {
        tx.record(Event::ParticipantExpired {
            participant_id: row.id,
            deal_id: row.deal_id,
            partner_id: row.partner_id,
        });
    }
    Ok(lapsed.len() == CHUNK)
}
