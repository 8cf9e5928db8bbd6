//! Queries of payouts: whole runs at a time, never a statement per partner.

mod read;
mod run;
mod settling;

pub use read::*;
pub use run::*;
pub use settling::*;
