//! The promises on access: who may call what, who sees what, and what no attacker learns.

mod arguments;
mod cursors;
mod dump;
mod fields;
mod guessing;
mod http;
mod ids;
mod operations;
mod same_person;
pub mod sdl;
mod secrets;
mod tokens;
mod world;

use crate::support::Case;

/// The cases of this folder.
pub fn cases() -> Vec<Case> {
    [
        cursors::cases(),
        fields::cases(),
        guessing::cases(),
        ids::cases(),
        operations::cases(),
        same_person::cases(),
        secrets::cases(),
        tokens::cases(),
    ]
    .concat()
}
