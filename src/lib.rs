//! Ensemble: an open, self-hosted partner relationship management backend.
//!
//! The folders below read like the life of a partner; three technical ones stand beside them.

#![recursion_limit = "512"]

pub mod app;
pub mod backup;
pub mod error;
pub mod events;
pub mod jobs;
pub mod listen;
pub mod mails;
pub mod schema;
pub mod seeds;
pub mod server;
pub mod tx;
pub mod verify;
pub mod worker;

pub mod attribution;
pub mod catalog;
pub mod customers;
pub mod deals;
pub mod identity;
pub mod incentives;
pub mod ledger;
pub mod notifications;
pub mod outcomes;
pub mod partners;
pub mod payouts;
pub mod programs;
pub mod rates;
pub mod rules;

pub mod settings;

pub mod import;

pub mod access;
pub mod entity;
pub mod graphql;
pub mod platform;
