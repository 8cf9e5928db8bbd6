//! Tables of `incentives`.

pub mod accrual;
pub mod incentive_plan;
