//! What a partner has several of.

use serde::{Deserialize, Serialize};

/// A kind of multi-valued fact about a partner.
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
pub enum AttributeKind {
    /// What the partner is: a value of the partner types.
    Type,
    /// Where it works: ISO 3166-1 alpha-2.
    Country,
    /// The industries it serves, in the vendor's words.
    Industry,
    /// What it is good at, in the vendor's words.
    Competency,
}
