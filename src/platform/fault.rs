//! What is wrong with a document somebody wrote, said so that all of it can be put right at once.

use std::fmt;

use serde::Serialize;

/// One thing wrong in a document: where, and what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The place, as a path of field names and positions from the root, such as `components.1.rate`.
    pub path: String,
    /// What is wrong, as a sentence a person can act on.
    pub problem: String,
}

impl Fault {
    /// A fault at `path`.
    pub fn at(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}
