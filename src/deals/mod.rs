//! Deals: from a partner's claim on a customer to a sale that is won, lost or refunded.
//!
//! A registration is the claim. Submitting it takes the customer's place for each product family; the vendor
//! reviews it, asks, approves or rejects; approval protects the partner for the days of its tier and makes the
//! deal. A deal is the opportunity: it moves through the stages of its programme, other partners join it in
//! roles, and it is won or lost once. A won deal may be refunded, up to its value.
//!
//! Partners see their own registrations, and the deals that they own or take part in; of the others on a deal
//! they see how many there are. Reviewing, moving, winning, losing and inviting is the vendor's work.

pub mod participant;
pub mod pipeline;
pub mod protection;
pub mod registration_status;
pub mod stage;

pub mod advance;
pub mod close;
pub mod conflict;
pub mod expiry;
pub mod extend;
pub mod forecast;
pub mod input;
pub mod invite;
pub mod open;
pub mod refund;
pub mod register;
pub mod review;
pub mod rules;

mod forecast_store;
pub mod graphql;
pub mod mails;
mod occupy;
pub mod participant_store;
mod refusal;
pub mod store;

pub use self::rules::PipelineRules;
