//! Partners that people recorded without an external id, by what a file may recognise them by.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    customers::identity::registrable_domain,
    entity::{ids::PartnerId, partner},
    error::Result,
    platform::text::casefold,
    tx::Tx,
};

/// Partners without an external id, by what they are recognised by.
#[derive(Debug, Default)]
pub struct ByHand {
    domains: HashMap<String, Vec<PartnerId>>,
    names: HashMap<String, Vec<PartnerId>>,
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
            .columns([Column::Id, Column::LegalName, Column::Website])
            .filter(Column::ExternalId.is_null())
            .order_by_asc(Column::Id)
            .into_tuple::<(PartnerId, String, Option<String>)>()
            .all(tx)
            .await?;
        let mut found = Self::default();
        for (id, legal_name, website) in rows {
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

    /// Those that a website or a legal name may mean, and by which of the two.
    pub fn of(&self, website: Option<&str>, legal_name: &str) -> Vec<(PartnerId, &'static str)> {
        let none = Vec::new();
        let domain = website.and_then(domain);
        let by_domain = domain
            .and_then(|domain| self.domains.get(&domain))
            .unwrap_or(&none);
        let by_name = self.names.get(&casefold(legal_name)).unwrap_or(&none);
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
