//! An invitation or password reset, used once.

use sea_orm::entity::prelude::*;

use crate::entity::ids::{UserId, UserTokenId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "user_token")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserTokenId,
    pub user_id: UserId,
    pub purpose: TokenPurpose,
    pub token_hash: String,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub used_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// What a single-use token is for.
    pub enum TokenPurpose {
        /// Accept an invitation and choose a password.
        Invitation,
        /// Choose a new password.
        PasswordReset,
    }
}
