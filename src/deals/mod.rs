//! Deals.

pub mod expiry;
pub mod graphql;
pub mod participant;
pub mod pipeline;
pub mod place;
pub mod protection;
pub mod registration_status;
pub mod stage;

pub use participant::{ParticipantRole, ParticipantStatus};
pub use place::{Contact, Contacts, ProtectionStatus};
pub use registration_status::{RegistrationStatus, RejectionReason};
pub use stage::{LossReason, SalesStatus};
