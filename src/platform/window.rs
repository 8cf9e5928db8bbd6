//! The same page of many lists, read at once.

use uuid::Uuid;

/// A page of the lists of many parents at once, for lists that hang below the rows of another: the same page of each is
/// read in one statement, and callers that ask for the same page share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows after this id.
    pub after: Option<Uuid>,
    /// Rows before this id.
    pub before: Option<Uuid>,
    /// How many rows of each list to read: one more than the page holds, to know whether more follow.
    pub rows: u64,
    /// Whether the page is counted from the end; the rows are then read from there.
    pub backward: bool,
}
