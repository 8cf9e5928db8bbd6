//! Tables of `attribution`.

pub mod touchpoint;
pub mod attribution_run;
pub mod attribution_credit;
