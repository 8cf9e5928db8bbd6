//! A customer as the API shows it, and the list of customers.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MergedObject, Object};
use sea_orm::QueryFilter;

use crate::{
    access::Visible,
    connection,
    customers::{identity::address, search::Wanted},
    entity::customer,
    error::{Faults, Result},
    graphql::{
        ContextExt, Objects, Shown, context,
        paging::{Below, Direction, Page, PageArgs, Sort, TextFilter},
        scalars::{CountryCode, DateTime, counter},
    },
    lists, order,
};

/// An end customer.
#[derive(Clone, Debug)]
pub struct Customer(pub Arc<customer::Model>);

impl Shown for Customer {
    type Entity = customer::Entity;

    fn of(row: Arc<customer::Model>) -> Self {
        Self(row)
    }
}

/// An end customer: one record for each company, however its name is written. A partner sees the customers of its own
/// registrations and of the deals it owns, is invited to or takes part in.
#[Object]
impl Customer {
    /// The customer's id, such as `customer_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Its name, as first written.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Its registrable domain, such as `acme.co.uk`; null when not known.
    fn domain(&self) -> Option<&str> {
        self.0.domain.as_deref()
    }

    /// The registrable domain of an address that may belong to another company, such as a page on a shared host.
    /// Null if there is none. It does not identify the customer: two customers with the same value are only a
    /// possible conflict (`SAME_HOST`).
    fn domain_hint(&self) -> Option<&str> {
        self.0.domain_hint.as_deref()
    }

    /// Its country; null when not known.
    fn country(&self) -> Option<CountryCode> {
        self.0.country.clone().map(CountryCode)
    }

    /// Its industry, in the vendor's words; null when not known.
    fn industry(&self) -> Option<&str> {
        self.0.industry.as_deref()
    }

    /// How many people it employs; null when not known.
    fn employees(&self) -> Option<i32> {
        self.0.employees.map(counter)
    }

    /// Letters and digits of its number in a public register; null when not known.
    fn registration_number(&self) -> Option<&str> {
        self.0.registration_number.as_deref()
    }

    /// The digits of its telephone number, country code first where it was given; null when not known.
    fn phone(&self) -> Option<&str> {
        self.0.phone.as_deref()
    }

    /// The company it belongs to; null when there is none or none for you.
    async fn parent(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Customer>> {
        ctx.object(self.0.parent_id?).await
    }

    #[graphql(flatten)]
    async fn lists(&self) -> CustomerLists<'_> {
        CustomerLists(self)
    }

    /// Its key in another system of the vendor; null when there is none.
    fn external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// Counts the changes, from 1; give it as `expectedVersion` with the next change.
    fn version(&self) -> i32 {
        counter(self.0.version)
    }

    /// When it was recorded.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

async fn children(
    ctx: &Context<'_>,
    customer: &Customer,
    args: PageArgs,
) -> Result<Page<Customer>> {
    ctx.below(customer.0.id, Children, args).await
}

lists! {
    /// The lists below a customer.
    CustomerLists of Customer {
        /// The customers that belong to it directly, as far as you may see them, by name.
        children() -> async_graphql::Result<CustomerConnection> = children;
    }
}

/// The customers that belong to another one directly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Children;

impl Below for Children {
    type Entity = customer::Entity;

    fn parent() -> customer::Column {
        customer::Column::ParentId
    }

    fn sort() -> Sort<customer::Column> {
        Sort {
            column: Some(customer::Column::NameKey),
            id: customer::Column::Id,
            direction: Direction::Asc,
        }
    }
}

connection!(CustomerConnection, CustomerEdge, Customer);

/// Which customers to list; all fields must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct CustomerFilter {
    /// Its name, compared without legal form, case and accents.
    name: Option<TextFilter>,
    /// Its registrable domain; any web or mail address under it will do, such as `https://www.acme.com`.
    domain: Option<String>,
    /// Its country.
    country: Option<CountryCode>,
    /// Its industry, written exactly as stored.
    industry: Option<String>,
    /// It belongs to this company directly.
    parent_id: Option<ID>,
}

impl CustomerFilter {
    /// What is wanted; none where nothing can be found.
    fn wanted(self) -> Result<Option<Wanted>> {
        let mut faults = Faults::default();
        let name = self
            .name
            .unwrap_or_default()
            .read(&mut faults, "filter.name");
        let domain = self
            .domain
            .and_then(|text| faults.take("filter.domain", address(&text)));
        faults.check()?;
        // Nobody is filed under the domain of a public mail service.
        let Some(domain) = domain.map_or(Some(None), |address| address.domain().map(Some)) else {
            return Ok(None);
        };
        Ok(Some(Wanted {
            name,
            domain,
            country: self.country.map(|country| country.0),
            industry: self.industry,
            parent: self.parent_id.map(|id| context::id(&id)),
        }))
    }
}

order! {
    /// By what customers are sorted.
    CustomerOrderField,
    /// A sort of customers; the id breaks ties.
    CustomerOrder of customer, by Name asc {
        /// The name, without legal form, case and accents.
        Name = Some(customer::Column::NameKey),
        /// When the customer was recorded.
        CreatedAt = None,
    }
}

async fn customers(
    ctx: &Context<'_>,
    filter: Option<CustomerFilter>,
    order: Option<Vec<CustomerOrder>>,
    args: PageArgs,
) -> Result<Page<Customer>> {
    customer::Entity::may_read(ctx.actor())?;
    let sort = CustomerOrder::sort(order)?;
    let Some(wanted) = filter.unwrap_or_default().wanted()? else {
        return Ok(Page::empty());
    };
    let rows = customer::Entity::seen_by(ctx.actor()).filter(wanted.condition());
    ctx.page(rows, sort, args).await
}

lists! {
    /// The lists of customers.
    CustomersLists {
        /// The customers you may see, by name unless another order is asked for. Not for executives of the vendor.
        customers(
            filter: CustomerFilter = "Which customers; all unless given.",
            order_by: Vec<CustomerOrder> = "The order: at most one entry; by name from A to Z unless given.",
        ) -> async_graphql::Result<CustomerConnection> = customers;
    }
}

/// Single customers.
#[derive(Default)]
pub struct CustomerObjects;

#[Object]
impl CustomerObjects {
    /// A customer by its id; null with `NOT_FOUND` when there is none for you.
    async fn customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] id: ID,
    ) -> Option<async_graphql::Result<Customer>> {
        ctx.by_id(&id).await
    }
}

/// Reading customers.
#[derive(MergedObject, Default)]
pub struct CustomerQuery(CustomerObjects, CustomersLists);
