//! A scheduled version of a programme's rules takes effect, or is withdrawn before.

use sea_orm::{ActiveValue::Set, sea_query::LockType};

use super::{ProgramRules, revise, store};
use crate::{
    access::Action,
    entity::{
        ids::{ProgramId, ProgramVersionId, UserId},
        program, program_version,
        program_version_outcome::{self, VersionOutcome},
    },
    error::{Code, Error, Refusal, Result},
    events::Event,
    tx::Tx,
};

/// How many versions one run of [`due`] checks.
const CHUNK: u64 = 50;

/// A version to be withdrawn.
#[derive(Clone, Debug)]
pub struct Withdraw {
    /// The version.
    pub version: ProgramVersionId,
    /// The version of the programme that the caller read; refused when it is not the stored one.
    pub expected_version: Option<i64>,
}

/// Withdraws a version before it takes effect; the one before it holds on. A later version builds on it, so that one is
/// withdrawn first.
///
/// # Errors
/// `FORBIDDEN` for everybody but the vendor's administrators and alliance managers; `NOT_FOUND` at `versionId`;
/// `STALE_OBJECT`; `ILLEGAL_TRANSITION` when it has taken effect, is withdrawn, or is not the last. Records
/// `program.version_withdrawn`.
pub async fn withdraw(tx: &Tx, command: Withdraw) -> Result<ProgramId> {
    tx.actor().may(Action::ProgramManage)?;
    let missing = || Error::not_found("versionId");
    let found = store::versions_by_id(tx, &[command.version]).await?.pop();
    let version = found.ok_or_else(missing)?;
    let held = store::hold(tx, version.program_id, LockType::Update).await?;
    let program = held.ok_or_else(missing)?;
    if command
        .expected_version
        .is_some_and(|expected| expected != program.version)
    {
        return Err(Error::stale());
    }
    if version.effective_from <= tx.now() {
        return Err(illegal(format!(
            "Version {} has taken effect; change the settings instead.",
            version.number
        )));
    }
    let last = store::last_version(tx, program.id).await?;
    match last {
        Some(last) if last.id == version.id => {}
        Some(last) if last.effective_from > version.effective_from => {
            return Err(illegal(format!(
                "Version {} builds on this one; withdraw it first.",
                last.number
            )));
        }
        _ => {
            return Err(illegal(format!(
                "Version {} has been withdrawn.",
                version.number
            )));
        }
    }
    take_back(tx, &program, &version, tx.actor().user_id(), None).await?;
    Ok(program.id)
}

/// Checks again the scheduled versions whose date has come. One that no longer fits the partners of the day is withdrawn
/// together with those that build on it, with the reason, and the version before it holds on. Says whether there may be
/// more.
///
/// # Errors
/// The database failed. Records `program.version_withdrawn` for each that is withdrawn.
pub async fn due(tx: &Tx) -> Result<bool> {
    let due = store::due_versions(tx, CHUNK).await?;
    for found in &due {
        let held = store::hold(tx, found.program_id, LockType::Update).await?;
        let program = held.ok_or_else(|| Error::internal("a version without a programme"))?;
        if store::has_outcome(tx, found.id).await? {
            continue;
        }
        let rules: ProgramRules = found.settings.read()?;
        let taken = store::tiers_taken(tx, program.id).await?;
        let lost = revise::lost_tiers(&rules, &taken);
        if lost.is_empty() {
            store_outcome(tx, found, VersionOutcome::TookEffect, None, None).await?;
            continue;
        }
        let reason = format!(
            "settings.tiers must keep {}, which partners have",
            lost.join(", ")
        );
        tracing::warn!(program = %program.id, version = found.number, reason, "scheduled rules were withdrawn");
        for version in store::versions_from(tx, program.id, found.effective_from).await? {
            take_back(tx, &program, &version, None, Some(reason.clone())).await?;
        }
    }
    Ok(crate::platform::sql::count(due.len()) == CHUNK)
}

async fn take_back(
    tx: &Tx,
    program: &program::Model,
    version: &program_version::Model,
    by: Option<UserId>,
    reason: Option<String>,
) -> Result<()> {
    store_outcome(tx, version, VersionOutcome::Withdrawn, by, reason.clone()).await?;
    store::touch(tx, program).await?;
    tx.record(Event::ProgramVersionWithdrawn {
        program_id: program.id,
        number: version.number,
        reason,
    });
    Ok(())
}

async fn store_outcome(
    tx: &Tx,
    version: &program_version::Model,
    outcome: VersionOutcome,
    by: Option<UserId>,
    reason: Option<String>,
) -> Result<()> {
    tx.insert(program_version_outcome::ActiveModel {
        version_id: Set(version.id),
        outcome: Set(outcome),
        at: Set(tx.now()),
        decided_by: Set(by),
        reason: Set(reason),
    })
    .await
}

fn illegal(message: String) -> Error {
    Refusal::new(Code::IllegalTransition, message)
        .at("versionId")
        .into()
}
