//! Products and families as the API shows them.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MergedObject, Object};

use crate::{
    access::Visible,
    catalog::store::{self, Wanted},
    connection,
    entity::{product, product_family},
    error::{Faults, Result},
    graphql::{
        ContextExt, Objects, Shown,
        paging::{Direction, Page, PageArgs, Sort, TextFilter},
        scalars::{DateTime, Money, counter},
    },
    lists, order,
};

/// A product.
#[derive(Clone, Debug)]
pub struct Product(Arc<product::Model>);

impl Shown for Product {
    type Entity = product::Entity;

    fn of(row: Arc<product::Model>) -> Self {
        Self(row)
    }
}

/// Something that partners sell. Everybody sees all products.
#[Object]
impl Product {
    /// The product's id, such as `product_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Its stock-keeping number; unique.
    fn sku(&self) -> &str {
        &self.0.sku
    }

    /// Its name.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Its family: what a registration protects. Null only when it cannot be read.
    async fn family(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<ProductFamily>> {
        ctx.object(self.0.family_id).await
    }

    /// What it costs by the list; null when it has no list price.
    fn list_price(&self) -> Option<Money> {
        Some(Money::minor(self.0.list_price_minor?, self.0.currency?))
    }

    /// Its key in another system of the vendor; null when there is none.
    fn external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// Counts the changes, from 1; give it as `expectedVersion` with the next change.
    fn version(&self) -> i32 {
        counter(self.0.version)
    }

    /// When it was added.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// A product family.
#[derive(Clone, Debug)]
pub struct ProductFamily(Arc<product_family::Model>);

impl Shown for ProductFamily {
    type Entity = product_family::Entity;

    fn of(row: Arc<product_family::Model>) -> Self {
        Self(row)
    }
}

/// A product family: what a registration protects. Two products of one family at one customer are the same claim.
#[Object]
impl ProductFamily {
    /// The family's id, such as `family_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Its code, in capitals; unique.
    fn code(&self) -> &str {
        &self.0.code
    }

    /// Its name.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// When it was added.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

connection!(ProductConnection, ProductEdge, Product);
connection!(ProductFamilyConnection, ProductFamilyEdge, ProductFamily);

/// Which products to list; all fields must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ProductFilter {
    /// The code of its family, whatever the case.
    family: Option<String>,
    /// Its name.
    name: Option<TextFilter>,
}

order! {
    /// By what products are sorted.
    ProductOrderField,
    /// A sort of products; the id breaks ties.
    ProductOrder of product, by Sku asc {
        /// The stock-keeping number.
        Sku = Some(product::Column::Sku),
        /// When the product was added.
        CreatedAt = None,
    }
}

async fn products(
    ctx: &Context<'_>,
    filter: Option<ProductFilter>,
    order: Option<Vec<ProductOrder>>,
    args: PageArgs,
) -> Result<Page<Product>> {
    product::Entity::may_read(ctx.actor())?;
    let filter = filter.unwrap_or_default();
    let mut faults = Faults::default();
    let name = filter.name.unwrap_or_default();
    let wanted = Wanted {
        family: filter.family.map(|code| code.trim().to_uppercase()),
        name: name.read(&mut faults, "filter.name"),
    };
    faults.check()?;
    let rows = store::products(ctx.actor(), &wanted);
    ctx.page(rows, ProductOrder::sort(order)?, args).await
}

async fn families(ctx: &Context<'_>, args: PageArgs) -> Result<Page<ProductFamily>> {
    product_family::Entity::may_read(ctx.actor())?;
    let sort = Sort {
        column: Some(product_family::Column::Code),
        id: product_family::Column::Id,
        direction: Direction::Asc,
    };
    ctx.page(product_family::Entity::seen_by(ctx.actor()), sort, args)
        .await
}

lists! {
    /// The lists of the catalogue.
    CatalogLists {
        /// The products, by stock-keeping number unless another order is asked for.
        products(
            filter: ProductFilter = "Which products; all unless given.",
            order_by: Vec<ProductOrder> = "The order: at most one entry; by stock-keeping number unless given.",
        ) -> async_graphql::Result<ProductConnection> = products;

        /// The product families, by code.
        product_families() -> async_graphql::Result<ProductFamilyConnection> = families;
    }
}

/// Single objects of the catalogue.
#[derive(Default)]
pub struct CatalogObjects;

#[Object]
impl CatalogObjects {
    /// A product by its id; null with `NOT_FOUND` when there is none.
    async fn product(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The product's id.")] id: ID,
    ) -> Option<async_graphql::Result<Product>> {
        ctx.by_id(&id).await
    }
}

/// Reading the catalogue.
#[derive(MergedObject, Default)]
pub struct CatalogQuery(CatalogObjects, CatalogLists);
