//! Somebody drafts a version of a document, and changes the draft.

use sea_orm::ActiveValue::Set;

use super::{Check, Series, VersionedRule, range::Range, store};
use crate::{
    entity::{
        ids::RuleDocumentId,
        rule_document::{self, RuleStatus},
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    tx::Tx,
};

/// Drafts the next version of a series; it has no effect before a colleague activates it. Each fault of the document is
/// reported under `path`.
///
/// # Errors
/// `FORBIDDEN`; `BAD_USER_INPUT` with every fault at its field; `RETRY_LATER` when the same number was drafted meanwhile.
/// Records `rule_document.drafted`.
pub async fn draft<T: VersionedRule>(
    tx: &Tx,
    series: &Series,
    document: &T,
    range: Range,
    path: &str,
) -> Result<RuleDocumentId> {
    tx.actor().may(T::MANAGE)?;
    let author = tx.actor().person()?;
    check(document, range, path)?;
    let last = store::hold_series(tx, series).await?;
    let last = last.iter().map(|row| row.number).max();
    let id: RuleDocumentId = tx.id();
    let row = rule_document::ActiveModel {
        id: Set(id),
        program_id: Set(series.program),
        kind: Set(series.kind.to_owned()),
        name: Set(series.name.clone()),
        number: Set(last.unwrap_or(0) + 1),
        status: Set(RuleStatus::Draft),
        document: Set(serde_json::to_value(document)?),
        effective_from: Set(range.from),
        effective_to: Set(range.until),
        ended_by: Set(None),
        created_by: Set(author),
        activated_by: Set(None),
        activated_at: Set(None),
        took_effect_at: Set(None),
        withdrawn_by: Set(None),
        withdrawn_at: Set(None),
        version: Set(1),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
    };
    if !tx.insert_new(row).await? {
        let message = format!("A colleague drafted {} meanwhile.", T::NAME);
        return Err(Refusal::new(Code::RetryLater, message).into());
    }
    tx.record(Event::RuleDrafted { rule_id: id });
    Ok(id)
}

/// Changes a draft. Whoever changes it becomes its author, so that nobody activates their own words.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND` at `id`; `STALE_OBJECT`; `ILLEGAL_TRANSITION` unless it is a draft; `BAD_USER_INPUT` with
/// every fault at its field. Records `rule_document.drafted`.
pub async fn change<T: VersionedRule>(
    tx: &Tx,
    id: RuleDocumentId,
    expected_version: Option<i64>,
    document: &T,
    range: Range,
    path: &str,
) -> Result<RuleDocumentId> {
    tx.actor().may(T::MANAGE)?;
    let author = tx.actor().person()?;
    let row = store::find(tx, T::KIND, id)
        .await?
        .ok_or_else(|| Error::not_found("id"))?;
    check_version(&row, expected_version)?;
    if row.status != RuleStatus::Draft {
        let message = "Only a draft can be changed; draft the next version instead.";
        return Err(Refusal::new(Code::IllegalTransition, message).into());
    }
    check(document, range, path)?;
    let change = rule_document::ActiveModel {
        document: Set(serde_json::to_value(document)?),
        effective_from: Set(range.from),
        effective_to: Set(range.until),
        created_by: Set(author),
        ..Default::default()
    };
    store::save(tx, &row, change).await?;
    tx.record(Event::RuleDrafted { rule_id: id });
    Ok(id)
}

pub(super) fn check_version(row: &rule_document::Model, expected: Option<i64>) -> Result<()> {
    match expected {
        Some(seen) if seen != row.version => Err(Error::stale()),
        _ => Ok(()),
    }
}

fn check<T: VersionedRule>(document: &T, range: Range, path: &str) -> Result<()> {
    let mut found = Check::default();
    document.check(&mut found);
    let mut faults = Faults::default();
    for fault in found.faults() {
        faults.add(&format!("{path}.{}", fault.path), fault.problem);
    }
    if range.is_empty() {
        faults.add("effectiveTo", "must be after effectiveFrom");
    }
    faults.check()
}
