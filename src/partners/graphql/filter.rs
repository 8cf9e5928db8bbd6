//! Filters and sorts of the directory.

use async_graphql::{ID, InputObject};
use sea_orm::ActiveEnum;

use crate::{
    entity::{
        partner::{self, PartnerStatus},
        partner_attribute::AttributeKind,
    },
    error::{Faults, Result},
    graphql::{context, paging::TextFilter, scalars::CountryCode},
    order,
    partners::{PartnerType, search::Wanted},
    platform::company_number::registration_number_key,
};

/// How deep `and`, `or` and `not` may stand in each other.
const MAX_DEPTH: usize = 3;
/// How many filters one query may hold, nested ones included.
const MAX_FILTERS: usize = 50;

/// Which partners to list. The fields of one filter must all hold; `and`, `or` and `not` stand in each other at most 3
/// deep, and a query holds at most 50 filters.
#[derive(Clone, Debug, Default, InputObject)]
pub struct PartnerFilter {
    /// One of its types is this.
    #[graphql(name = "type")]
    pub kind: Option<PartnerType>,
    /// It works in this country.
    pub country: Option<CountryCode>,
    /// It serves this industry, written exactly as stored.
    pub industry: Option<String>,
    /// It has this competency, written exactly as stored.
    pub competency: Option<String>,
    /// It is in this state.
    pub status: Option<PartnerStatus>,
    /// Its display name.
    pub name: Option<TextFilter>,
    /// It has this number in a public register; compared by letters and digits.
    pub registration_number: Option<String>,
    /// It belongs to this company directly.
    pub parent_id: Option<ID>,
    /// All of these hold. At most 20.
    pub and: Option<Vec<PartnerFilter>>,
    /// At least one of these holds; an empty list holds for nobody. At most 20.
    pub or: Option<Vec<PartnerFilter>>,
    /// This does not hold.
    pub not: Option<Box<PartnerFilter>>,
}

impl PartnerFilter {
    /// What is wanted.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` at each text that cannot be looked for and at what is nested too deep.
    pub fn wanted(self) -> Result<Wanted> {
        let mut faults = Faults::default();
        let mut room = MAX_FILTERS;
        let wanted = self.read(&mut faults, "filter", 0, &mut room);
        faults.check()?;
        Ok(wanted)
    }

    fn read(self, faults: &mut Faults, path: &str, depth: usize, room: &mut usize) -> Wanted {
        let Some(left) = room.checked_sub(1).filter(|_| depth <= MAX_DEPTH) else {
            faults.add(path, format!("filters stand in each other at most {MAX_DEPTH} deep, and at most {MAX_FILTERS} in all"));
            return Wanted::Nobody;
        };
        *room = left;
        let mut all = Vec::new();
        let has = |kind, value: Option<String>| value.map(|value| Wanted::Has(kind, value));
        all.extend(has(
            AttributeKind::Type,
            self.kind.map(|kind| kind.to_value()),
        ));
        all.extend(has(
            AttributeKind::Country,
            self.country.map(|country| country.0),
        ));
        all.extend(has(AttributeKind::Industry, self.industry));
        all.extend(has(AttributeKind::Competency, self.competency));
        all.extend(self.status.map(Wanted::Status));
        let name = self
            .name
            .unwrap_or_default()
            .read(faults, &format!("{path}.name"));
        all.extend(name.into_iter().map(Wanted::Name));
        all.extend(self.registration_number.map(|number| {
            registration_number_key(&number).map_or(Wanted::Nobody, Wanted::RegistrationNumber)
        }));
        all.extend(self.parent_id.map(|id| Wanted::Parent(context::id(&id))));
        let mut nested = |filters: Vec<Self>, name: &str| -> Vec<Wanted> {
            let numbered = filters.into_iter().enumerate();
            numbered
                .map(|(place, filter)| {
                    filter.read(faults, &format!("{path}.{name}.{place}"), depth + 1, room)
                })
                .collect()
        };
        all.extend(self.and.map(|filters| Wanted::All(nested(filters, "and"))));
        all.extend(self.or.map(|filters| Wanted::Any(nested(filters, "or"))));
        all.extend(
            self.not
                .map(|filter| Wanted::Not(Box::new(Wanted::All(nested(vec![*filter], "not"))))),
        );
        Wanted::All(all)
    }
}

order! {
    /// By what partners are sorted.
    PartnerOrderField,
    /// A sort of partners; the id breaks ties.
    PartnerOrder of partner, by Name asc {
        /// The display name, whatever the case.
        Name = Some(partner::Column::NameKey),
        /// When the partner entered the directory.
        CreatedAt = None,
    }
}
