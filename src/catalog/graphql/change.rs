//! Keeping the catalogue.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::product::{Product, ProductFamily};
use crate::{
    catalog::{family, product},
    error::{Faults, Result},
    graphql::{Changes, context, scalars::MoneyInput},
    payload,
};

/// A product family to be added.
#[derive(Clone, Debug, InputObject)]
pub struct ProductFamilyCreateInput {
    /// Its code, such as `CARE`; unique whatever the case, at most 60 characters. It is kept in capitals.
    code: String,
    /// Its name; at most 200 characters.
    name: String,
}

impl ProductFamilyCreateInput {
    fn command(self) -> Result<family::Create> {
        Ok(family::Create {
            code: self.code,
            name: self.name,
        })
    }
}

/// A product to be added.
#[derive(Clone, Debug, InputObject)]
pub struct ProductCreateInput {
    /// Its stock-keeping number; unique, at most 60 characters. It never changes.
    sku: String,
    /// Its name; at most 200 characters.
    name: String,
    /// The code of its family, whatever the case. A family is what a registration protects; one of this code is added,
    /// named like the code, where there is none.
    family: String,
    /// What it costs by the list; none when left out.
    list_price: Option<MoneyInput>,
    /// Its key in another system of yours; unique, at most 200 characters.
    external_id: Option<String>,
}

impl ProductCreateInput {
    fn command(self) -> Result<product::Create> {
        let mut faults = Faults::default();
        let list_price = self
            .list_price
            .and_then(|price| price.read(&mut faults, "listPrice"));
        faults.check()?;
        Ok(product::Create {
            sku: self.sku,
            name: self.name,
            family: self.family,
            list_price,
            external_id: self.external_id,
        })
    }
}

/// Changes of facts about a product: a field that is left out keeps its value, null clears it.
#[derive(Clone, Debug, InputObject)]
pub struct ProductUpdateInput {
    /// The product.
    product_id: ID,
    /// The `version` you read; the change is refused with `STALE_OBJECT` when the product has changed since. Without it
    /// the change is made on whatever is stored.
    expected_version: Option<i32>,
    /// Its name; cannot be cleared.
    name: MaybeUndefined<String>,
    /// The code of its family, added where there is none; cannot be cleared. Protections that are held stay with the
    /// family they were made for.
    family: MaybeUndefined<String>,
    /// What it costs by the list.
    list_price: MaybeUndefined<MoneyInput>,
}

impl ProductUpdateInput {
    fn command(self) -> Result<product::Update> {
        let product = context::id(&self.product_id);
        let mut faults = Faults::default();
        let list_price = self
            .list_price
            .map(|price| price.and_then(|price| price.read(&mut faults, "listPrice")));
        faults.check()?;
        Ok(product::Update {
            product,
            expected_version: self.expected_version.map(i64::from),
            name: self.name,
            family: self.family,
            list_price,
        })
    }
}

payload!(
    /// The family that was added.
    ProductFamilyCreatePayload {
        /// The family; null when nothing was created.
        product_family: ProductFamily
    }
);

payload!(
    /// The product that was added.
    ProductCreatePayload {
        /// The product; null when nothing was created.
        product: Product
    }
);

payload!(
    /// The product that was changed.
    ProductUpdatePayload {
        /// The product; null when nothing was changed.
        product: Product
    }
);

/// What can be done with the catalogue.
#[derive(Default)]
pub struct CatalogMutation;

#[Object]
impl CatalogMutation {
    /// Adds a product family. For administrators and alliance managers of the vendor.
    async fn product_family_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The family.")] input: ProductFamilyCreateInput,
    ) -> async_graphql::Result<ProductFamilyCreatePayload> {
        ctx.change("productFamilyCreate", input.command(), family::create)
            .await
    }

    /// Adds a product, and its family where that is new. For administrators and alliance managers of the vendor.
    async fn product_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The product.")] input: ProductCreateInput,
    ) -> async_graphql::Result<ProductCreatePayload> {
        ctx.change("productCreate", input.command(), product::create)
            .await
    }

    /// Changes facts about a product. For administrators and alliance managers of the vendor.
    async fn product_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which product, and its changes.")] input: ProductUpdateInput,
    ) -> async_graphql::Result<ProductUpdatePayload> {
        ctx.change("productUpdate", input.command(), product::update)
            .await
    }
}
