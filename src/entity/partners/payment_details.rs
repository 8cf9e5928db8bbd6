//! An account of a partner.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{PartnerId, PaymentDetailsId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_details")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PaymentDetailsId,
    pub partner_id: PartnerId,
    pub kind: PaymentAccountKind,
    pub country: String,
    pub last_four: String,
    pub sealed: String,
    pub set_by: UserId,
    pub created_at: DateTimeUtc,
    pub replaced_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// How an account is written.
    pub enum PaymentAccountKind {
        /// An international bank account number, which names country and bank.
        Iban,
        /// A number at a bank that is named by a code, in countries without IBAN.
        AccountNumber,
    }
}
