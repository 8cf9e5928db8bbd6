//! A colleague activates a draft, or it is withdrawn before it takes effect.

use sea_orm::ActiveValue::Set;

use super::{
    Series, Version, VersionedRule,
    draft::check_version,
    range,
    status::{RuleAction, second_person},
    store, version,
};
use crate::{
    entity::{
        ids::{RuleDocumentId, UserId},
        rule_document::{self, RuleStatus},
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    platform::{fault::Fault, transition::StateMachine},
    tx::Tx,
};

/// How many documents one run of [`take_effect`] checks.
const CHUNK: u64 = 50;

/// Activates a draft. The version that was in force without end ends where this one begins. From now on the document
/// cannot be changed.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND` at `id`; `STALE_OBJECT`; `ILLEGAL_TRANSITION` unless it is a draft; `SAME_PERSON` for its
/// author; `BAD_USER_INPUT` at `effectiveFrom` for a date in the past or one that another version covers, and for what
/// stands against it in the data of now. Records `rule_document.activated`.
pub async fn activate<T: VersionedRule>(
    tx: &Tx,
    id: RuleDocumentId,
    expected_version: Option<i64>,
) -> Result<RuleDocumentId> {
    tx.actor().may(T::ACTIVATE)?;
    let person = tx.actor().person()?;
    let (row, others) = hold::<T>(tx, id).await?;
    check_version(&row, expected_version)?;
    let status = row.status.apply(RuleAction::Activate).map_err(illegal)?;
    second_person(T::NAME, row.created_by, person)?;
    let mut faults = Faults::default();
    if row.effective_from < tx.now() {
        faults.add("effectiveFrom", "must not be in the past");
    }
    let read = Version::<T>::try_from(&row)?;
    for fault in read
        .document
        .conflicts(tx, &version::series::<T>(&row))
        .await?
    {
        faults.add(&fault.path, fault.problem);
    }
    faults.check()?;

    let active: Vec<_> = others
        .iter()
        .filter(|other| other.status == RuleStatus::Active)
        .collect();
    let ranges: Vec<_> = active.iter().map(|other| version::range(other)).collect();
    let ends = range::follow(&ranges, read.range)
        .map_err(|place| overlap(active[place], "effectiveFrom"))?;
    if let Some(place) = ends {
        let change = rule_document::ActiveModel {
            effective_to: Set(Some(row.effective_from)),
            ended_by: Set(Some(row.id)),
            ..Default::default()
        };
        store::save(tx, active[place], change).await?;
    }
    let change = rule_document::ActiveModel {
        status: Set(status),
        activated_by: Set(Some(person)),
        activated_at: Set(Some(tx.now())),
        took_effect_at: Set((row.effective_from <= tx.now()).then(|| tx.now())),
        ..Default::default()
    };
    store::save(tx, &row, change).await?;
    tx.record(Event::RuleActivated { rule_id: id });
    Ok(id)
}

/// Withdraws a draft, or an active version before it takes effect. The version before it holds on.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND` at `id`; `STALE_OBJECT`; `ILLEGAL_TRANSITION` when it is withdrawn, or once it has taken
/// effect: then a new version takes its place. Records `rule_document.withdrawn`.
pub async fn withdraw<T: VersionedRule>(
    tx: &Tx,
    id: RuleDocumentId,
    expected_version: Option<i64>,
) -> Result<RuleDocumentId> {
    tx.actor().may(T::MANAGE)?;
    let person = tx.actor().person()?;
    let (row, others) = hold::<T>(tx, id).await?;
    check_version(&row, expected_version)?;
    row.status.apply(RuleAction::Withdraw).map_err(illegal)?;
    if row.status == RuleStatus::Active && row.effective_from <= tx.now() {
        let message = "These rules have taken effect; activate a new version instead.";
        return Err(Refusal::new(Code::IllegalTransition, message).into());
    }
    take_back(tx, &row, &others, Some(person), None).await?;
    Ok(id)
}

/// Checks again the documents of a kind whose date has come. One that no longer fits the data of the day is withdrawn
/// with the reason in its event, and the version before it holds on. Says whether there may be more.
///
/// # Errors
/// The database failed. Records `rule_document.withdrawn` for each that is withdrawn.
pub async fn take_effect<T: VersionedRule>(tx: &Tx) -> Result<bool> {
    let due = store::due(tx, T::KIND, CHUNK).await?;
    for found in &due {
        let (row, others) = hold::<T>(tx, found.id).await?;
        let read = Version::<T>::try_from(&row)?;
        let series = version::series::<T>(&row);
        let conflicts = read.document.conflicts(tx, &series).await?;
        if conflicts.is_empty() {
            let change = rule_document::ActiveModel {
                took_effect_at: Set(Some(tx.now())),
                ..Default::default()
            };
            store::save(tx, &row, change).await?;
        } else {
            take_back(tx, &row, &others, None, Some(reason(&conflicts))).await?;
        }
    }
    Ok(crate::platform::sql::count(due.len()) == CHUNK)
}

/// The faults in one line, for events and logs.
pub fn reason(faults: &[Fault]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    faults.join("; ")
}

async fn hold<T: VersionedRule>(
    tx: &Tx,
    id: RuleDocumentId,
) -> Result<(rule_document::Model, Vec<rule_document::Model>)> {
    let found = store::find(tx, T::KIND, id)
        .await?
        .ok_or_else(|| Error::not_found("id"))?;
    let series: Series = version::series::<T>(&found);
    let (mut own, others): (Vec<_>, Vec<_>) = store::hold_series(tx, &series)
        .await?
        .into_iter()
        .partition(|row| row.id == id);
    let row = own.pop().ok_or_else(|| Error::not_found("id"))?;
    Ok((row, others))
}

async fn take_back(
    tx: &Tx,
    row: &rule_document::Model,
    others: &[rule_document::Model],
    by: Option<UserId>,
    reason: Option<String>,
) -> Result<()> {
    let change = rule_document::ActiveModel {
        status: Set(RuleStatus::Withdrawn),
        withdrawn_by: Set(by),
        withdrawn_at: Set(Some(tx.now())),
        ..Default::default()
    };
    store::save(tx, row, change).await?;
    // Only a version without end gives way, so that it holds on without end.
    let before = others.iter().find(|other| other.ended_by == Some(row.id));
    if let Some(before) = before {
        let change = rule_document::ActiveModel {
            effective_to: Set(None),
            ended_by: Set(None),
            ..Default::default()
        };
        store::save(tx, before, change).await?;
    }
    tx.record(Event::RuleWithdrawn {
        rule_id: row.id,
        reason,
    });
    Ok(())
}

fn overlap(other: &rule_document::Model, path: &str) -> Error {
    let message = format!(
        "overlaps number {}, which takes effect on {}",
        other.number,
        other
            .effective_from
            .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    );
    Refusal::input(path, message).into()
}

fn illegal(error: crate::platform::transition::IllegalTransition) -> Error {
    Refusal::new(Code::IllegalTransition, error.to_string()).into()
}
