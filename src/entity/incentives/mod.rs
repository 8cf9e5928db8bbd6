//! Tables of `incentives`.

pub mod incentive_plan;
pub mod accrual;
