//! Who is told what when something happened.
//!
//! A business event is written in the transaction of its effect. Afterwards it becomes one mail per person concerned,
//! and each mail is sent, tried again, or laid aside for an operator on its own. A mail is written when it is sent,
//! from what its reader may see at that moment: a partner reads of its own part and of nobody else's. Queues and the
//! audit trail hold ids only; names, amounts and links stand in the mail alone.

pub mod graphql;
pub mod jobs;
pub mod mail;
pub mod post;
pub mod recipients;
pub mod replay;
pub mod store;
