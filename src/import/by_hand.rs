//! Partners that people recorded without an external id, by what a file may recognise them by.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    customers::identity::registrable_domain,
    entity::{ids::PartnerId, partner},
    error::Result,
    partners,
    platform::text::casefold,
    tx::Tx,
};

/// Partners without an external id, by what they are recognised by.
#[derive(Debug, Default)]
pub struct ByHand {
    domains: HashMap<String, Vec<PartnerId>>,
    names: HashMap<String, Vec<Named>>,
    numbers: HashMap<String, Vec<(PartnerId, Option<String>)>>,
}

/// A partner with a given name, and the facts that may distinguish it from another one with that name.
#[derive(Debug)]
struct Named {
    id: PartnerId,
    domain: Option<String>,
    number: Option<String>,
    country: Option<String>,
}

impl Named {
    /// Whether it differs from a row with its name in number, own domain or country.
    fn is_apart(&self, marks: Marks<'_>, domain: Option<&str>) -> bool {
        let differ = |one: &Option<String>, other: Option<&str>| {
            one.is_some() && other.is_some() && one.as_deref() != other
        };
        differ(&self.number, marks.registration_number)
            || differ(&self.domain, domain)
            || differ(&self.country, marks.country)
    }
}

/// What a row tells a partner by.
#[derive(Clone, Copy, Debug)]
pub struct Marks<'a> {
    /// The address of its website.
    pub website: Option<&'a str>,
    /// The name in contracts.
    pub legal_name: &'a str,
    /// The key of its registration number.
    pub registration_number: Option<&'a str>,
    /// The country of its head office.
    pub country: Option<&'a str>,
}

impl ByHand {
    /// Finds them all.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(tx: &Tx) -> Result<Self> {
        use partner::Column;
        let rows = partner::Entity::find()
            .select_only()
            .columns([
                Column::Id,
                Column::LegalName,
                Column::Website,
                Column::RegistrationNumber,
                Column::Country,
            ])
            .filter(Column::ExternalId.is_null())
            .order_by_asc(Column::Id)
            .into_tuple::<(
                PartnerId,
                String,
                Option<String>,
                Option<String>,
                Option<String>,
            )>()
            .all(tx)
            .await?;
        let mut found = Self::default();
        for (id, legal_name, website, number, country) in rows {
            let domain = website.as_deref().and_then(domain);
            if let Some(number) = number.clone() {
                let holders = found.numbers.entry(number).or_default();
                holders.push((id, country.clone()));
            }
            if let Some(domain) = domain.clone() {
                found.domains.entry(domain).or_default().push(id);
            }
            let named = found.names.entry(casefold(&legal_name)).or_default();
            named.push(Named {
                id,
                domain,
                number,
                country,
            });
        }
        Ok(found)
    }

    /// The partners that a row may match, and by what. An equal registration number decides alone. A legal name matches
    /// only if no other fact differs.
    pub fn of(&self, marks: Marks<'_>) -> Vec<(PartnerId, &'static str)> {
        let holders = marks
            .registration_number
            .and_then(|number| self.numbers.get(number));
        let same = holders.into_iter().flatten().filter(|(_, country)| {
            partners::number::may_be_same(country.as_deref(), marks.country)
        });
        let by_number: Vec<_> = same.map(|(id, _)| (*id, "registration number")).collect();
        if !by_number.is_empty() {
            return by_number;
        }
        let domain = marks.website.and_then(domain);
        let by_domain = domain.as_ref().and_then(|domain| self.domains.get(domain));
        let by_domain = by_domain.map_or([].as_slice(), Vec::as_slice);
        let mut found: Vec<_> = by_domain.iter().map(|id| (*id, "website")).collect();
        for named in self.named(marks.legal_name) {
            if !by_domain.contains(&named.id) && !named.is_apart(marks, domain.as_deref()) {
                found.push((named.id, "legal name"));
            }
        }
        found
    }

    /// The partners with the legal name of a row that differ from it in another fact.
    pub fn told_apart(&self, marks: Marks<'_>) -> Vec<PartnerId> {
        let domain = marks.website.and_then(domain);
        let apart = self.named(marks.legal_name).iter();
        let apart = apart.filter(|named| named.is_apart(marks, domain.as_deref()));
        apart.map(|named| named.id).collect()
    }

    fn named(&self, legal_name: &str) -> &[Named] {
        let named = self.names.get(&casefold(legal_name));
        named.map_or([].as_slice(), Vec::as_slice)
    }
}

/// The registrable domain of a website; nothing where it proves nothing.
fn domain(website: &str) -> Option<String> {
    registrable_domain(website).ok().flatten()
}
