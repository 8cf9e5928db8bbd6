//! The partner directory: the companies that sell, build and advise together with the vendor, and where each of
//! them stands.
//!
//! A partner has several types, works in several countries and industries, has competencies, and may belong to a
//! parent company. It lives from prospect over applicant, onboarding and full standing to retirement; what it may do
//! at any time (register deals, join those of others, be paid) follows from that state alone, and every move is kept
//! with who made it and why.
//!
//! Administrators and alliance managers of the vendor create, change and move partners; everybody at the vendor
//! reads them. A partner's people see their own company and no other; its administrator keeps display name, website,
//! industries and competencies up to date, and says to which account it is paid.

pub mod account;
mod chunk;
pub mod create;
mod facts;
pub mod forms;
pub mod graphql;
pub mod lifecycle;
pub mod mails;
pub mod number;
pub mod payment;
pub mod search;
pub mod standing;
pub mod status;
pub mod store;
pub mod update;

pub use chunk::Chunk;
pub use facts::name_key;
pub use status::PartnerType;
