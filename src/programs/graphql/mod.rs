//! The API of `programs`.

mod calendar;
pub mod change;
pub mod program;

pub use calendar::calendar;
pub use change::ProgramMutation;
pub use program::{
    Enrollment, EnrollmentsOf, Program, ProgramConnection, ProgramQuery, ProgramVersion,
    TierChange, tier_on,
};
