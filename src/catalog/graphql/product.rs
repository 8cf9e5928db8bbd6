//! Products and families as the API shows them.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Enum, ID, InputObject, Object, dataloader::Loader};
use sea_orm::EntityTrait;

use crate::{
    access::Action,
    catalog::store::{self, Wanted},
    connection,
    entity::{
        ids::{ProductFamilyId, ProductId},
        product, product_family,
    },
    error::{Error, Faults, Result},
    graphql::{
        context::{self, ContextExt, LoadError, Rows},
        errors::top_level,
        paging::{self, Direction, Page, PageArgs, Sort, TextFilter},
        scalars::{DateTime, Money, counter},
    },
};

/// A product.
#[derive(Clone, Debug)]
pub struct Product(pub product::Model);

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
        let family = ctx.loaders().load_one(self.0.family_id).await;
        family
            .map(|family| family.map(ProductFamily))
            .map_err(top_level)
            .transpose()
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

impl Product {
    /// The object; none when it is absent. The catalogue is open to everybody who is signed in.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(ctx: &Context<'_>, id: ProductId) -> Result<Option<Self>> {
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
    /// `NOT_FOUND`; the database failed.
    pub async fn fresh(ctx: &Context<'_>, id: ProductId) -> Result<Self> {
        store::find(ctx.db(), id)
            .await?
            .map(Self)
            .ok_or_else(|| Error::not_found("productId"))
    }
}

/// A product family.
#[derive(Clone, Debug)]
pub struct ProductFamily(pub product_family::Model);

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

impl Loader<ProductId> for Rows {
    type Value = product::Model;
    type Error = LoadError;

    async fn load(
        &self,
        keys: &[ProductId],
    ) -> Result<HashMap<ProductId, product::Model>, LoadError> {
        let found = store::find_all(&self.db, keys).await.map_err(Arc::new)?;
        Ok(found.into_iter().map(|row| (row.id, row)).collect())
    }
}

impl Loader<ProductFamilyId> for Rows {
    type Value = product_family::Model;
    type Error = LoadError;

    async fn load(
        &self,
        keys: &[ProductFamilyId],
    ) -> Result<HashMap<ProductFamilyId, product_family::Model>, LoadError> {
        let found = store::find_families(&self.db, keys)
            .await
            .map_err(Arc::new)?;
        Ok(found.into_iter().map(|row| (row.id, row)).collect())
    }
}

/// Which products to list; all fields must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ProductFilter {
    /// The code of its family, whatever the case.
    family: Option<String>,
    /// Its name.
    name: Option<TextFilter>,
}

/// By what products are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ProductOrderField {
    /// The stock-keeping number.
    Sku,
    /// When the product was added.
    CreatedAt,
}

/// A sort of products; the id breaks ties.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct ProductOrder {
    /// By what.
    field: ProductOrderField,
    /// Which way.
    #[graphql(default_with = "Direction::Asc")]
    direction: Direction,
}

async fn list(
    ctx: &Context<'_>,
    filter: ProductFilter,
    orders: Option<Vec<ProductOrder>>,
    args: PageArgs,
) -> Result<Page<product::Model>> {
    let mut faults = Faults::default();
    let name = filter
        .name
        .unwrap_or_default()
        .read(&mut faults, "filter.name");
    faults.check()?;
    let family = filter.family.map(|code| code.trim().to_uppercase());
    let standard = ProductOrder {
        field: ProductOrderField::Sku,
        direction: Direction::Asc,
    };
    let order = paging::one_order(orders)?.unwrap_or(standard);
    let column = match order.field {
        ProductOrderField::Sku => Some(product::Column::Sku),
        // Ids are ordered by the time of creation.
        ProductOrderField::CreatedAt => None,
    };
    let sort = Sort {
        column,
        id: product::Column::Id,
        direction: order.direction,
    };
    paging::page(
        ctx,
        ctx.db(),
        store::products(&Wanted { family, name }),
        sort,
        args,
    )
    .await
}

/// Reading the catalogue.
#[derive(Default)]
pub struct CatalogQuery;

#[Object]
impl CatalogQuery {
    /// A product by its id; null with `NOT_FOUND` when there is none.
    async fn product(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The product's id.")] id: ID,
    ) -> Option<async_graphql::Result<Product>> {
        let found = async {
            ctx.actor().may(Action::CatalogRead)?;
            let found = store::find(ctx.db(), context::id(&id)).await?;
            found.map(Product).ok_or_else(|| Error::not_found("id"))
        };
        Some(found.await.map_err(top_level))
    }

    /// The products, by stock-keeping number unless another order is asked for.
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")] first: Option<i32>,
        #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Which products; all unless given.")] filter: Option<ProductFilter>,
        #[graphql(desc = "The order: at most one entry; by stock-keeping number unless given.")]
        order_by: Option<Vec<ProductOrder>>,
    ) -> async_graphql::Result<ProductConnection> {
        ctx.may(Action::CatalogRead)?;
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = list(ctx, filter.unwrap_or_default(), order_by, args).await;
        Ok(ProductConnection::of(page.map_err(top_level)?, Product))
    }

    /// The product families, by code.
    async fn product_families(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")] first: Option<i32>,
        #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
        last: Option<i32>,
    ) -> async_graphql::Result<ProductFamilyConnection> {
        ctx.may(Action::CatalogRead)?;
        let column = Some(product_family::Column::Code);
        let sort = Sort {
            column,
            id: product_family::Column::Id,
            direction: Direction::Asc,
        };
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = paging::page(ctx, ctx.db(), product_family::Entity::find(), sort, args).await;
        Ok(ProductFamilyConnection::of(
            page.map_err(top_level)?,
            ProductFamily,
        ))
    }
}

impl ProductFamily {
    /// The object as stored now.
    ///
    /// # Errors
    /// `NOT_FOUND`; the database failed.
    pub async fn fresh(ctx: &Context<'_>, id: ProductFamilyId) -> Result<Self> {
        store::find_family(ctx.db(), id)
            .await?
            .map(Self)
            .ok_or_else(|| Error::not_found("productFamilyId"))
    }
}
