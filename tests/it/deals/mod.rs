//! Registrations, protection, roles and the pipeline.

mod access;
mod conflicts;
mod forecast;
pub mod market;
mod participants;
mod pipeline;
mod protection;
mod refunds;
mod registrations;
mod review;

use crate::support::Case;

/// The cases of this folder.
pub fn cases() -> Vec<Case> {
    [
        access::cases(),
        conflicts::cases(),
        forecast::cases(),
        participants::cases(),
        pipeline::cases(),
        protection::cases(),
        refunds::cases(),
        registrations::cases(),
        review::cases(),
    ]
    .concat()
}
