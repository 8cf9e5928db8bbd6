//! A change of a programme's rules, before it is known what it changes.

use super::ProgramSettings;
use crate::error::Faults;

/// Makes new rules out of the last ones; a new programme starts from the standard ones.
pub trait Amendment: std::fmt::Debug + Send + Sync {
    /// The new rules, with a fault under `settings` for each value that cannot be read. What it leaves alone stays.
    fn amend(&self, last: ProgramSettings, faults: &mut Faults) -> ProgramSettings;
}

/// A whole document takes the place of the last one.
impl Amendment for ProgramSettings {
    fn amend(&self, _last: Self, _faults: &mut Faults) -> Self {
        self.clone()
    }
}
