//! A partner asks for longer protection: once (or as often as the tier allows), in time, and with a deal that has
//! moved forward.

use super::{
    input, occupy,
    protection::{self, Extension, ExtensionRefusal},
    refusal, register, review,
    rules::Rules,
    stage::Stage,
    store,
};
use crate::{
    access::{Action, Held},
    entity::{
        deal_registration::{self, RegistrationStatus},
        ids::DealRegistrationId,
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    tx::Tx,
};

/// A request for longer protection.
#[derive(Clone, Debug)]
pub struct Extend {
    /// Which registration.
    pub registration: DealRegistrationId,
    /// What was done since the approval, in words.
    pub evidence: String,
    /// The version that the caller saw.
    pub expected_version: Option<i64>,
}

/// Prolongs protection by the tier's days, counted from the last protected day.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `STALE_OBJECT`, `BAD_USER_INPUT` without evidence; `ILLEGAL_TRANSITION` unless approved;
/// `EXTENSION_REFUSED` after the end, beyond the tier's number of extensions, or when the deal has not reached a
/// higher stage since the approval or the last extension. Records `deal_registration.extended`.
pub async fn extend(tx: &Tx, command: Extend) -> Result<Held<deal_registration::Entity>> {
    tx.actor().may(Action::RegistrationExtend)?;
    let mut faults = Faults::default();
    let evidence = faults.text("evidence", &command.evidence, 4_000);
    let registration = tx
        .load_seen::<deal_registration::Entity>(command.registration)
        .await?;
    faults.check()?;
    registration.at_version(command.expected_version)?;
    let until = protected_until(&registration)?;
    let rules = review::rules_of(tx, &registration).await?;
    let zone = input::stored_zone(&registration.time_zone)?;
    let ask = facts(tx, &registration, &rules, until).await?;
    let until = protection::extend(ask, zone).map_err(refuse)?;

    let days = &rules.settings.reminder_days;
    let reminders = protection::reminders(tx.now(), until, zone, days);
    occupy::grant(tx, registration.id, until).await?;
    tx.record(Event::RegistrationExtended {
        registration_id: registration.id,
        partner_id: registration.partner_id,
    });
    tx.save(&registration, |row| {
        row.protected_until = Some(until);
        row.reminder_due_at = reminders.first().map(|reminder| reminder.due_at);
        row.extensions += 1;
        row.extended_at = Some(tx.now());
        row.extension_evidence = Some(evidence);
    })
    .await
}

fn protected_until(
    registration: &deal_registration::Model,
) -> Result<chrono::DateTime<chrono::Utc>> {
    match (registration.status, registration.protected_until) {
        (RegistrationStatus::Approved, Some(until)) => Ok(until),
        (RegistrationStatus::Expired, _) => Err(refuse(ExtensionRefusal::Ended)),
        _ => Err(refusal::illegal_move(
            "Only an approved registration can be extended.",
        )),
    }
}

async fn facts(
    tx: &Tx,
    registration: &deal_registration::Model,
    rules: &Rules,
    until: chrono::DateTime<chrono::Utc>,
) -> Result<Extension> {
    let deal = registration
        .deal_id
        .ok_or_else(|| Error::internal("an approved registration has no deal"))?;
    let since = registration.extended_at.or(registration.decided_at);
    let log = store::stage_log(tx, deal).await?;
    let then = log
        .iter()
        .rfind(|entry| since.is_none_or(|since| entry.at <= since))
        .or(log.first());
    let rank = |entry: Option<&crate::entity::deal_stage_change::Model>| {
        entry
            .and_then(|entry| rank_of(&rules.settings.stages, &entry.to_stage))
            .unwrap_or(i32::MIN)
    };
    let tier = register::tier_in(rules, &registration.tier)?;
    Ok(Extension {
        now: tx.now(),
        until,
        used: u16::try_from(registration.extensions).unwrap_or(u16::MAX),
        allowed: tier.max_extensions,
        days: tier.extension_days,
        rank_then: rank(then),
        rank_now: rank(log.last()),
    })
}

fn rank_of(stages: &[Stage], key: &str) -> Option<i32> {
    stages
        .iter()
        .find(|stage| stage.key == key)
        .map(|stage| stage.rank)
}

fn refuse(reason: ExtensionRefusal) -> Error {
    let code = match reason {
        ExtensionRefusal::Ended => "ENDED",
        ExtensionRefusal::LimitReached => "LIMIT_REACHED",
        ExtensionRefusal::NoProgress => "NO_PROGRESS",
    };
    Refusal::new(Code::ExtensionRefused, reason.to_string())
        .because([code.to_owned()])
        .into()
}
