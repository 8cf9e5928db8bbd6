//! Finding partners in the directory.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::SimpleExpr,
};

use crate::{
    entity::{
        ids::PartnerId,
        partner::{self, PartnerStatus},
        partner_attribute::{self, AttributeKind},
    },
    platform::text::Part,
};

/// What a partner must be to be found.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// It has this value among its types, countries, industries or competencies.
    Has(AttributeKind, String),
    /// It is in this state.
    Status(PartnerStatus),
    /// Its display name has this part, whatever the case.
    Name(Part),
    /// It has this registration number, in the form in which numbers are kept.
    RegistrationNumber(String),
    /// It belongs to this company.
    Parent(PartnerId),
    /// All of these hold.
    All(Vec<Self>),
    /// At least one of these holds.
    Any(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// Nobody.
    Nobody,
}

impl Wanted {
    /// The condition on the table of partners.
    #[must_use]
    pub fn condition(&self) -> Condition {
        match self {
            Self::Has(kind, value) => Condition::all().add(has(*kind, value)),
            Self::Status(status) => Condition::all().add(partner::Column::Status.eq(*status)),
            Self::Name(part) => Condition::all().add(
                part.clone()
                    .map(super::name_key)
                    .of(partner::Column::NameKey),
            ),
            // Said in full, so that the negation finds partners without a number.
            Self::RegistrationNumber(number) => Condition::all()
                .add(partner::Column::RegistrationNumber.is_not_null())
                .add(partner::Column::RegistrationNumber.eq(number)),
            // Said in full, so that the negation finds partners without a parent.
            Self::Parent(parent) => Condition::all()
                .add(partner::Column::ParentId.is_not_null())
                .add(partner::Column::ParentId.eq(*parent)),
            Self::All(wanted) => wanted
                .iter()
                .fold(Condition::all(), |all, one| all.add(one.condition())),
            Self::Any(wanted) if wanted.is_empty() => Self::Nobody.condition(),
            Self::Any(wanted) => wanted
                .iter()
                .fold(Condition::any(), |any, one| any.add(one.condition())),
            Self::Not(wanted) => Condition::all().add(wanted.condition().not()),
            Self::Nobody => {
                Condition::all().add(partner::Column::Id.is_in(std::iter::empty::<PartnerId>()))
            }
        }
    }
}

fn has(kind: AttributeKind, value: &str) -> SimpleExpr {
    use partner_attribute::{Column, Entity};
    let holders = Entity::find()
        .select_only()
        .column(Column::PartnerId)
        .filter(Column::Kind.eq(kind))
        .filter(Column::Value.eq(value));
    partner::Column::Id.in_subquery(holders.into_query())
}
