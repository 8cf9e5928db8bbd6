//! Queries of the catalogue. It is open to everybody who is signed in.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter,
    QuerySelect, QueryTrait, Select, sea_query::Expr,
};

use crate::{
    access::{Action, Actor, Scope, Versioned, Visible, everybody},
    entity::{product, product_family},
    error::Result,
    platform::text::Part,
    tx::Tx,
};

impl Visible for product::Entity {
    const ID: Self::Column = product::Column::Id;
    const ARGUMENT: &'static str = "productId";
    const READ: Action = Action::CatalogRead;

    fn visible(scope: Scope) -> Condition {
        everybody(scope)
    }
}

impl Versioned for product::Entity {
    const VERSION: Self::Column = product::Column::Version;
    const UPDATED_AT: Option<Self::Column> = Some(product::Column::UpdatedAt);
}

impl Visible for product_family::Entity {
    const ID: Self::Column = product_family::Column::Id;
    const ARGUMENT: &'static str = "productFamilyId";
    const READ: Action = Action::CatalogRead;

    fn visible(scope: Scope) -> Condition {
        everybody(scope)
    }
}

/// Which products are wanted; all of it must hold.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The code of the family, as kept.
    pub family: Option<String>,
    /// Parts of the name, capital or small.
    pub name: Vec<Part>,
}

/// The products that are wanted and that an actor sees.
#[must_use]
pub fn products(actor: &Actor, wanted: &Wanted) -> Select<product::Entity> {
    let named = wanted
        .name
        .iter()
        .map(|part| part.of_any_case(product::Column::Name));
    let all = product::Entity::seen_by(actor).filter(named.fold(Condition::all(), Condition::add));
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

/// Whether a product has this stock-keeping number.
pub async fn is_sku_taken(tx: &Tx, sku: &str) -> Result<bool> {
    Ok(product::Entity::find()
        .filter(product::Column::Sku.eq(sku))
        .count(tx)
        .await?
        > 0)
}

/// The family of a code.
pub async fn family_by_code<C: ConnectionTrait>(
    db: &C,
    code: &str,
) -> Result<Option<product_family::Model>> {
    Ok(product_family::Entity::find()
        .filter(product_family::Column::Code.eq(code))
        .one(db)
        .await?)
}
