//! Partner programmes: the rules under which partners register, are credited and are paid, and who takes part at which
//! tier.
//!
//! The rules are documents that take effect together: the programme's own (tiers, time zone, currency) and those of the
//! domains that read them, such as the pipeline of deals. A change makes a new version that holds from an instant on; what
//! was registered, credited or paid before keeps the version it was made under. A programme is active or retired.
//!
//! Administrators and alliance managers of the vendor create programmes, change their rules and enrol partners.
//! Everybody may read a programme and its rules; a partner sees its own enrolment and no other.

pub mod amendment;
pub mod calendar;
pub mod create;
pub mod effect;
pub mod enroll;
pub mod graphql;
pub mod revise;
pub mod rules;
pub mod settings;
pub mod store;
pub mod tiers;
mod visible;

pub use amendment::Amendment;
pub use settings::ProgramRules;
