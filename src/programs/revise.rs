//! The vendor changes the rules of a programme, now or from a coming instant on.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::sea_query::LockType;

use super::{Amendment, ProgramRules, create, store};
use crate::{
    access::Action,
    entity::ids::ProgramId,
    error::{Error, Faults, Result},
    events::Event,
    tx::Tx,
};

/// New rules for a programme.
#[derive(Clone, Debug)]
pub struct Revise {
    /// The programme.
    pub program: ProgramId,
    /// The version the caller read; the change is refused when it is not the stored one.
    pub expected_version: Option<i64>,
    /// From when on they hold; now when left out.
    pub effective_from: Option<DateTime<Utc>>,
    /// The changes.
    pub settings: Arc<dyn Amendment>,
}

/// Adds a version to a programme's rules. Versions follow each other in time: a new one begins after every other.
///
/// # Errors
/// `NOT_FOUND` at `programId`; `FORBIDDEN` for everybody but the vendor's administrators and alliance managers;
/// `STALE_OBJECT`; `BAD_USER_INPUT` with every fault at its field, for a beginning in the past or not after the last
/// version's, and for leaving out a tier that partners have. Records `program.versioned`.
pub async fn revise(tx: &Tx, command: Revise) -> Result<ProgramId> {
    tx.actor().may(Action::ProgramManage)?;
    let id = command.program;
    let program = store::hold(tx, id, LockType::Update)
        .await?
        .ok_or_else(|| Error::not_found("programId"))?;
    if command
        .expected_version
        .is_some_and(|expected| expected != program.version)
    {
        return Err(Error::stale());
    }
    let last = store::last_version(tx, id)
        .await?
        .ok_or_else(|| Error::internal("a programme has no rules"))?;
    let effective_from = command.effective_from.unwrap_or(tx.now());
    let mut faults = Faults::default();
    let settings = command.settings.amend(Some(&last.settings), &mut faults)?;
    check_beginning(&mut faults, effective_from, tx.now(), last.effective_from);
    check_tiers(
        &mut faults,
        &settings.read()?,
        &store::tiers_taken(tx, id).await?,
    );
    faults.check()?;
    let number = store::last_number(tx, id).await? + 1;
    create::insert_version(tx, id, number, effective_from, settings).await?;
    if !store::touch(tx, &program).await? {
        return Err(Error::stale());
    }
    tx.record(Event::ProgramVersioned {
        program_id: id,
        number,
    });
    Ok(id)
}

fn check_beginning(
    faults: &mut Faults,
    begins: DateTime<Utc>,
    now: DateTime<Utc>,
    last: DateTime<Utc>,
) {
    if begins < now {
        faults.add("effectiveFrom", "must not be in the past");
    } else if begins <= last {
        let last = last.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        faults.add(
            "effectiveFrom",
            format!("must be after the beginning of the last version, {last}"),
        );
    }
}

fn check_tiers(faults: &mut Faults, rules: &ProgramRules, taken: &[String]) {
    for tier in lost_tiers(rules, taken) {
        faults.add(
            "settings.tiers",
            format!("must keep {tier}, which partners have"),
        );
    }
}

/// The tiers that partners have and these rules leave out.
pub(super) fn lost_tiers<'t>(rules: &ProgramRules, taken: &'t [String]) -> Vec<&'t str> {
    let taken = taken.iter().map(String::as_str);
    taken.filter(|tier| rules.tier(tier).is_none()).collect()
}
