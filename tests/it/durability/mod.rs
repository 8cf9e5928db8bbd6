//! What survives: crashes, clients and connections that go away, mail servers, backups, shutdowns.

pub mod account;
mod backup;
mod crash;
mod demo;
pub mod disk;
mod gone;
mod journey;
mod lines;
mod mail;
mod migrations;
mod operation;
mod operator;
mod payouts;
mod pipes;
pub mod post;
mod proxy;
mod steps;
mod stop;
mod waiting;

use crate::support::Case;

/// The cases of this module.
pub fn cases() -> Vec<Case> {
    [
        backup::cases(),
        crash::cases(),
        demo::cases(),
        gone::cases(),
        lines::cases(),
        mail::cases(),
        migrations::cases(),
        steps::cases(),
        operator::cases(),
        operation::cases(),
        payouts::cases(),
        pipes::cases(),
        stop::cases(),
        waiting::cases(),
    ]
    .concat()
}

/// A number that somebody who runs the long form sets in the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the long form is asked for by the environment"
)]
fn ordered<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
