//! Tables of `deals`.

pub mod deal;
pub mod deal_participant;
pub mod deal_product;
pub mod deal_refund;
pub mod deal_registration;
pub mod deal_registration_product;
pub mod deal_stage_change;
pub mod protection;
