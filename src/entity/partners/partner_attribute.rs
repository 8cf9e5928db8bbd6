//! What a partner has several of: types, countries, industries, competencies.

use sea_orm::entity::prelude::*;

use crate::entity::ids::PartnerId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "partner_attribute")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub partner_id: PartnerId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: AttributeKind,
    #[sea_orm(primary_key, auto_increment = false)]
    pub value: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::text_enum! {
    /// A kind of multi-valued fact about a partner.
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
}
