//! One unit of work of an import: some rows of one kind, what they stand on, and what becomes of each.

use std::sync::Arc;

use super::{cells::Cells, known::Known, mapping::Source, programme::Programme, totals::Totals};
use crate::{
    error::Refusal,
    tx::{Tx, Work},
};

/// What rows are decided on.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Whether nothing may be written.
    pub dry_run: bool,
    /// Whether files that follow name deals.
    pub names_deals: bool,
    /// The programme of the import.
    pub programme: Programme,
    /// How the file is read.
    pub source: Arc<Source>,
    /// What is known by external id.
    pub known: Known,
}

/// A row that was understood.
#[derive(Clone, Debug)]
pub struct Draft<F> {
    /// The line on which it begins.
    pub line: u64,
    /// The name by which it is known again.
    pub external_id: String,
    /// What it says.
    pub facts: F,
    /// The rows, by external id, that it waited for.
    pub waited: Vec<String>,
    /// The row, by external id, that it waits for.
    pub waits_for: Option<String>,
    /// Whether every row of the file was decided about that it may wait for.
    pub last: bool,
}

impl<F> Draft<F> {
    /// Whether it may still wait for a row of this external id.
    pub fn may_wait(&self, external_id: &str) -> bool {
        !self.last && !self.waited.iter().any(|other| other == external_id)
    }
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// New.
    Created,
    /// Known, and different.
    Changed,
    /// Known, exactly so.
    Unchanged,
    /// It needs the row of this external id, which may still follow in the file: its parent, or the holder of what it
    /// claims.
    Waiting(String),
    /// Not taken over.
    Refused(Refusal),
}

impl Fate {
    /// A refusal for one fact.
    pub fn refused(field: &str, reason: impl Into<String>) -> Self {
        Self::Refused(Refusal::input(field, reason))
    }
}

/// What became of the rows of a unit of work.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// By row, in order.
    pub fates: Vec<Fate>,
    /// Ids that later rows may name.
    pub learned: Known,
    /// What is worth knowing about single rows.
    pub remarks: Vec<Remark>,
    /// What the deals change in the totals.
    pub totals: Totals,
}

/// Something about a row that was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The line on which the row begins.
    pub line: u64,
    /// Whether it is legal but odd, and not just news.
    pub odd: bool,
    /// The external id of the row if a person has to decide whether it matches an existing record.
    pub undecided: Option<String>,
    /// What it is.
    pub text: String,
}

impl Remark {
    /// Something that is legal but odd.
    pub fn warning(line: u64, text: impl Into<String>) -> Self {
        Self {
            line,
            odd: true,
            undecided: None,
            text: text.into(),
        }
    }

    /// A row that may match an existing record, which a person has to decide.
    pub fn doubt(line: u64, external_id: &str, text: impl Into<String>) -> Self {
        Self {
            undecided: Some(external_id.to_owned()),
            ..Self::warning(line, text)
        }
    }

    /// News.
    pub fn note(line: u64, text: impl Into<String>) -> Self {
        Self {
            line,
            odd: false,
            undecided: None,
            text: text.into(),
        }
    }
}

/// A kind of row that can be taken over.
pub trait Importable: Clone + Sized + Send + Sync + 'static {
    /// Understands a row; faults are noted in `cells`.
    fn read(cells: &mut Cells<'_>) -> Self;

    /// Decides about rows with different external ids, and writes unless it is a dry run.
    fn import<'t>(tx: &'t Tx, ground: &'t Ground, drafts: &'t [Draft<Self>]) -> Work<'t, Outcome>;
}
