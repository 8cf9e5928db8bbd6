//! Tables of `payouts`.

pub mod payout;
pub mod payout_exception;
pub mod payout_export;
pub mod payout_run;
