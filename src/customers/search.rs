//! Finding customers.

use sea_orm::{ColumnTrait, Condition};

use super::identity::name_key;
use crate::{
    entity::{customer::Column, ids::CustomerId},
    platform::text::Part,
};

/// What a customer must be to be found; all of it must hold.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Parts of its name, compared without legal form, case and accents.
    pub name: Vec<Part>,
    /// Its registrable domain.
    pub domain: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Its industry, exactly as stored.
    pub industry: Option<String>,
    /// The company it belongs to directly.
    pub parent: Option<CustomerId>,
}

impl Wanted {
    /// The condition on the table of customers.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let named = self
            .name
            .iter()
            .map(|part| part.clone().map(name_key).of(Column::NameKey));
        named
            .fold(Condition::all(), Condition::add)
            .add_option(self.domain.as_ref().map(|domain| Column::Domain.eq(domain)))
            .add_option(
                self.country
                    .as_ref()
                    .map(|country| Column::Country.eq(country)),
            )
            .add_option(
                self.industry
                    .as_ref()
                    .map(|industry| Column::Industry.eq(industry)),
            )
            .add_option(self.parent.map(|parent| Column::ParentId.eq(parent)))
    }
}
