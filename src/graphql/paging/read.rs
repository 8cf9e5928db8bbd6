//! Reading a page: one statement, whatever the size of the list.

use std::{collections::HashSet, fmt::Write as _};

use async_graphql::Context;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, ModelTrait, Order,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Value,
    sea_query::{Alias, Expr, Func, Query, SelectStatement, UnionType},
};

use super::{Direction, Page, PageArgs, Sort, cursor};
use crate::error::{Code, Error, Faults, Refusal, Result};

/// Rows of a page unless the caller asks for another number.
const DEFAULT_PAGE: u64 = 25;
/// The largest page.
const MAX_PAGE: u64 = 100;

/// Into how many branches a list of wanted values is split.
const SPLIT: usize = 8;

/// The rows of a list: those of one select, or those of several together. "Mine, or shared with me" is one index each
/// as two selects, and a walk through the whole table as one condition.
#[derive(Clone, Debug)]
pub struct Branches<E: EntityTrait>(Vec<Select<E>>);

impl<E: EntityTrait> Branches<E> {
    /// These selects together; at least one.
    #[must_use]
    pub const fn of(selects: Vec<Select<E>>) -> Self {
        Self(selects)
    }

    /// The rows with one of these values in a column, each value a branch: an index over the column and the order then
    /// gives every branch in order. Rows with any value when none is asked for.
    #[must_use]
    pub fn among<V>(self, column: E::Column, values: Option<Vec<V>>) -> Self
    where
        V: Into<Value> + Clone,
    {
        let Some(values) = values else {
            return self;
        };
        let mut values: Vec<Value> = values.into_iter().map(Into::into).collect();
        let mut seen = HashSet::new();
        values.retain(|value| seen.insert(value.clone()));
        // Nothing is asked for, or more than is worth a branch each.
        if self.0.len() > 1 || !(1..=SPLIT).contains(&values.len()) {
            return self.filter(Condition::all().add(column.is_in(values)));
        }
        let branches = self.0.into_iter().flat_map(|branch| {
            let of = |value: &Value| branch.clone().filter(column.eq(value.clone()));
            values.iter().map(of).collect::<Vec<_>>()
        });
        Self(branches.collect())
    }

    /// The rows of every branch that meet a condition.
    #[must_use]
    pub fn filter(self, condition: Condition) -> Self {
        let branches = self.0.into_iter();
        Self(
            branches
                .map(|branch| branch.filter(condition.clone()))
                .collect(),
        )
    }
}

impl<E: EntityTrait> From<Select<E>> for Branches<E> {
    fn from(select: Select<E>) -> Self {
        Self(vec![select])
    }
}

/// Reads one page of a list.
///
/// # Errors
/// `BAD_USER_INPUT` for impossible paging arguments, `INVALID_CURSOR` for a cursor of another list.
pub async fn page<E, C>(
    ctx: &Context<'_>,
    db: &C,
    rows: impl Into<Branches<E>>,
    sort: Sort<E::Column>,
    args: PageArgs,
) -> Result<Page<E::Model>>
where
    E: EntityTrait,
    E::Model: FromQueryResult + ModelTrait<Entity = E> + Send + Sync,
    C: ConnectionTrait,
{
    let rows = rows.into();
    let window = Window::<E>::of(sort, &args)?;
    let total = if counted(ctx) {
        Some(count(db, sort, rows.clone()).await?)
    } else {
        None
    };
    let mut statement = window.select(rows).build(db.get_database_backend());
    // As a number of the text: for a parameter PostgreSQL would plan the statement anew each time.
    let _ = write!(statement.sql, " LIMIT {}", window.size + 1);
    let found = E::find().from_raw_sql(statement).all(db).await?;
    Ok(window.page(found, total))
}

/// Whether the number of all rows is asked for.
pub(super) fn counted(ctx: &Context<'_>) -> bool {
    ctx.look_ahead().field("totalCount").exists()
}

/// A number of rows as the API tells it.
pub(super) fn number(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

async fn count<E: EntityTrait, C: ConnectionTrait>(
    db: &C,
    sort: Sort<E::Column>,
    rows: Branches<E>,
) -> Result<i32> {
    let ids = rows.0.into_iter().map(|branch| ids(branch, sort));
    let mut query = Query::select();
    query
        .expr(Func::count(Expr::col(sort.id)))
        .from_subquery(union(sort, ids), Alias::new("list"));
    let row = db.query_one(&query).await?;
    let row = row.ok_or_else(|| Error::internal("a count has no row"))?;
    Ok(number(row.try_get_by_index(0)?))
}

/// The leading column comes along, because a distinct select is sorted by what it selects.
fn ids<E: EntityTrait>(select: Select<E>, sort: Sort<E::Column>) -> SelectStatement {
    let ids = select.select_only().column(sort.id);
    match sort.column {
        Some(column) => ids.column(column).into_query(),
        None => ids.into_query(),
    }
}

/// The ids of several selects together. Each is wrapped, because SQLite sorts and bounds only whole unions.
pub(super) fn union<C: ColumnTrait>(
    sort: Sort<C>,
    branches: impl IntoIterator<Item = SelectStatement>,
) -> SelectStatement {
    let wrapped = branches.into_iter().map(|branch| {
        let mut select = Query::select();
        select
            .column(sort.id)
            .from_subquery(branch, Alias::new("branch"));
        select
    });
    wrapped
        .reduce(|mut all, branch| {
            all.union(UnionType::Distinct, branch);
            all
        })
        .unwrap_or_default()
}

/// Which part of a list is read, in which order.
#[derive(Clone, Debug)]
pub(super) struct Window<E: EntityTrait> {
    sort: Sort<E::Column>,
    size: u64,
    backward: bool,
    beyond: Condition,
    after: bool,
    before: bool,
}

impl<E: EntityTrait> Window<E> {
    /// Checks what was asked for.
    ///
    /// # Errors
    /// As [`page`].
    pub(super) fn of(sort: Sort<E::Column>, args: &PageArgs) -> Result<Self> {
        let (size, backward) = limits(args)?;
        let descending = sort.direction == Direction::Desc;
        let mut beyond = Condition::all();
        for (cursor, greater, path) in [
            (&args.after, !descending, "after"),
            (&args.before, descending, "before"),
        ] {
            if let Some(text) = cursor {
                beyond = beyond.add(cursor::beyond::<E>(sort, text, greater, path)?);
            }
        }
        Ok(Self {
            sort,
            size,
            backward,
            beyond,
            after: args.after.is_some(),
            before: args.before.is_some(),
        })
    }

    /// The rows of the window and those behind it, in order.
    pub(super) fn select(&self, rows: Branches<E>) -> Select<E> {
        match <[_; 1]>::try_from(rows.0) {
            Ok([only]) => self.ordered(only.filter(self.beyond.clone())),
            Err(several) => {
                let branches = several.into_iter().map(|branch| self.ids(branch));
                let any = self.sort.id.in_subquery(union(self.sort, branches));
                self.ordered(E::find().filter(any))
            }
        }
    }

    /// The ids of the rows of the window in one branch, and one more if there is one.
    pub(super) fn ids(&self, branch: Select<E>) -> SelectStatement {
        ids(self.cut(branch), self.sort)
    }

    /// The rows of the window in one select, and one more if there is one.
    pub(super) fn cut(&self, select: Select<E>) -> Select<E> {
        self.ordered(select.filter(self.beyond.clone()))
            .limit(self.size + 1)
    }

    /// A page that is counted from the end is read from the end, then turned round.
    pub(super) fn ordered(&self, select: Select<E>) -> Select<E> {
        let order = if (self.sort.direction == Direction::Desc) == self.backward {
            Order::Asc
        } else {
            Order::Desc
        };
        let select = match self.sort.column {
            Some(column) => select.order_by(column, order.clone()),
            None => select,
        };
        select.order_by(self.sort.id, order)
    }

    /// The page that these rows are.
    pub(super) fn page(&self, mut models: Vec<E::Model>, total: Option<i32>) -> Page<E::Model>
    where
        E::Model: ModelTrait<Entity = E>,
    {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = models.len() > size;
        models.truncate(size);
        if self.backward {
            models.reverse();
        }
        let (has_next, has_previous) = if self.backward {
            (self.before, more)
        } else {
            (more, self.after)
        };
        let rows = models.into_iter();
        Page {
            rows: rows
                .map(|model| (cursor::cursor::<E>(self.sort, &model), model))
                .collect(),
            has_next,
            has_previous,
            total,
        }
    }
}

/// Cuts one page out of rows that a loader has read, which come in the order of the list. A cursor is the row's id.
///
/// # Errors
/// As [`page`].
pub fn cut<M>(rows: Vec<M>, id: impl Fn(&M) -> String, args: &PageArgs) -> Result<Page<M>> {
    let (limit, backward) = limits(args)?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let place = |cursor: &Option<String>, path: &str| match cursor {
        None => Ok(None),
        Some(text) => match rows.iter().position(|row| id(row) == *text) {
            Some(place) => Ok(Some(place)),
            None => Err(
                Refusal::new(Code::InvalidCursor, "The cursor is not one of this list.").at(path),
            ),
        },
    };
    let start = place(&args.after, "after")?.map_or(0, |place| place + 1);
    let end = place(&args.before, "before")?
        .unwrap_or(rows.len())
        .max(start);
    let (start, end) = if backward {
        (end.saturating_sub(size).max(start), end)
    } else {
        (start, end.min(start + size))
    };
    let total = Some(i32::try_from(rows.len()).unwrap_or(i32::MAX));
    let (has_next, has_previous) = (end < rows.len(), start > 0);
    let rows = rows
        .into_iter()
        .skip(start)
        .take(end - start)
        .map(|row| (id(&row), row))
        .collect();
    Ok(Page {
        rows,
        has_next,
        has_previous,
        total,
    })
}

fn limits(args: &PageArgs) -> Result<(u64, bool)> {
    let mut faults = Faults::default();
    let (path, wanted, backward) = match (args.first, args.last) {
        (Some(_), Some(_)) => {
            faults.add("last", "Use either `first` or `last`, not both.");
            ("first", None, false)
        }
        (first, None) => ("first", first, false),
        (None, last) => ("last", last, true),
    };
    let wanted = wanted.map_or(Some(DEFAULT_PAGE), |wanted| u64::try_from(wanted).ok());
    match wanted {
        Some(size) if size <= MAX_PAGE => {
            faults.check()?;
            Ok((size, backward))
        }
        _ => {
            let found = args.first.or(args.last).unwrap_or_default();
            faults.add(
                path,
                format!("`{path}` must be from 0 to {MAX_PAGE}, found {found}."),
            );
            faults.check()?;
            Ok((0, backward))
        }
    }
}
