//! Technique without a business word: what every domain stands on.

pub mod audit;
pub mod auth;
pub mod bulk;
pub mod clock;
pub mod config;
pub mod db;
pub mod fault;
pub mod hierarchy;
pub mod idempotency;
pub mod ids;
pub mod jobs;
pub mod lock;
pub mod mail;
pub mod migrations;
pub mod money;
pub mod ppm;
pub mod private;
pub mod proxies;
pub mod reader;
pub mod spreadsheet;
pub mod sql;
pub mod telemetry;
pub mod templates;
pub mod text;
pub mod transition;
