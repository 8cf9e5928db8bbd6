//! The vendor adds a product, or changes one.

use async_graphql::MaybeUndefined::{self, Null, Undefined, Value};

use super::{facts, family, store};
use crate::{
    access::{Action, Held},
    entity::{ids::ProductId, product},
    error::{Code, Faults, Refusal, Result},
    events::Event,
    platform::money::Money,
    tx::Tx,
};

/// A product to be added.
#[derive(Clone, Debug)]
pub struct Create {
    /// Its stock-keeping number; unique.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// The code of its family; a family of this code is added where there is none.
    pub family: String,
    /// What it costs by the list.
    pub list_price: Option<Money>,
    /// Its key in another system; unique.
    pub external_id: Option<String>,
}

/// A change of facts. An undefined field keeps its value, null clears it.
#[derive(Clone, Debug)]
pub struct Update {
    /// The product.
    pub product: ProductId,
    /// The version the caller read; the change is refused when it is not the stored one.
    pub expected_version: Option<i64>,
    /// Its name.
    pub name: MaybeUndefined<String>,
    /// The code of its family; a family of this code is added where there is none.
    pub family: MaybeUndefined<String>,
    /// What it costs by the list.
    pub list_price: MaybeUndefined<Money>,
}

/// Adds a product, and its family where that is new.
///
/// # Errors
/// `FORBIDDEN` for everybody but the vendor's administrators and alliance managers; `BAD_USER_INPUT` with every fault
/// at its field; `DUPLICATE` at `sku` or `externalId`. Records `product.created`, and `product_family.created`.
pub async fn create(tx: &Tx, command: Create) -> Result<Held<product::Entity>> {
    tx.actor().may(Action::CatalogManage)?;
    let mut faults = Faults::default();
    let sku = facts::sku(&mut faults, "sku", &command.sku);
    let name = faults.text("name", &command.name, facts::NAME);
    let code = facts::family_code(&mut faults, "family", &command.family);
    let external_id =
        faults.optional_text("externalId", command.external_id.as_deref(), facts::KEY);
    check_price(&mut faults, command.list_price);
    faults.check()?;
    let family = family::of_code(tx, code).await?;
    let same_sku = store::is_sku_taken(tx, &sku).await?;
    let row = product::Model {
        id: tx.id(),
        external_id,
        sku,
        name,
        family_id: family,
        list_price_minor: command.list_price.map(Money::minor),
        currency: command.list_price.map(Money::currency),
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    let added = if same_sku {
        None
    } else {
        tx.add_new(row).await?
    };
    let product = added.ok_or_else(|| {
        let field = if same_sku { "sku" } else { "externalId" };
        Refusal::new(Code::Duplicate, "Another product has this value.").at(field)
    })?;
    tx.record(Event::ProductCreated {
        product_id: product.id,
    });
    Ok(product)
}

/// Changes facts about a product. Deals and protections keep what they were made with.
///
/// # Errors
/// `NOT_FOUND` at `productId`; `FORBIDDEN` as for [`create`]; `STALE_OBJECT`; `BAD_USER_INPUT` with every fault at its
/// field. Records `product.updated` with the names of the fields, and `product_family.created`.
pub async fn update(tx: &Tx, command: Update) -> Result<Held<product::Entity>> {
    let before = tx
        .load::<product::Entity>(command.product, Action::CatalogManage)
        .await?;
    before.at_version(command.expected_version)?;
    let after = apply(tx, &before, command).await?;
    let fields = [
        (before.name != after.name, "name"),
        (before.family_id != after.family_id, "family"),
        (
            (before.list_price_minor, before.currency) != (after.list_price_minor, after.currency),
            "listPrice",
        ),
    ];
    let fields: Vec<_> = fields
        .into_iter()
        .filter(|(differs, _)| *differs)
        .map(|(_, field)| field.to_owned())
        .collect();
    if fields.is_empty() {
        return Ok(before);
    }
    tx.record(Event::ProductUpdated {
        product_id: before.id,
        fields,
    });
    tx.save(&before, |row| *row = after).await
}

/// The row as it will be.
async fn apply(tx: &Tx, before: &product::Model, command: Update) -> Result<product::Model> {
    let mut faults = Faults::default();
    let mut row = before.clone();
    match command.name {
        Undefined => {}
        Null => faults.add("name", "must not be empty"),
        Value(name) => row.name = faults.text("name", &name, facts::NAME),
    }
    let family = match command.family {
        Undefined => None,
        Null => {
            faults.add("family", "must not be empty");
            None
        }
        Value(code) => Some(facts::family_code(&mut faults, "family", &code)),
    };
    if let Some(price) = command.list_price.as_opt_ref() {
        check_price(&mut faults, price.copied());
        row.list_price_minor = price.copied().map(Money::minor);
        row.currency = price.copied().map(Money::currency);
    }
    faults.check()?;
    if let Some(code) = family {
        row.family_id = family::of_code(tx, code).await?;
    }
    Ok(row)
}

fn check_price(faults: &mut Faults, price: Option<Money>) {
    if price.is_some_and(|price| price.minor() < 0) {
        faults.add("listPrice.amount", "must not be negative");
    }
}
