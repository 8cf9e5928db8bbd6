//! The programme that imported deals belong to: found by its name, or made with the rules a vendor starts from.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{
    deals::stage::Stage,
    entity::{
        ids::{ProgramId, ProgramVersionId},
        program, program_version,
    },
    error::{Refusal, Result},
    programs::{create, rules::Part, store},
    settings::ProgramSettings,
    tx::Tx,
};

/// A programme with every version of its rules, oldest first.
#[derive(Clone, Debug)]
pub struct Programme {
    /// The programme.
    pub id: ProgramId,
    versions: Vec<Version>,
}

/// A version of its rules.
#[derive(Clone, Debug)]
pub struct Version {
    /// What deals remember.
    pub id: ProgramVersionId,
    /// The rules.
    pub settings: ProgramSettings,
    effective_from: DateTime<Utc>,
}

impl Programme {
    /// The rules in force at an instant; the first version also covers what lies before it.
    #[must_use]
    pub fn at(&self, instant: DateTime<Utc>) -> Option<&Version> {
        let begun = self
            .versions
            .iter()
            .rev()
            .find(|version| version.effective_from <= instant);
        begun.or_else(|| self.versions.first())
    }

    /// The stage of this key, under a version that a deal remembers.
    #[must_use]
    pub fn stage(&self, version: ProgramVersionId, key: &str) -> Option<&Stage> {
        let mut stages = self.stages(version).iter();
        stages.find(|stage| stage.key == key)
    }

    /// The stages under a version that a deal remembers.
    #[must_use]
    pub fn stages(&self, version: ProgramVersionId) -> &[Stage] {
        let version = self.versions.iter().find(|known| known.id == version);
        version.map_or(&[], |version| &version.settings.pipeline.stages)
    }

    /// The time zone of the programme, in which its days begin.
    #[must_use]
    pub fn zone(&self) -> Tz {
        let latest = self.versions.last();
        latest.map_or(Tz::UTC, |version| {
            version.settings.program.default_time_zone
        })
    }

    /// Whether a tier of this key exists today.
    #[must_use]
    pub fn has_tier(&self, key: &str) -> bool {
        self.versions
            .last()
            .is_some_and(|version| version.settings.program.tier(key).is_some())
    }
}

/// The programme of this name, or the only one where none is named; made when there is none of the name and
/// this is no dry run. A programme that is made has this time zone.
///
/// # Errors
/// `BAD_USER_INPUT` at `program`: none is named, and there is not exactly one.
pub async fn find_or_create(
    tx: &Tx,
    name: Option<&str>,
    zone: Tz,
    dry_run: bool,
) -> Result<Programme> {
    let mut found = program::Entity::find();
    if let Some(name) = name {
        found = found.filter(program::Column::Name.eq(name));
    }
    let found = found.all(tx).await?;
    match (found.as_slice(), name) {
        ([program], _) => existing(tx, program.id).await,
        ([], Some(name)) => create(tx, name, zone, dry_run).await,
        _ => Err(Refusal::input("program", "name the programme that the deals belong to").into()),
    }
}

async fn existing(tx: &Tx, id: ProgramId) -> Result<Programme> {
    let versions = store::versions(id)
        .order_by_asc(program_version::Column::EffectiveFrom)
        .all(tx)
        .await?;
    let read = |version: program_version::Model| {
        Ok(Version {
            id: version.id,
            settings: ProgramSettings::read(&version.settings)?,
            effective_from: version.effective_from,
        })
    };
    let versions = versions.into_iter().map(read).collect::<Result<_>>()?;
    Ok(Programme { id, versions })
}

async fn create(tx: &Tx, name: &str, zone: Tz, dry_run: bool) -> Result<Programme> {
    let mut settings = ProgramSettings::default();
    settings.program.default_time_zone = zone;
    if !dry_run {
        let command = create::Create {
            name: name.to_owned(),
            settings: Arc::new(settings),
        };
        return existing(tx, create::create(tx, command).await?).await;
    }
    let id = tx.id();
    let version = Version {
        id: tx.id(),
        settings,
        effective_from: tx.now(),
    };
    Ok(Programme {
        id,
        versions: vec![version],
    })
}
