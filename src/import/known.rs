//! What an import knows by external id: ids of what it met or made, so that later rows can name it.
//!
//! Partners, customers and products are remembered for the whole import, because there are few of them beside
//! the rows that name them. Deals are looked up when they are named; a dry run, which leaves no deals to be
//! looked up, remembers those it would have made.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use uuid::Uuid;

use super::by_hand::ByHand;
use crate::{
    entity::ids::{CustomerId, DealId, PartnerId, ProductFamilyId, ProductId},
    platform::money::Currency,
};

/// A product, as far as a deal needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownProduct {
    /// The product.
    pub id: ProductId,
    /// Its list price in minor units.
    pub list_price: Option<(i64, Currency)>,
}

/// The registration number of a partner.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The key of the number.
    pub number: Option<String>,
    /// The country of the partner.
    pub country: Option<String>,
    /// The legal name of the partner.
    pub name: String,
}

/// The owner of a value that no two customers may share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The external id of the customer, or its name where it has none.
    pub customer: String,
    /// The country of the customer.
    pub country: Option<String>,
}

/// A customer with a given name, or with an address at a given host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namesake {
    /// The external id of the customer, or its name where it has none.
    pub customer: String,
    /// Whether it has its own domain.
    pub has_domain: bool,
}

/// Ids by external id.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Partners.
    pub partners: HashMap<String, PartnerId>,
    /// Customers.
    pub customers: HashMap<String, CustomerId>,
    /// Products.
    pub products: HashMap<String, KnownProduct>,
    /// Deals that a dry run would have made.
    pub deals: HashMap<String, DealId>,
    /// The parents of partners and customers that a dry run would have made.
    pub parents: HashMap<Uuid, Uuid>,
    /// Product families, by code.
    pub families: HashMap<String, ProductFamilyId>,
    /// What no two customers may share (a domain, or a registration number of a country), with those who have it:
    /// those that a dry run would have made.
    pub customer_proofs: HashMap<String, Vec<Claimant>>,
    /// The values that customers lost in this import, with the external ids of their previous owners.
    pub given_up: HashMap<String, Vec<String>>,
    /// The customers of each name, and at each host, that a dry run would have made or changed.
    pub namesakes: HashMap<String, Vec<Namesake>>,
    /// Who has which registration number, of the partners that a dry run would have made or changed.
    pub partner_numbers: HashMap<PartnerId, Holder>,
    /// Partners without an external id, once they were looked for.
    pub by_hand: Option<Arc<ByHand>>,
    /// Partners and customers without one that got it in this import.
    pub adopted: HashSet<Uuid>,
    /// The same for the stock-keeping units of products.
    pub skus: HashMap<String, String>,
}

impl Known {
    /// Takes in what a unit of work learned.
    pub fn learn(&mut self, more: Self) {
        self.partners.extend(more.partners);
        self.customers.extend(more.customers);
        self.products.extend(more.products);
        self.deals.extend(more.deals);
        self.parents.extend(more.parents);
        self.families.extend(more.families);
        for (proof, givers) in &more.given_up {
            if let Some(claimants) = self.customer_proofs.get_mut(proof) {
                claimants.retain(|claimant| !givers.contains(&claimant.customer));
            }
        }
        extend(&mut self.customer_proofs, more.customer_proofs);
        extend(&mut self.given_up, more.given_up);
        extend(&mut self.namesakes, more.namesakes);
        self.partner_numbers.extend(more.partner_numbers);
        self.by_hand = more.by_hand.or_else(|| self.by_hand.take());
        self.adopted.extend(more.adopted);
        self.skus.extend(more.skus);
    }
}

fn extend<V>(known: &mut HashMap<String, Vec<V>>, more: HashMap<String, Vec<V>>) {
    for (key, values) in more {
        known.entry(key).or_default().extend(values);
    }
}
