//! A person who may sign in.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{PartnerId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "user")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub partner_id: Option<PartnerId>,
    pub status: UserStatus,
    pub password_hash: Option<String>,
    pub locale: String,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// What a person is, at the vendor or at a partner.
    pub enum Role {
        /// Vendor: runs the installation and may do everything.
        Administrator,
        /// Vendor: looks after partners, programmes, registrations, deals and payout runs.
        AllianceManager,
        /// Vendor: looks after plans, payouts, refunds and the ledger.
        Finance,
        /// Vendor: reads everything and changes nothing.
        Auditor,
        /// Vendor: reads the directory and aggregates.
        Executive,
        /// Partner: everything the partner may do, and its people.
        PartnerAdministrator,
        /// Partner: registers deals, answers invitations, sees credit and payouts.
        PartnerManager,
        /// Partner: registers deals and records its work.
        PartnerMember,
    }
}

crate::text_enum! {
    /// Whether a user may sign in.
    pub enum UserStatus {
        /// Invited; may not sign in before the invitation is accepted.
        Invited,
        /// May sign in.
        Active,
        /// May not sign in any more; every session is ended.
        Deactivated,
    }
}
