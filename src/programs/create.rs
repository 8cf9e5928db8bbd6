//! The vendor opens a programme.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;

use super::Amendment;
use crate::{
    access::Action,
    entity::{
        ids::{ProgramId, ProgramVersionId},
        program::{self, ProgramStatus},
        program_version,
    },
    error::{Code, Faults, Refusal, Result},
    events::Event,
    rules::Documents,
    tx::Tx,
};

/// The most characters of a programme's name.
const NAME: usize = 120;

/// A programme to be opened.
#[derive(Clone, Debug)]
pub struct Create {
    /// Its name; unique.
    pub name: String,
    /// What its first rules, in force at once, change about the standard ones.
    pub settings: Arc<dyn Amendment>,
}

/// Opens a programme with the first version of its rules, which also covers everything before.
///
/// # Errors
/// `FORBIDDEN` for everybody but the vendor's administrators and alliance managers; `BAD_USER_INPUT` with every fault
/// at its field; `DUPLICATE` at `name`. Records `program.created`.
pub async fn create(tx: &Tx, command: Create) -> Result<ProgramId> {
    tx.actor().may(Action::ProgramManage)?;
    let mut faults = Faults::default();
    let name = faults.text("name", &command.name, NAME);
    let settings = command.settings.amend(None, &mut faults)?;
    faults.check()?;
    let id: ProgramId = tx.id();
    let row = program::ActiveModel {
        id: Set(id),
        name: Set(name),
        status: Set(ProgramStatus::Active),
        version: Set(1),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
    };
    if !tx.insert_new(row).await? {
        return Err(
            Refusal::new(Code::Duplicate, "A programme of this name exists.")
                .at("name")
                .into(),
        );
    }
    insert_version(tx, id, 1, tx.now(), settings).await?;
    tx.record(Event::ProgramCreated { program_id: id });
    Ok(id)
}

/// Writes one version of a programme's rules.
pub(super) async fn insert_version(
    tx: &Tx,
    program: ProgramId,
    number: i32,
    effective_from: DateTime<Utc>,
    settings: Documents,
) -> Result<()> {
    tx.insert(program_version::ActiveModel {
        id: Set(tx.id::<ProgramVersionId>()),
        program_id: Set(program),
        number: Set(number),
        effective_from: Set(effective_from),
        settings: Set(settings),
        created_by: Set(tx.actor().user_id()),
        created_at: Set(tx.now()),
    })
    .await
}
