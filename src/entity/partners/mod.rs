//! Tables of `partners`.

pub mod partner;
pub mod partner_attribute;
pub mod partner_lifecycle_event;
pub mod payment_details;
