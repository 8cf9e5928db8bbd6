//! The configuration of one installation: where it listens, which database it uses, how it sends mail. It is read once
//! at the start from defaults, `ensemble.toml`, the environment and the command line, in this order, and every fault is
//! reported at once, in words. Production refuses what is fine on a developer's machine.

mod database;
mod rules;
mod secret_file;
mod settings;
mod source;
mod words;

pub use settings::Config;
pub use source::{Options, environment};
pub use words::{LogFormat, Mode, Statements};
