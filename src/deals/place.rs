//! The place a registration holds, and the people behind it.
//!
//! Pure: decides from facts alone.

use serde::{Deserialize, Serialize};

/// Where a held place stands.
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
pub enum ProtectionStatus {
    /// Taken at submission; nobody else can register the same, but nothing is granted yet.
    Pending,
    /// Granted until its end.
    Active,
    /// Over: rejected, withdrawn, expired, won or lost.
    Ended,
}

/// The partner's contacts at the customer. Personal data: kept on the registration, copied nowhere.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sea_orm::FromJsonQueryResult,
)]
pub struct Contacts(pub Vec<Contact>);

/// A person at the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The name.
    pub name: String,
    /// An e-mail address.
    pub email: Option<String>,
    /// The part the person plays: buyer, sponsor, user.
    pub role: Option<String>,
}
