//! A ledger account with its cached balance.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{LedgerAccountId, PartnerId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LedgerAccountId,
    pub kind: LedgerAccountKind,
    pub partner_id: Option<PartnerId>,
    pub currency: crate::platform::money::Currency,
    pub balance_minor: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// An account of the ledger.
    pub enum LedgerAccountKind {
        /// Earned by a partner, not yet approved for payment.
        Accrued,
        /// Earned by a partner, held back until a date.
        Held,
        /// Approved for payment to a partner.
        Payable,
        /// Handed to the payment provider, answer outstanding.
        InPayout,
        /// Memo: what a partner has been paid so far.
        Paid,
        /// Taken back from a partner, not yet netted against what it earns.
        ClawbackReceivable,
        /// The house's cost of commissions.
        CommissionExpense,
        /// The house's bank account.
        Cash,
    }
}
