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
    names: HashMap<String, Vec<PartnerId>>,
    numbers: HashMap<String, Vec<(PartnerId, Option<String>)>>,
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
            if let Some(number) = number {
                found.numbers.entry(number).or_default().push((id, country));
            }
            let domain = website.as_deref().and_then(domain);
            if let Some(domain) = domain {
                found.domains.entry(domain).or_default().push(id);
            }
            found
                .names
                .entry(casefold(&legal_name))
                .or_default()
                .push(id);
        }
        Ok(found)
    }

    /// Those that a row may mean, and by what it is recognised: an equal registration number decides alone.
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
        let none = Vec::new();
        let domain = marks.website.and_then(domain);
        let by_domain = domain
            .and_then(|domain| self.domains.get(&domain))
            .unwrap_or(&none);
        let by_name = self.names.get(&casefold(marks.legal_name)).unwrap_or(&none);
        let mut found: Vec<_> = by_domain.iter().map(|id| (*id, "website")).collect();
        for id in by_name {
            if !by_domain.contains(id) {
                found.push((*id, "legal name"));
            }
        }
        found
    }
}

/// The registrable domain of a website; nothing where it proves nothing.
fn domain(website: &str) -> Option<String> {
    registrable_domain(website).ok().flatten()
}
