//! Which rules a programme had at an instant.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sea_orm::ConnectionTrait;

use super::{ProgramRules, store};
use crate::{
    entity::{
        ids::{PartnerId, ProgramId, ProgramVersionId},
        program_version,
    },
    error::{Error, Refusal, Result},
    rules::{Documents, RuleDocument},
};

/// The version of a programme's rules that was in force, with the programme's own document and that of the domain that
/// asks: `Rules<PipelineRules>`, or `Rules` for the programme's alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules<D = ()> {
    /// The programme.
    pub program_id: ProgramId,
    /// The version: what was computed remembers it.
    pub version_id: ProgramVersionId,
    /// Its number, from 1.
    pub number: i32,
    /// The rules of the programme itself: tiers, time zone, currency.
    pub program: ProgramRules,
    /// The rules of the domain that asks.
    pub settings: D,
}

/// What a domain reads of the documents of a version.
pub trait Part: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// A field is missing or cannot be read.
    fn read(documents: &Documents) -> serde_json::Result<Self>;
}

impl Part for () {
    fn read(_: &Documents) -> serde_json::Result<Self> {
        Ok(())
    }
}

impl<T: RuleDocument> Part for T {
    fn read(documents: &Documents) -> serde_json::Result<Self> {
        documents.read()
    }
}

impl<D: Part> TryFrom<program_version::Model> for Rules<D> {
    type Error = Error;

    fn try_from(version: program_version::Model) -> Result<Self> {
        Ok(Self {
            program_id: version.program_id,
            version_id: version.id,
            number: version.number,
            program: version.settings.read()?,
            settings: D::read(&version.settings)?,
        })
    }
}

/// The rules in force at an instant; the first version also covers what lies before it.
///
/// # Errors
/// `NOT_FOUND` at `programId` for an unknown programme.
pub async fn in_force<C: ConnectionTrait, D: Part>(
    db: &C,
    program: ProgramId,
    at: DateTime<Utc>,
) -> Result<Rules<D>> {
    let version = store::in_force(db, program, at).await?;
    version
        .ok_or_else(|| Error::not_found("programId"))?
        .try_into()
}

/// The rules of versions by id, for what was computed with them.
///
/// # Errors
/// A version does not exist.
pub async fn by_version<C: ConnectionTrait, D: Part>(
    db: &C,
    versions: &[ProgramVersionId],
) -> Result<HashMap<ProgramVersionId, Rules<D>>> {
    let mut wanted = versions.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let found = store::versions_by_id(db, &wanted).await?;
    let rules: HashMap<_, Rules<D>> = found
        .into_iter()
        .map(|version| Ok((version.id, version.try_into()?)))
        .collect::<Result<_>>()?;
    match wanted.iter().find(|id| !rules.contains_key(*id)) {
        None => Ok(rules),
        Some(missing) => Err(Error::internal(format!(
            "there is no version {missing} of a programme"
        ))),
    }
}

/// The rules of one version.
///
/// # Errors
/// The version does not exist.
pub async fn of<C: ConnectionTrait, D: Part>(
    db: &C,
    version: ProgramVersionId,
) -> Result<Rules<D>> {
    let found = by_version(db, &[version]).await?.remove(&version);
    found.ok_or_else(|| Error::internal(format!("there is no version {version} of a programme")))
}

/// The time zone of a version: that of the days of what was made under it.
///
/// # Errors
/// The version does not exist.
pub async fn zone_of<C: ConnectionTrait>(db: &C, version: ProgramVersionId) -> Result<Tz> {
    Ok(of::<_, ()>(db, version).await?.program.default_time_zone)
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
pub async fn tier_of<C: ConnectionTrait, D>(
    db: &C,
    rules: &Rules<D>,
    partner: PartnerId,
) -> Result<String> {
    let enrolled = store::enrollment(db, rules.program_id, partner).await?;
    let own = enrolled
        .as_ref()
        .and_then(|enrolled| rules.program.tier(&enrolled.tier));
    let tier = own.or_else(|| rules.program.entry_tier());
    tier.map(|tier| tier.key.clone())
        .ok_or_else(|| Error::internal("a programme has no tiers"))
}
