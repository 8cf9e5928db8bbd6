//! Which rules a programme had at an instant.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;

use super::ProgramSettings;
use crate::{
    entity::ids::{ProgramId, ProgramVersionId},
    error::{Error, Result},
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

/// The rules in force at an instant; the first version also covers what lies before it.
///
/// # Errors
/// `NOT_FOUND` for an unknown programme.
pub async fn in_force<C: ConnectionTrait>(_db: &C, _program: ProgramId, _at: DateTime<Utc>) -> Result<Rules> {
    Err(Error::internal("not built yet"))
}

/// The rules of versions by id, for what was computed with them.
///
/// # Errors
/// A version does not exist.
pub async fn by_version<C: ConnectionTrait>(_db: &C, _versions: &[ProgramVersionId]) -> Result<std::collections::HashMap<ProgramVersionId, Rules>> {
    Err(Error::internal("not built yet"))
}

/// The programme named, or the only active one when none is named.
///
/// # Errors
/// `NOT_FOUND` at `programId`; `BAD_USER_INPUT` when none is named and there are several.
pub async fn choose<C: ConnectionTrait>(_db: &C, _named: Option<ProgramId>) -> Result<ProgramId> {
    Err(Error::internal("not built yet"))
}

/// The tier of a partner in a programme: that of its enrolment, else the programme's lowest.
///
/// # Errors
/// The database failed.
pub async fn tier_of<C: ConnectionTrait>(_db: &C, _rules: &Rules, _partner: crate::entity::ids::PartnerId) -> Result<String> {
    Err(Error::internal("not built yet"))
}
