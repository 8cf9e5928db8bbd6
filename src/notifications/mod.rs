//! Notifications.

pub mod jobs;
