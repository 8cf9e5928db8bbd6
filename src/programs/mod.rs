//! Programmes.

mod defaults;
pub mod graphql;
pub mod rules;
pub mod settings;
pub mod status;
mod validation;

pub use settings::ProgramSettings;
pub use status::ProgramStatus;
