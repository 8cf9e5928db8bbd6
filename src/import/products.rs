//! Products from a file, with the families that they belong to.

use std::collections::{HashMap, HashSet};

use super::{
    cells::{Cells, NAME},
    known::{Known, KnownProduct},
    table,
    unit::{Draft, Fate, Ground, Importable, Outcome},
};
use crate::{
    entity::{ids::ProductFamilyId, product, product_family},
    error::Result,
    platform::money::Currency,
    tx::{Tx, Work},
};

/// What a row says about a product.
#[derive(Clone, Debug)]
pub struct Facts {
    name: String,
    sku: Option<String>,
    family: String,
    price: Option<(i64, Currency)>,
}

impl Importable for Facts {
    fn read(cells: &mut Cells<'_>) -> Self {
        let currency = cells.currency("currency", &["list_price"]);
        Self {
            name: cells.required("name", NAME),
            sku: cells.text("sku", NAME),
            // In capitals, as everywhere, so that one family cannot be two by spelling.
            family: cells.required("family", NAME).to_uppercase(),
            price: cells.amount("list_price", currency).zip(currency),
        }
    }

    fn import<'t>(tx: &'t Tx, ground: &'t Ground, drafts: &'t [Draft<Self>]) -> Work<'t, Outcome> {
        Box::pin(import(tx, ground, drafts))
    }
}

#[derive(Default)]
struct Writes {
    families: Vec<product_family::Model>,
    created: Vec<product::Model>,
    changed: Vec<product::Model>,
}

/// What is stored about the products of a unit of work.
struct Stored {
    by_external_id: HashMap<String, product::Model>,
    by_sku: HashMap<String, product::Model>,
    families: HashMap<String, ProductFamilyId>,
}

async fn import(tx: &Tx, ground: &Ground, drafts: &[Draft<Facts>]) -> Result<Outcome> {
    let stored = load(tx, &ground.known, drafts).await?;
    let (mut writes, mut outcome) = (Writes::default(), Outcome::default());
    for draft in drafts {
        let fate = decide(
            tx,
            ground,
            &stored,
            draft,
            &mut writes,
            &mut outcome.learned,
        );
        outcome.fates.push(fate);
    }
    if !ground.dry_run {
        outcome.learned.skus.clear();
        tx.insert_models(writes.families).await?;
        tx.insert_models(writes.created).await?;
        tx.replace_all(writes.changed).await?;
    }
    Ok(outcome)
}

async fn load(tx: &Tx, known: &Known, drafts: &[Draft<Facts>]) -> Result<Stored> {
    use product::{Column, Entity};
    let names = drafts.iter().map(|draft| draft.external_id.as_str());
    let by_id = table::find::<Entity, _>(tx, Column::ExternalId, names).await?;
    let by_sku = table::find::<Entity, _>(tx, Column::Sku, drafts.iter().map(sku)).await?;
    let codes = drafts.iter().map(|draft| draft.facts.family.as_str());
    let codes: HashSet<&str> = codes
        .filter(|code| !known.families.contains_key(*code))
        .collect();
    let families =
        table::find::<product_family::Entity, _>(tx, product_family::Column::Code, codes).await?;
    Ok(Stored {
        by_external_id: by_id
            .into_iter()
            .filter_map(|row| Some((row.external_id.clone()?, row)))
            .collect(),
        by_sku: by_sku
            .into_iter()
            .map(|row| (row.sku.clone(), row))
            .collect(),
        families: families.into_iter().map(|row| (row.code, row.id)).collect(),
    })
}

/// The products of these external ids that the import does not know yet, as far as they exist.
pub async fn find_all<'n>(
    tx: &Tx,
    known: &Known,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<HashMap<String, KnownProduct>> {
    let unknown: HashSet<&str> = names
        .into_iter()
        .filter(|name| !known.products.contains_key(*name))
        .collect();
    let rows = table::find::<product::Entity, _>(tx, product::Column::ExternalId, unknown).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((row.external_id.clone()?, facts_of(&row))))
        .collect())
}

fn facts_of(row: &product::Model) -> KnownProduct {
    KnownProduct {
        id: row.id,
        list_price: row.list_price_minor.zip(row.currency),
    }
}

/// The stock-keeping unit that the row tells; the external id where it tells none.
fn sku(draft: &Draft<Facts>) -> &str {
    draft.facts.sku.as_deref().unwrap_or(&draft.external_id)
}

fn decide(
    tx: &Tx,
    ground: &Ground,
    stored: &Stored,
    draft: &Draft<Facts>,
    writes: &mut Writes,
    learned: &mut Known,
) -> Fate {
    let known = stored.by_external_id.get(&draft.external_id);
    let before = known.or_else(|| {
        stored
            .by_sku
            .get(sku(draft))
            .filter(|row| row.external_id.is_none())
    });
    let mut after = updated(tx, ground, before, draft);
    if let Some(holder) = holder(ground, stored, &after, learned) {
        return Fate::refused("sku", format!("belongs to the product {holder:?}"));
    }
    after.family_id = family(tx, ground, stored, &draft.facts.family, writes, learned);
    learned
        .skus
        .insert(after.sku.clone(), draft.external_id.clone());
    learned
        .products
        .insert(draft.external_id.clone(), facts_of(&after));
    match before {
        Some(before) if *before == after => Fate::Unchanged,
        Some(_) => {
            after.version += 1;
            after.updated_at = tx.now();
            writes.changed.push(after);
            Fate::Changed
        }
        None => {
            writes.created.push(after);
            Fate::Created
        }
    }
}

/// The other product that has the same stock-keeping unit, by its external id or name.
fn holder(
    ground: &Ground,
    stored: &Stored,
    product: &product::Model,
    learned: &Known,
) -> Option<String> {
    let promised = learned
        .skus
        .get(&product.sku)
        .or_else(|| ground.known.skus.get(&product.sku));
    if let Some(other) = promised.filter(|other| product.external_id.as_ref() != Some(*other)) {
        return Some(other.clone());
    }
    let other = stored
        .by_sku
        .get(&product.sku)
        .filter(|other| other.id != product.id)?;
    Some(
        other
            .external_id
            .clone()
            .unwrap_or_else(|| other.name.clone()),
    )
}

fn family(
    tx: &Tx,
    ground: &Ground,
    stored: &Stored,
    code: &str,
    writes: &mut Writes,
    learned: &mut Known,
) -> ProductFamilyId {
    let known = learned
        .families
        .get(code)
        .or_else(|| ground.known.families.get(code));
    if let Some(id) = known.or_else(|| stored.families.get(code)) {
        return *id;
    }
    let id = tx.id();
    let family = product_family::Model {
        id,
        code: code.to_owned(),
        name: code.to_owned(),
        created_at: tx.now(),
    };
    writes.families.push(family);
    learned.families.insert(code.to_owned(), id);
    id
}

/// The product as the file tells it, without its family; what the file does not tell stays.
fn updated(
    tx: &Tx,
    ground: &Ground,
    before: Option<&product::Model>,
    draft: &Draft<Facts>,
) -> product::Model {
    let facts = &draft.facts;
    let kept = before.filter(|_| !ground.source.gives("list_price"));
    let price = kept.map_or(facts.price, |row| row.list_price_minor.zip(row.currency));
    let (list_price_minor, currency) = price.unzip();
    let kept_sku = before
        .filter(|_| !ground.source.gives("sku"))
        .map(|row| row.sku.clone());
    product::Model {
        id: before.map_or_else(|| tx.id(), |row| row.id),
        external_id: Some(draft.external_id.clone()),
        sku: kept_sku.unwrap_or_else(|| sku(draft).to_owned()),
        name: facts.name.clone(),
        family_id: before.map_or_else(|| tx.id(), |row| row.family_id),
        list_price_minor,
        currency,
        version: before.map_or(1, |row| row.version),
        created_at: before.map_or_else(|| tx.now(), |row| row.created_at),
        updated_at: before.map_or_else(|| tx.now(), |row| row.updated_at),
    }
}
