//! What an import knows by external id: ids of what it met or made, so that later rows can name it.
//!
//! Partners, customers and products are remembered for the whole import, because there are few of them beside
//! the rows that name them. Deals are looked up when they are named; a dry run, which leaves no deals to be
//! looked up, remembers those it would have made.

use std::collections::HashMap;

use uuid::Uuid;

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
    /// What no two customers may share (a domain, or a name and country), with the external id of its holder:
    /// those that a dry run would have made.
    pub customer_identities: HashMap<String, String>,
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
        self.customer_identities.extend(more.customer_identities);
        self.skus.extend(more.skus);
    }
}
