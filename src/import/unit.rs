//! One unit of work of an import: some rows of one kind, what they stand on, and what becomes of each.

use std::sync::Arc;

use super::{cells::Cells, known::Known, mapping::Source, programme::Programme};
use crate::{
    error::Refusal,
    tx::{Tx, Work},
};

/// What rows are decided on.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Whether nothing may be written.
    pub dry_run: bool,
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
    /// It names a parent of this external id, which may still follow in the file.
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
}

/// A kind of row that can be taken over.
pub trait Importable: Clone + Sized + Send + Sync + 'static {
    /// Understands a row; faults are noted in `cells`.
    fn read(cells: &mut Cells<'_>) -> Self;

    /// Decides about rows with different external ids, and writes unless it is a dry run.
    fn import<'t>(tx: &'t Tx, ground: &'t Ground, drafts: &'t [Draft<Self>]) -> Work<'t, Outcome>;
}
