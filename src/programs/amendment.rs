//! A change of a programme's rules, before it is known what it changes.

use crate::{
    error::{Faults, Result},
    rules::Documents,
};

/// Makes the new rules of a programme. The rules of all domains are changed together, so what composes them is above the
/// programme.
pub trait Amendment: std::fmt::Debug + Send + Sync {
    /// The new rules, checked, with each fault under `settings`. What is left out stays as in the last version, or as in
    /// the standard programme where there is none.
    ///
    /// # Errors
    /// The last version cannot be read.
    fn amend(&self, last: Option<&Documents>, faults: &mut Faults) -> Result<Documents>;
}
