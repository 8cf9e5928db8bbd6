//! Where a user and a single-use token stand.
//!
//! Pure: decides from facts alone.

use serde::{Deserialize, Serialize};

/// Whether a user may sign in.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum UserStatus {
    /// Invited; may not sign in before the invitation is accepted.
    Invited,
    /// May sign in.
    Active,
    /// May not sign in any more; every session is ended.
    Deactivated,
}

/// What a single-use token is for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum TokenPurpose {
    /// Accept an invitation and choose a password.
    Invitation,
    /// Choose a new password.
    PasswordReset,
}

/// Why a session ended before its time.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum SessionEnd {
    /// The user signed out.
    SignedOut,
    /// A refresh token came back after its successor was in use: one of the two holders is a thief.
    RefreshTokenReused,
    /// The password was reset.
    PasswordReset,
    /// The user may not sign in any more.
    UserDeactivated,
}
