//! Mails about registrations and about partners on deals.

use async_trait::async_trait;
use chrono_tz::Tz;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use crate::{
    entity::{
        customer, deal,
        deal_participant::{self, ParticipantStatus},
        deal_registration,
        ids::{DealId, DealParticipantId, DealRegistrationId},
    },
    error::Result,
    events::Event,
    mails,
    notifications::mail::{Concerned, Mail, Mails, View, last_day, moment, money, zone},
    platform::ids::TypedId,
    tx::Tx,
};

/// The mails.
pub struct DealMails;

#[async_trait]
impl Mails for DealMails {
    fn mails(&self) -> &'static [Mail] {
        mails! {
            "registration_received" on "deal_registration.submitted" to [Deciders, Person] in ["en", "de"];
            "registration_to_review" on "deal_registration.submitted" to [AllianceManagers] in ["en", "de"];
            "registration_info_requested" on "deal_registration.info_requested" to [Deciders, Person] in ["en"];
            "registration_answered" on "deal_registration.answered" to [AllianceManagers] in ["en"];
            "registration_approved" on "deal_registration.approved" to [Deciders, Person] in ["en", "de"];
            "registration_rejected" on "deal_registration.rejected" to [Deciders, Person] in ["en", "de"];
            "registration_extended" on "deal_registration.extended" to [Deciders, Person] in ["en"];
            "protection_reminder" on "deal_registration.protection_reminder" to [Deciders, Person] in ["en", "de"];
            "registration_expired" on "deal_registration.expired" to [Deciders, Person] in ["en"];
            "participant_invited" on "deal_participant.invited" to [Deciders] in ["en", "de"];
            "participant_accepted" on "deal_participant.accepted" to [AllianceManagers] in ["en"];
            "participant_declined" on "deal_participant.declined" to [AllianceManagers] in ["en"];
            "participant_expired" on "deal_participant.expired" to [AllianceManagers] in ["en"];
            "participant_removed" on "deal_participant.removed" to [Deciders] in ["en"];
        }
    }

    async fn concerned(&self, tx: &Tx, event: &Event) -> Result<Option<Concerned>> {
        let partner = match event {
            Event::ParticipantInvited { partner_id, .. }
            | Event::ParticipantAccepted { partner_id, .. }
            | Event::ParticipantDeclined { partner_id, .. }
            | Event::ParticipantExpired { partner_id, .. }
            | Event::ParticipantRemoved { partner_id, .. } => Some(*partner_id),
            _ => None,
        };
        if let Some(partner) = partner {
            return Ok(Some(Concerned::partner(partner)));
        }
        let Some(registration) = registration_of(event) else {
            return Ok(None);
        };
        let row = deal_registration::Entity::find_by_id(registration)
            .one(tx)
            .await?;
        Ok(row.map(|row| Concerned {
            person: Some(row.submitted_by),
            ..Concerned::partner(row.partner_id)
        }))
    }

    async fn facts(&self, view: &View<'_>, event: &Event) -> Result<Option<Value>> {
        if let Event::ParticipantInvited { participant_id, .. }
        | Event::ParticipantAccepted { participant_id, .. }
        | Event::ParticipantDeclined { participant_id, .. }
        | Event::ParticipantExpired { participant_id, .. }
        | Event::ParticipantRemoved { participant_id, .. } = event
        {
            return participant(view, *participant_id).await;
        }
        let Some(id) = registration_of(event) else {
            return Ok(None);
        };
        let mut facts = registration(view, id).await?;
        if let (Some(facts), Event::ProtectionReminder { days_left, .. }) = (&mut facts, event) {
            facts["daysLeft"] = json!(days_left);
        }
        Ok(facts)
    }
}

fn registration_of(event: &Event) -> Option<DealRegistrationId> {
    match event {
        Event::RegistrationSubmitted {
            registration_id, ..
        }
        | Event::RegistrationInfoRequested {
            registration_id, ..
        }
        | Event::RegistrationAnswered {
            registration_id, ..
        }
        | Event::RegistrationApproved {
            registration_id, ..
        }
        | Event::RegistrationRejected {
            registration_id, ..
        }
        | Event::RegistrationExtended {
            registration_id, ..
        }
        | Event::ProtectionReminder {
            registration_id, ..
        }
        | Event::RegistrationExpired {
            registration_id, ..
        } => Some(*registration_id),
        _ => None,
    }
}

async fn registration(view: &View<'_>, id: DealRegistrationId) -> Result<Option<Value>> {
    let row = deal_registration::Entity::find_by_id(id)
        .one(view.db)
        .await?;
    let Some(row) = row.filter(|row| view.sees(row.partner_id)) else {
        return Ok(None);
    };
    let zone = zone(&row.time_zone);
    Ok(Some(json!({
        "url": view.page("deal-registrations", &id.text()),
        "partner": view.partner(row.partner_id).await?,
        "registration": {
            "number": row.number,
            "customer": row.customer_name,
            "value": money(row.value_minor, row.currency),
            "reviewDue": moment(row.review_due_at, zone),
            "protectedUntil": row.protected_until.map(|end| last_day(end, zone)),
            "timeZone": zone.name(),
            "reason": row.rejection_reason,
            "note": row.decision_note,
        },
    })))
}

/// A deal as the reader sees it. The customer is named to the vendor and to whoever is, or is asked to be, on the
/// deal.
///
/// # Errors
/// The database failed.
pub async fn deal(view: &View<'_>, id: DealId) -> Result<Option<Value>> {
    let Some(row) = deal::Entity::find_by_id(id).one(view.db).await? else {
        return Ok(None);
    };
    let customer = match row.customer_id {
        Some(customer) if is_on(view, &row).await? => customer::Entity::find_by_id(customer)
            .one(view.db)
            .await?
            .map(|row| row.name),
        _ => None,
    };
    Ok(Some(json!({
        "url": view.page("deals", &id.text()),
        "deal": { "number": row.number, "name": row.name, "customer": customer },
    })))
}

async fn is_on(view: &View<'_>, deal: &deal::Model) -> Result<bool> {
    let Some(own) = view.own.filter(|own| deal.partner_id != Some(*own)) else {
        return Ok(true);
    };
    let live = deal_participant::Entity::find()
        .filter(deal_participant::Column::DealId.eq(deal.id))
        .filter(deal_participant::Column::PartnerId.eq(own))
        .filter(
            deal_participant::Column::Status
                .is_in([ParticipantStatus::Invited, ParticipantStatus::Accepted]),
        )
        .count(view.db)
        .await?;
    Ok(live > 0)
}

async fn participant(view: &View<'_>, id: DealParticipantId) -> Result<Option<Value>> {
    let row = deal_participant::Entity::find_by_id(id)
        .one(view.db)
        .await?;
    let Some(row) = row.filter(|row| view.sees(row.partner_id)) else {
        return Ok(None);
    };
    let Some(mut facts) = deal(view, row.deal_id).await? else {
        return Ok(None);
    };
    facts["partner"] = view.partner(row.partner_id).await?;
    facts["participant"] = json!({
        "role": row.role, "scope": row.scope, "expires": row.expires_at.map(|at| moment(at, Tz::UTC)),
    });
    Ok(Some(facts))
}
