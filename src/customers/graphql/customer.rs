//! A customer as the API shows it, and the list of customers.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Enum, ID, InputObject, Object, dataloader::Loader};
use sea_orm::{QueryFilter, Select};

use crate::{
    access::{Action, Actor},
    connection,
    customers::{identity::registrable_domain, search::Wanted, store},
    entity::{customer, ids::CustomerId},
    error::{Error, Faults, Result},
    graphql::{
        context::{self, ContextExt, LoadError, Rows},
        errors::top_level,
        paging::{self, Below, Direction, Page, PageArgs, Sort, TextFilter},
        scalars::{CountryCode, DateTime, counter},
    },
};

/// An end customer.
#[derive(Clone, Debug)]
pub struct Customer(pub customer::Model);

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
        Self::load(ctx, self.0.parent_id?)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// The customers that belong to it directly, as far as you may see them, by name.
    async fn children(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")] first: Option<i32>,
        #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
        last: Option<i32>,
    ) -> async_graphql::Result<CustomerConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = paging::below(ctx, self.0.id, Children, args).await;
        Ok(CustomerConnection::of(page.map_err(top_level)?, Customer))
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

impl Customer {
    /// The object under the caller's scope; none when it is absent or hidden.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(ctx: &Context<'_>, id: CustomerId) -> Result<Option<Self>> {
        Ok(ctx
            .loaders()
            .load_one(id)
            .await
            .map_err(context::unshared)?
            .map(Self))
    }

    /// The object as stored now.
    ///
    /// # Errors
    /// `NOT_FOUND` when it is hidden; the database failed.
    pub async fn fresh(ctx: &Context<'_>, id: CustomerId) -> Result<Self> {
        let found = store::find(ctx.db(), store::scope(ctx.actor()), id).await?;
        found
            .map(Self)
            .ok_or_else(|| Error::not_found("customerId"))
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

    fn rows(&self, rows: &Rows) -> Select<customer::Entity> {
        store::visible(store::scope(&rows.actor))
    }
}

connection!(CustomerConnection, CustomerEdge, Customer);

impl Loader<CustomerId> for Rows {
    type Value = customer::Model;
    type Error = LoadError;

    async fn load(
        &self,
        keys: &[CustomerId],
    ) -> Result<HashMap<CustomerId, customer::Model>, LoadError> {
        let found = store::find_all(&self.db, store::scope(&self.actor), keys)
            .await
            .map_err(Arc::new)?;
        Ok(found.into_iter().map(|row| (row.id, row)).collect())
    }
}

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
            .and_then(|text| faults.take("filter.domain", registrable_domain(&text)));
        faults.check()?;
        // Nobody is filed under the domain of a public mail service.
        let Some(domain) = domain.map_or(Some(None), |domain| domain.map(Some)) else {
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

/// By what customers are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum CustomerOrderField {
    /// The name, without legal form, case and accents.
    Name,
    /// When the customer was recorded.
    CreatedAt,
}

/// A sort of customers; the id breaks ties.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct CustomerOrder {
    /// By what.
    field: CustomerOrderField,
    /// Which way.
    #[graphql(default_with = "Direction::Asc")]
    direction: Direction,
}

/// Who may ask for customers: a partner's people for theirs, the vendor's by their role.
fn may_read(actor: &Actor) -> Result<()> {
    match actor.partner_id() {
        Some(_) => Ok(()),
        None => actor.may(Action::CustomerReadAll),
    }
}

async fn list(
    ctx: &Context<'_>,
    wanted: &Wanted,
    order: Option<CustomerOrder>,
    args: PageArgs,
) -> Result<Page<customer::Model>> {
    let order = order.unwrap_or(CustomerOrder {
        field: CustomerOrderField::Name,
        direction: Direction::Asc,
    });
    let column = match order.field {
        CustomerOrderField::Name => Some(customer::Column::NameKey),
        // Ids are ordered by the time of creation.
        CustomerOrderField::CreatedAt => None,
    };
    let sort = Sort {
        column,
        id: customer::Column::Id,
        direction: order.direction,
    };
    let select = store::visible(store::scope(ctx.actor())).filter(wanted.condition());
    paging::page(ctx, ctx.db(), select, sort, args).await
}

/// Reading customers.
#[derive(Default)]
pub struct CustomerQuery;

#[Object]
impl CustomerQuery {
    /// A customer by its id; null with `NOT_FOUND` when there is none for you.
    async fn customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] id: ID,
    ) -> Option<async_graphql::Result<Customer>> {
        let found = async {
            may_read(ctx.actor())?;
            let found = store::find(ctx.db(), store::scope(ctx.actor()), context::id(&id)).await?;
            found.map(Customer).ok_or_else(|| Error::not_found("id"))
        };
        Some(found.await.map_err(top_level))
    }

    /// The customers you may see, by name unless another order is asked for. Not for executives of the vendor.
    async fn customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")] first: Option<i32>,
        #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Which customers; all unless given.")] filter: Option<CustomerFilter>,
        #[graphql(desc = "The order: at most one entry; by name from A to Z unless given.")]
        order_by: Option<Vec<CustomerOrder>>,
    ) -> async_graphql::Result<CustomerConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = async {
            may_read(ctx.actor())?;
            let order = paging::one_order(order_by)?;
            match filter.unwrap_or_default().wanted()? {
                Some(wanted) => list(ctx, &wanted, order, args).await,
                None => Ok(Page::empty()),
            }
        };
        Ok(CustomerConnection::of(
            page.await.map_err(top_level)?,
            Customer,
        ))
    }
}
