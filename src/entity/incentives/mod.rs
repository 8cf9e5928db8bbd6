//! Tables of `incentives`.

pub mod accrual;
pub mod incentive_plan;
pub mod partner_statement;
pub mod rebate_entry;
pub mod rebate_volume;
pub mod statement_publication;
