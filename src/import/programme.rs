//! The programme that imported deals belong to: found by its name, or made with the rules a vendor starts from.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use crate::{
    deals::stage::Stage,
    entity::{
        ids::{ProgramId, ProgramVersionId},
        program, program_version,
    },
    error::{Refusal, Result},
    events::Event,
    programs::{ProgramSettings, ProgramStatus},
    tx::Tx,
};

/// A programme with every version of its rules, oldest first.
#[derive(Clone, Debug)]
pub struct Programme {
    /// The programme.
    pub id: ProgramId,
    versions: Vec<program_version::Model>,
}

impl Programme {
    /// The rules in force at an instant; the first version also covers what lies before it.
    #[must_use]
    pub fn at(&self, instant: DateTime<Utc>) -> Option<&program_version::Model> {
        let begun = self.versions.iter().rev().find(|version| version.effective_from <= instant);
        begun.or_else(|| self.versions.first())
    }

    /// The stage of this key, under a version that a deal remembers.
    #[must_use]
    pub fn stage(&self, version: ProgramVersionId, key: &str) -> Option<&Stage> {
        let version = self.versions.iter().find(|known| known.id == version)?;
        version.settings.stages.iter().find(|stage| stage.key == key)
    }

    /// Whether a tier of this key exists today.
    #[must_use]
    pub fn has_tier(&self, key: &str) -> bool {
        self.versions.last().is_some_and(|version| version.settings.tier(key).is_some())
    }
}

/// The programme of this name, or the only one where none is named; made when there is none of the name and
/// this is no dry run.
///
/// # Errors
/// `BAD_USER_INPUT` at `program`: none is named, and there is not exactly one.
pub async fn find_or_create(tx: &Tx, name: Option<&str>, dry_run: bool) -> Result<Programme> {
    let mut found = program::Entity::find();
    if let Some(name) = name {
        found = found.filter(program::Column::Name.eq(name));
    }
    let found = found.all(tx).await?;
    match (found.as_slice(), name) {
        ([program], _) => existing(tx, program.id).await,
        ([], Some(name)) => create(tx, name, dry_run).await,
        _ => Err(Refusal::input("program", "name the programme that the deals belong to").into()),
    }
}

async fn existing(tx: &Tx, id: ProgramId) -> Result<Programme> {
    let versions = program_version::Entity::find()
        .filter(program_version::Column::ProgramId.eq(id))
        .order_by_asc(program_version::Column::EffectiveFrom)
        .all(tx)
        .await?;
    Ok(Programme { id, versions })
}

async fn create(tx: &Tx, name: &str, dry_run: bool) -> Result<Programme> {
    let (id, now) = (tx.id(), tx.now());
    let program = program::Model {
        id,
        name: name.to_owned(),
        status: ProgramStatus::Active,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let version = program_version::Model {
        id: tx.id(),
        program_id: id,
        number: 1,
        effective_from: now,
        settings: ProgramSettings::default(),
        created_by: None,
        created_at: now,
    };
    if !dry_run {
        tx.insert(program.into_active_model().reset_all()).await?;
        tx.insert(version.clone().into_active_model().reset_all()).await?;
        tx.record(Event::ProgramCreated { program_id: id });
    }
    Ok(Programme { id, versions: vec![version] })
}
