//! Credit: who had which part in a deal, and why.
//!
//! Partners and the vendor record touchpoints; what one side records, the other confirms, and only what is confirmed
//! counts. Touchpoints are never changed: a correction is a row of its own. When a deal is won, the programme's
//! official model turns what counts, or the accepted roles, into credit that is stored with the version of the rules
//! and a hash of its inputs, and can be computed again to the cent. Other models may be looked at beside it.
//!
//! A partner's people see their own touchpoints and their own part of the credit; of the others they see how many
//! there are. The vendor's people see all parts; managers, finance and auditors compare models.

pub mod computation;
pub mod countable;
mod division;
pub mod formula;
pub mod influence;
pub mod known;
pub mod models;
pub mod parameters;
pub mod touchpoint;
mod weights;

pub mod attribute;
pub mod confirm;
pub mod explain;
pub mod facts;
pub mod influenced;
pub mod record;
pub mod settings;

pub mod graphql;
pub mod mails;
mod store;

pub use settings::AttributionRules;
