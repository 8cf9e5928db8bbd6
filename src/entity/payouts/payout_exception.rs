//! Why a partner is not paid by a run.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{PartnerId, PayoutExceptionId, PayoutRunId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payout_exception")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PayoutExceptionId,
    pub run_id: PayoutRunId,
    pub partner_id: PartnerId,
    pub currency: crate::platform::money::Currency,
    pub amount_minor: i64,
    pub reason: ExceptionReason,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// Why a partner with open commission is not paid by a run. Nothing is lost: the lines wait for a later run.
    pub enum ExceptionReason {
        /// The amount is below the programme's minimum payment.
        BelowMinimum,
        /// More was taken back than earned; the balance is carried forward.
        NegativeBalance,
        /// The partner's state does not allow payment.
        NotPayable,
        /// The data processing agreement on file has expired.
        AgreementExpired,
        /// The programme pays only to accounts that are set, and the partner has none.
        NoPaymentDetails,
    }
}
