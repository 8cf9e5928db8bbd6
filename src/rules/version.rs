//! A document of rules that takes effect on its own: which series it belongs to, and one version of it.

use sea_orm::ConnectionTrait;

use chrono::{DateTime, Utc};

use super::{RuleDocument, range::Range, store};
use crate::{
    access::Action,
    entity::{
        ids::{ProgramId, RuleDocumentId, UserId},
        rule_document::{self, RuleStatus},
    },
    error::{Error, Result},
    platform::fault::Fault,
    tx::Tx,
};

/// A kind of document that takes effect on its own, by a second person.
pub trait VersionedRule: RuleDocument {
    /// Stable name of the kind, such as `TIER_RULES`.
    const KIND: &'static str;
    /// What people call it, such as `tier rules`.
    const NAME: &'static str;
    /// Who may draft, change and withdraw it.
    const MANAGE: Action;
    /// Who may activate what a colleague drafted.
    const ACTIVATE: Action;

    /// Checks it against the data of now: when it is activated, and again when it takes effect.
    ///
    /// # Errors
    /// The database failed.
    fn conflicts(
        &self,
        _tx: &Tx,
        _series: &Series,
    ) -> impl Future<Output = Result<Vec<Fault>>> + Send {
        async { Ok(Vec::new()) }
    }
}

/// Whose document, and which one of them. At any time one version of a series is in force at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The programme; none for the whole vendor.
    pub program: Option<ProgramId>,
    /// The kind.
    pub kind: &'static str,
    /// Which of several of the kind; empty where there is one.
    pub name: String,
}

impl Series {
    /// The only document of a kind in a programme.
    #[must_use]
    pub fn of<T: VersionedRule>(program: ProgramId) -> Self {
        Self {
            program: Some(program),
            kind: T::KIND,
            name: String::new(),
        }
    }

    /// A named document of a kind, of a programme or of the whole vendor.
    #[must_use]
    pub fn named<T: VersionedRule>(program: Option<ProgramId>, name: &str) -> Self {
        Self {
            program,
            kind: T::KIND,
            name: name.to_owned(),
        }
    }
}

/// One version of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Version<T> {
    /// Its id: what was computed with it remembers it.
    pub id: RuleDocumentId,
    /// Its number in the series, from 1.
    pub number: i32,
    /// Where it stands.
    pub status: RuleStatus,
    /// When it holds.
    pub range: Range,
    /// The document.
    pub document: T,
    /// Who drafted it.
    pub created_by: UserId,
    /// Who activated it.
    pub activated_by: Option<UserId>,
    /// Counts the changes.
    pub version: i64,
}

impl<T: VersionedRule> TryFrom<&rule_document::Model> for Version<T> {
    type Error = Error;

    fn try_from(row: &rule_document::Model) -> Result<Self> {
        Ok(Self {
            id: row.id,
            number: row.number,
            status: row.status,
            range: range(row),
            document: T::deserialize(&row.document)?,
            created_by: row.created_by,
            activated_by: row.activated_by,
            version: row.version,
        })
    }
}

pub(super) const fn range(row: &rule_document::Model) -> Range {
    Range {
        from: row.effective_from,
        until: row.effective_to,
    }
}

pub(super) fn series<T: VersionedRule>(row: &rule_document::Model) -> Series {
    Series {
        program: row.program_id,
        kind: T::KIND,
        name: row.name.clone(),
    }
}

/// One version by its id, such as a draft whose effect is to be previewed.
///
/// # Errors
/// The document cannot be read.
pub async fn find<T: VersionedRule>(
    db: &impl ConnectionTrait,
    id: RuleDocumentId,
) -> Result<Option<Version<T>>> {
    let row = store::find(db, T::KIND, id).await?;
    row.as_ref().map(Version::try_from).transpose()
}

/// The version of a series in force at an instant.
///
/// # Errors
/// The document cannot be read.
pub async fn in_force<T: VersionedRule>(
    db: &impl ConnectionTrait,
    series: &Series,
    at: DateTime<Utc>,
) -> Result<Option<Version<T>>> {
    let row = store::in_force(db, series, at).await?;
    row.as_ref().map(Version::try_from).transpose()
}
