//! Partners.

pub mod attribute;
pub mod graphql;
pub mod standing;
pub mod status;

pub use attribute::AttributeKind;
pub use status::{PartnerAction, PartnerSize, PartnerStatus, PartnerType};
