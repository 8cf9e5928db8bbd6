//! Reading and writing the catalogue. It is open to everybody who is signed in.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter,
    QuerySelect, QueryTrait, Select, sea_query::Expr,
};

use crate::{
    entity::{
        ids::{ProductFamilyId, ProductId},
        product, product_family,
    },
    error::Result,
    platform::{sql::any_of, text::Part},
    tx::{CHUNK, Tx},
};

/// Which products are wanted; all of it must hold.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The code of the family, as kept.
    pub family: Option<String>,
    /// Parts of the name, capital or small.
    pub name: Vec<Part>,
}

/// The products that are wanted.
#[must_use]
pub fn products(wanted: &Wanted) -> Select<product::Entity> {
    let named = wanted
        .name
        .iter()
        .map(|part| part.of_any_case(product::Column::Name));
    let all = product::Entity::find().filter(named.fold(Condition::all(), Condition::add));
    match &wanted.family {
        None => all,
        Some(code) => {
            let family = product_family::Entity::find()
                .select_only()
                .column(product_family::Column::Id);
            let family = family.filter(product_family::Column::Code.eq(code));
            // One value, not a set of them: the index over family and order then gives the order, too.
            let family = Expr::SubQuery(None, Box::new(family.into_query().into()));
            all.filter(Expr::col(product::Column::FamilyId.as_column_ref()).eq(family))
        }
    }
}

/// One product.
///
/// # Errors
/// The database failed.
pub async fn find<C: ConnectionTrait>(db: &C, id: ProductId) -> Result<Option<product::Model>> {
    Ok(product::Entity::find_by_id(id).one(db).await?)
}

/// One product, held against every other change until the end of the unit of work.
///
/// # Errors
/// The database failed.
pub async fn hold(tx: &Tx, id: ProductId) -> Result<Option<product::Model>> {
    Ok(product::Entity::find_by_id(id)
        .lock_exclusive()
        .one(tx)
        .await?)
}

/// Several products, in no order.
///
/// # Errors
/// The database failed.
pub async fn find_all<C: ConnectionTrait>(
    db: &C,
    ids: &[ProductId],
) -> Result<Vec<product::Model>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        found.extend(
            product::Entity::find()
                .filter(any_of(db, product::Column::Id, ids.iter().copied()))
                .all(db)
                .await?,
        );
    }
    Ok(found)
}

/// Whether a product has this stock-keeping number.
///
/// # Errors
/// The database failed.
pub async fn is_sku_taken(tx: &Tx, sku: &str) -> Result<bool> {
    Ok(product::Entity::find()
        .filter(product::Column::Sku.eq(sku))
        .count(tx)
        .await?
        > 0)
}

/// One family.
///
/// # Errors
/// The database failed.
pub async fn find_family<C: ConnectionTrait>(
    db: &C,
    id: ProductFamilyId,
) -> Result<Option<product_family::Model>> {
    Ok(product_family::Entity::find_by_id(id).one(db).await?)
}

/// The family of a code.
///
/// # Errors
/// The database failed.
pub async fn family_by_code<C: ConnectionTrait>(
    db: &C,
    code: &str,
) -> Result<Option<product_family::Model>> {
    Ok(product_family::Entity::find()
        .filter(product_family::Column::Code.eq(code))
        .one(db)
        .await?)
}

/// Several families, in no order.
///
/// # Errors
/// The database failed.
pub async fn find_families<C: ConnectionTrait>(
    db: &C,
    ids: &[ProductFamilyId],
) -> Result<Vec<product_family::Model>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        let of_these = product_family::Entity::find().filter(any_of(
            db,
            product_family::Column::Id,
            ids.iter().copied(),
        ));
        found.extend(of_these.all(db).await?);
    }
    Ok(found)
}

/// Writes a changed product over the version that was read; says whether that was still the stored one.
///
/// # Errors
/// The database failed.
pub async fn replace(
    tx: &Tx,
    row: product::ActiveModel,
    id: ProductId,
    version: i64,
) -> Result<bool> {
    let update = product::Entity::update_many()
        .set(row)
        .filter(product::Column::Id.eq(id));
    Ok(update
        .filter(product::Column::Version.eq(version))
        .exec(tx)
        .await?
        .rows_affected
        == 1)
}
