//! Programmes.

pub mod graphql;
pub mod rules;
pub mod settings;
pub mod status;

pub use settings::ProgramSettings;
pub use status::ProgramStatus;
