//! Lists below the objects of a list: read for all of them in one statement.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::{Hash, Hasher},
    sync::Arc,
};

use async_graphql::{Context, dataloader::Loader};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, ModelTrait, QueryFilter,
    QuerySelect, Select, Value,
    sea_query::{Alias, Expr, JoinType, Query, SelectStatement, SimpleExpr},
};
use uuid::Uuid;

use super::{
    Page, PageArgs, Sort,
    read::{Window, counted, number, union},
};
use crate::{
    access::Visible,
    error::{Error, Result},
    graphql::context::{ContextExt, LoadError, Rows},
    platform::{ids::TypedId, sql::padded},
};

/// How many parents one statement serves: SQLite joins at most 500 selects, and a page has at most 100 rows.
const PARENTS: usize = 128;

/// A list below an object. A value of the type says which rows of the list are wanted.
pub trait Below: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// Its rows.
    type Entity: Visible;

    /// The column that names the object.
    fn parent() -> <Self::Entity as EntityTrait>::Column;

    /// The order; an index over the parent, the leading column and the id serves it.
    fn sort() -> Sort<<Self::Entity as EntityTrait>::Column>;

    /// The rows that the caller may see, of whichever object.
    fn rows(&self, rows: &Rows) -> Select<Self::Entity> {
        Self::Entity::seen_by(&rows.actor)
    }
}

/// Reads a page of a list below an object.
///
/// # Errors
/// As [`super::page`].
pub async fn below<B: Below>(
    ctx: &Context<'_>,
    parent: impl TypedId,
    list: B,
    args: PageArgs,
) -> Result<Page<<B::Entity as EntityTrait>::Model>> {
    // What cannot be read is refused to this field alone, not to all that wait for the statement.
    Window::<B::Entity>::of(B::sort(), &args)?;
    let key = PageOf {
        list,
        parent: parent.uuid(),
        args,
        counted: counted(ctx),
    };
    let page = ctx.loaders().load_one(key).await;
    page.map_err(|error| Error::Internal(Box::new(error)))?
        .ok_or_else(|| Error::internal("a list was not read"))
}

#[derive(Clone, Debug)]
struct PageOf<B> {
    parent: Uuid,
    list: B,
    args: PageArgs,
    counted: bool,
}

impl<B: Below> PageOf<B> {
    /// What one statement has in common.
    const fn shape(&self) -> (&B, &PageArgs, bool) {
        (&self.list, &self.args, self.counted)
    }
}

impl<B: Below> PartialEq for PageOf<B> {
    fn eq(&self, other: &Self) -> bool {
        self.parent == other.parent && self.shape() == other.shape()
    }
}

impl<B: Below> Eq for PageOf<B> {}

impl<B: Below> Hash for PageOf<B> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parent.hash(state);
    }
}

impl<B: Below> Loader<PageOf<B>> for Rows {
    type Value = Page<<B::Entity as EntityTrait>::Model>;
    type Error = LoadError;

    async fn load(&self, keys: &[PageOf<B>]) -> Result<HashMap<PageOf<B>, Self::Value>, LoadError> {
        let mut shapes: HashMap<_, Vec<&PageOf<B>>> = HashMap::new();
        for key in keys {
            shapes.entry(key.shape()).or_default().push(key);
        }
        let mut found = HashMap::with_capacity(keys.len());
        for keys in shapes.into_values() {
            for keys in keys.chunks(PARENTS) {
                read(self, keys, &mut found).await.map_err(Arc::new)?;
            }
        }
        Ok(found)
    }
}

/// Reads the pages of some objects that differ in nothing but the object.
async fn read<B: Below>(
    rows: &Rows,
    keys: &[&PageOf<B>],
    found: &mut HashMap<PageOf<B>, Page<<B::Entity as EntityTrait>::Model>>,
) -> Result<()> {
    let Some(first) = keys.first() else {
        return Ok(());
    };
    let window = Window::<B::Entity>::of(B::sort(), &first.args)?;
    let parents: Vec<Uuid> = keys.iter().map(|key| key.parent).collect();
    let select = first.list.rows(rows);
    let mut totals = if first.counted {
        Some(count::<B>(rows, select.clone(), &parents).await?)
    } else {
        None
    };
    let models = match parents.as_slice() {
        [only] => window.cut(select.filter(B::parent().eq(*only))),
        _ => {
            let of_each = of_each::<B>(rows, &window, select, &parents);
            window.ordered(B::Entity::find().filter(B::sort().id.in_subquery(of_each)))
        }
    };
    let mut lists: HashMap<Uuid, Vec<_>> = HashMap::with_capacity(keys.len());
    for model in models.all(&rows.db).await? {
        if let Value::Uuid(Some(parent)) = model.get(B::parent()) {
            lists.entry(parent).or_default().push(model);
        }
    }
    for key in keys {
        let total = totals
            .as_mut()
            .map(|totals| number(totals.remove(&key.parent).unwrap_or_default()));
        let models = lists.remove(&key.parent).unwrap_or_default();
        found.insert((*key).clone(), window.page(models, total));
    }
    Ok(())
}

/// The ids of the first rows of each object. Each object's rows end with its page, however long its list: on
/// PostgreSQL by a lateral join, on SQLite, which has none, by one select for each object.
fn of_each<B: Below>(
    rows: &Rows,
    window: &Window<B::Entity>,
    select: Select<B::Entity>,
    parents: &[Uuid],
) -> SelectStatement {
    let of = |parent: SimpleExpr| {
        let same = Expr::col(B::parent().as_column_ref()).eq(parent);
        window.ids(select.clone().filter(same))
    };
    if rows.db.get_database_backend() == DbBackend::Sqlite {
        return union(B::sort(), parents.iter().map(|id| of(Expr::value(*id))));
    }
    let (parent, row) = (Alias::new("parent"), Alias::new("row"));
    let mut ids = Query::select();
    ids.column((row.clone(), B::sort().id))
        .from_values(padded(parents), parent.clone())
        .join_lateral(
            JoinType::InnerJoin,
            of(Expr::col((parent, Alias::new("column1")))),
            row,
            Expr::value(true),
        );
    ids
}

async fn count<B: Below>(
    rows: &Rows,
    select: Select<B::Entity>,
    parents: &[Uuid],
) -> Result<HashMap<Uuid, i64>> {
    let counts = select
        .filter(B::parent().is_in(padded(parents)))
        .select_only()
        .column(B::parent())
        .column_as(B::sort().id.count(), "rows")
        .group_by(B::parent());
    let counts: Vec<(Uuid, i64)> = counts.into_tuple().all(&rows.db).await?;
    Ok(counts.into_iter().collect())
}
