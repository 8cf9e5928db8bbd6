//! Tables of `payouts`.

pub mod payout_run;
pub mod payout;
pub mod payout_exception;
