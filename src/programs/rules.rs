//! Which rules a programme had at an instant.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sea_orm::ConnectionTrait;

use super::{ProgramSettings, store};
use crate::{
    entity::{
        ids::{PartnerId, ProgramId, ProgramVersionId},
        program_version,
    },
    error::{Error, Refusal, Result},
};

/// The version of a programme's rules that was in force, with its document.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The programme.
    pub program_id: ProgramId,
    /// The version: what was computed remembers it.
    pub version_id: ProgramVersionId,
    /// Its number, from 1.
    pub number: i32,
    /// The document.
    pub settings: ProgramSettings,
}

impl From<program_version::Model> for Rules {
    fn from(version: program_version::Model) -> Self {
        Self {
            program_id: version.program_id,
            version_id: version.id,
            number: version.number,
            settings: version.settings,
        }
    }
}

/// The rules in force at an instant; the first version also covers what lies before it.
///
/// # Errors
/// `NOT_FOUND` at `programId` for an unknown programme.
pub async fn in_force<C: ConnectionTrait>(
    db: &C,
    program: ProgramId,
    at: DateTime<Utc>,
) -> Result<Rules> {
    let version = store::in_force(db, program, at).await?;
    version
        .map(Rules::from)
        .ok_or_else(|| Error::not_found("programId"))
}

/// The rules of versions by id, for what was computed with them.
///
/// # Errors
/// A version does not exist.
pub async fn by_version<C: ConnectionTrait>(
    db: &C,
    versions: &[ProgramVersionId],
) -> Result<HashMap<ProgramVersionId, Rules>> {
    let mut wanted = versions.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let found = store::versions_by_id(db, &wanted).await?;
    let rules: HashMap<_, _> = found
        .into_iter()
        .map(|version| (version.id, Rules::from(version)))
        .collect();
    match wanted.iter().find(|id| !rules.contains_key(*id)) {
        None => Ok(rules),
        Some(missing) => Err(Error::internal(format!(
            "there is no version {missing} of a programme"
        ))),
    }
}

/// The time zone of a version: that of the days of what was made under it.
///
/// # Errors
/// The version does not exist.
pub async fn zone_of<C: ConnectionTrait>(db: &C, version: ProgramVersionId) -> Result<Tz> {
    let rules = by_version(db, &[version]).await?;
    let rules = rules.get(&version);
    rules
        .map(|rules| rules.settings.default_time_zone)
        .ok_or_else(|| Error::internal("a version of a programme is gone"))
}

/// The programme named, or the only active one when none is named.
///
/// # Errors
/// `NOT_FOUND` at `programId`; `BAD_USER_INPUT` when none is named and there are several.
pub async fn choose<C: ConnectionTrait>(db: &C, named: Option<ProgramId>) -> Result<ProgramId> {
    if let Some(named) = named {
        let found = store::find(db, named).await?;
        return found
            .map(|program| program.id)
            .ok_or_else(|| Error::not_found("programId"));
    }
    match store::some_active(db).await?.as_slice() {
        [] => Err(Error::not_found("programId")),
        [only] => Ok(*only),
        _ => Err(Refusal::input("programId", "there are several programmes; name one").into()),
    }
}

/// The programme of this name.
///
/// # Errors
/// `NOT_FOUND` at `program`.
pub async fn named<C: ConnectionTrait>(db: &C, name: &str) -> Result<ProgramId> {
    let found = store::named(db, name).await?;
    found
        .map(|program| program.id)
        .ok_or_else(|| Error::not_found("program"))
}

/// The tier of a partner in a programme: that of its enrolment, else (also where these rules have no such tier) the
/// programme's lowest.
///
/// # Errors
/// The database failed.
pub async fn tier_of<C: ConnectionTrait>(
    db: &C,
    rules: &Rules,
    partner: PartnerId,
) -> Result<String> {
    let enrolled = store::enrollment(db, rules.program_id, partner).await?;
    let own = enrolled
        .as_ref()
        .and_then(|enrolled| rules.settings.tier(&enrolled.tier));
    let tier = own.or_else(|| rules.settings.entry_tier());
    tier.map(|tier| tier.key.clone())
        .ok_or_else(|| Error::internal("a programme has no tiers"))
}
