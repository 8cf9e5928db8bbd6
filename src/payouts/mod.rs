//! Payouts: from commission that is due to money on its way.
//!
//! A payout run collects what a programme's partners have earned until a day, one payment per partner and currency.
//! One person creates it, the server calculates it, another approves it, finance executes it: its payments go to a provider (by default a file
//! for the bank), and each is paid, failed or of unknown outcome. Who cannot be paid is listed with the reason, and
//! its lines wait for a later run.
//!
//! Administrators, alliance managers and finance create and approve; administrators and finance execute. A
//! partner's people see the payments of their own partner once these are approved, and never a run.

pub mod advance;
pub mod approve;
mod calculate;
pub mod cancel;
pub mod create;
pub mod execute;
pub mod export;
pub mod graphql;
pub mod jobs;
pub mod mails;
pub mod provider;
mod refusal;
pub mod retry;
pub mod rules;
pub mod select;
pub mod settle;
pub mod status;
mod store;
mod visible;

pub use self::rules::PayoutRules;
