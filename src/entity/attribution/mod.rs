//! Tables of `attribution`.

pub mod attribution_credit;
pub mod attribution_run;
pub mod touchpoint;
