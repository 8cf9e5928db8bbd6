//! Relay connections over keyset pages: no offset, no page that shifts while rows are added.

use async_graphql::{Context, InputObject, SimpleObject};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, FromQueryResult, ModelTrait,
    Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select, Value,
    sea_query::{Expr, SimpleExpr},
};
use serde_json::json;

use crate::{
    error::{Code, Faults, Refusal, Result},
    platform::{ids::TypedId, text::Part, window::Window},
};

/// Rows of a page unless the caller asks for another number.
const DEFAULT_PAGE: u64 = 25;
/// The largest page.
const MAX_PAGE: u64 = 100;

/// The paging arguments of every list.
#[derive(Clone, Debug, Default)]
pub struct PageArgs {
    /// Rows after this cursor.
    pub after: Option<String>,
    /// Rows before this cursor.
    pub before: Option<String>,
    /// The first so many.
    pub first: Option<i32>,
    /// The last so many.
    pub last: Option<i32>,
}

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, async_graphql::Enum)]
pub enum Direction {
    /// Smallest or oldest first.
    Asc,
    /// Largest or newest first.
    #[default]
    Desc,
}

/// The sort of a list: an indexed column, if any, and always the id.
#[derive(Clone, Copy, Debug)]
pub struct Sort<C> {
    /// The leading column; it must not be nullable.
    pub column: Option<C>,
    /// The id, the tie-break.
    pub id: C,
    /// Which way.
    pub direction: Direction,
}

/// A page of rows with their cursors.
#[derive(Clone, Debug)]
pub struct Page<M> {
    /// The rows, in the order of the list, each with its cursor.
    pub rows: Vec<(String, M)>,
    /// Whether rows follow.
    pub has_next: bool,
    /// Whether rows precede.
    pub has_previous: bool,
    /// All rows of the list, when asked for.
    pub total: Option<i32>,
}

impl<M> Page<M> {
    /// A page without rows, for a list that the caller may see nothing of.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            rows: Vec::new(),
            has_next: false,
            has_previous: false,
            total: Some(0),
        }
    }
}

/// Information about a page, as Relay defines it.
#[derive(Clone, Debug, SimpleObject)]
pub struct PageInfo {
    /// Whether rows precede this page.
    pub has_previous_page: bool,
    /// Whether rows follow this page.
    pub has_next_page: bool,
    /// The cursor of the first row; null on an empty page.
    pub start_cursor: Option<String>,
    /// The cursor of the last row; null on an empty page.
    pub end_cursor: Option<String>,
}

/// Reads one page of a filtered select.
///
/// # Errors
/// `BAD_USER_INPUT` for impossible paging arguments, `INVALID_CURSOR` for a cursor of another list.
pub async fn page<E, C>(
    ctx: &Context<'_>,
    db: &C,
    select: Select<E>,
    sort: Sort<E::Column>,
    args: PageArgs,
) -> Result<Page<E::Model>>
where
    E: EntityTrait,
    E::Model: FromQueryResult + ModelTrait<Entity = E> + Send + Sync,
    C: ConnectionTrait,
{
    let (limit, backward) = limits(&args)?;
    let total = if ctx.look_ahead().field("totalCount").exists() {
        Some(i32::try_from(select.clone().count(db).await?).unwrap_or(i32::MAX))
    } else {
        None
    };
    let descending = sort.direction == Direction::Desc;
    let mut query = select;
    for (cursor, beyond_is_greater, path) in [
        (&args.after, !descending, "after"),
        (&args.before, descending, "before"),
    ] {
        if let Some(text) = cursor {
            query = query.filter(beyond::<E>(sort, text, beyond_is_greater, path)?);
        }
    }
    // A page that is counted from the end is read from the end, then turned round.
    let order = if descending == backward {
        Order::Asc
    } else {
        Order::Desc
    };
    if let Some(column) = sort.column {
        query = query.order_by(column, order.clone());
    }
    let mut models = query
        .order_by(sort.id, order)
        .limit(limit + 1)
        .all(db)
        .await?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = models.len() > size;
    models.truncate(size);
    if backward {
        models.reverse();
    }
    let (has_next, has_previous) = if backward {
        (args.before.is_some(), more)
    } else {
        (more, args.after.is_some())
    };
    let rows = models
        .into_iter()
        .map(|model| (cursor::<E>(sort, &model), model))
        .collect();
    Ok(Page {
        rows,
        has_next,
        has_previous,
        total,
    })
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

impl Window {
    /// The page of a list in the order of its ids. Cursors are ids in text.
    ///
    /// # Errors
    /// As [`page`].
    pub fn of<I: TypedId>(args: &PageArgs) -> Result<Self> {
        let (limit, backward) = limits(args)?;
        let cursor = |text: &Option<String>, path: &str| {
            let Some(text) = text else { return Ok(None) };
            let unknown = "The cursor is not one of this list.";
            let id = I::parse(text)
                .ok_or_else(|| Refusal::new(Code::InvalidCursor, unknown).at(path))?;
            Ok::<_, Refusal>(Some(id.uuid()))
        };
        Ok(Self {
            after: cursor(&args.after, "after")?,
            before: cursor(&args.before, "before")?,
            rows: limit + 1,
            backward,
        })
    }

    /// Makes a page of the rows that were read for one parent, which come in the order of the list.
    pub fn page<M>(
        self,
        mut rows: Vec<M>,
        id: impl Fn(&M) -> String,
        total: Option<i32>,
    ) -> Page<M> {
        let size = usize::try_from(self.rows - 1).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        let (has_next, has_previous) = if self.backward {
            rows.drain(..rows.len().saturating_sub(size));
            (self.before.is_some(), more)
        } else {
            rows.truncate(size);
            (more, self.after.is_some())
        };
        Page {
            rows: rows.into_iter().map(|row| (id(&row), row)).collect(),
            has_next,
            has_previous,
            total,
        }
    }
}

fn limits(args: &PageArgs) -> Result<(u64, bool)> {
    let mut faults = Faults::default();
    let (path, wanted, backward) = match (args.first, args.last) {
        (Some(_), Some(_)) => {
            faults.add("last", "use either first or last");
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
            faults.add(path, format!("must be from 0 to {MAX_PAGE}"));
            faults.check()?;
            Ok((0, backward))
        }
    }
}

/// The list is part of the cursor, so that one of another list or sort is refused.
fn cursor<E: EntityTrait>(sort: Sort<E::Column>, model: &E::Model) -> String
where
    E::Model: ModelTrait<Entity = E>,
{
    let key = sort.column.map(|column| text(&model.get(column)));
    let id = text(&model.get(sort.id));
    let content = json!([name::<E>(sort), key, id]).to_string();
    crate::platform::audit::hex(content.as_bytes())
}

fn name<E: EntityTrait>(sort: Sort<E::Column>) -> String {
    use sea_orm::IdenStatic;
    let entity = E::default();
    let column = sort.column.map_or("id", |column| column.as_str());
    format!("{}.{column}", entity.unquoted())
}

fn text(value: &Value) -> String {
    match value {
        Value::Uuid(Some(id)) => id.to_string(),
        Value::String(Some(text)) => text.to_string(),
        Value::ChronoDateTimeUtc(Some(at)) => {
            at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
        }
        other => other.to_string(),
    }
}

fn beyond<E: EntityTrait>(
    sort: Sort<E::Column>,
    cursor: &str,
    greater: bool,
    path: &str,
) -> Result<Condition> {
    let invalid =
        || Refusal::new(Code::InvalidCursor, "The cursor is not one of this list.").at(path);
    let content = unhex(cursor).ok_or_else(invalid)?;
    let (list, key, id): (String, Option<String>, String) =
        serde_json::from_slice(&content).map_err(|_| invalid())?;
    let unprintable = key
        .as_deref()
        .is_some_and(|key| key.contains(char::is_control));
    if list != name::<E>(sort) || key.is_some() != sort.column.is_some() || unprintable {
        return Err(invalid().into());
    }
    let id: uuid::Uuid = id.parse().map_err(|_| invalid())?;
    let expression: SimpleExpr = match (sort.column, key) {
        (Some(column), Some(key)) => {
            let key: Value = match column.def().get_column_type() {
                sea_orm::sea_query::ColumnType::TimestampWithTimeZone
                | sea_orm::sea_query::ColumnType::Timestamp => {
                    let at: chrono::DateTime<chrono::Utc> = key.parse().map_err(|_| invalid())?;
                    at.into()
                }
                _ => key.into(),
            };
            let left = Expr::tuple([
                Expr::col(column.as_column_ref()),
                Expr::col(sort.id.as_column_ref()),
            ]);
            let right = Expr::tuple([Expr::value(key), Expr::value(id)]);
            if greater {
                left.gt(right)
            } else {
                left.lt(right)
            }
        }
        _ => {
            let column = Expr::col(sort.id.as_column_ref());
            if greater {
                column.gt(id)
            } else {
                column.lt(id)
            }
        }
    };
    Ok(Condition::all().add(expression))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() > 2_000 || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

/// A range of instants; both ends may be open.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub struct DateTimeFilter {
    /// At this instant or later.
    pub gte: Option<super::scalars::DateTime>,
    /// Before this instant.
    pub lt: Option<super::scalars::DateTime>,
}

/// A text found by a part of it, whatever the case. Several conditions must all hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct TextFilter {
    /// The text has this anywhere; 1 to 200 characters.
    pub contains: Option<String>,
    /// The text begins with this; 1 to 200 characters.
    pub starts_with: Option<String>,
}

impl TextFilter {
    /// The parts to look for, with a fault for each that is blank or too long.
    pub fn read(self, faults: &mut Faults, path: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        if let Some(text) = self.contains {
            parts.push(Part::Anywhere(faults.text(
                &format!("{path}.contains"),
                &text,
                200,
            )));
        }
        if let Some(text) = self.starts_with {
            parts.push(Part::Beginning(faults.text(
                &format!("{path}.startsWith"),
                &text,
                200,
            )));
        }
        parts
    }
}

/// The one sort of a list, or the sort it has when none is asked for.
///
/// # Errors
/// `BAD_USER_INPUT` at `orderBy` for more than one: the id is the only tie-break that every list has.
pub fn one_order<T>(orders: Option<Vec<T>>) -> Result<Option<T>> {
    let mut orders = orders.unwrap_or_default();
    if orders.len() > 1 {
        return Err(Refusal::input("orderBy", "at most one; the id breaks ties").into());
    }
    Ok(orders.pop())
}

/// Declares the connection and edge of an object type.
#[macro_export]
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ident) => {
        #[doc = concat!("A page of `", stringify!($node), "` objects.")]
        #[derive(async_graphql::SimpleObject)]
        pub struct $connection {
            /// The rows with their cursors.
            edges: Vec<$edge>,
            /// The rows alone.
            nodes: Vec<$node>,
            /// Where this page stands in the list.
            page_info: $crate::graphql::paging::PageInfo,
            /// All rows of the list, whatever the page. Counted only when asked for.
            total_count: Option<i32>,
        }

        #[doc = concat!("A `", stringify!($node), "` in a list.")]
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// The row's place in this list, for `after` and `before`.
            cursor: String,
            /// The row.
            node: $node,
        }

        impl $connection {
            /// Wraps a page of rows.
            pub fn of<M: Clone>(
                page: $crate::graphql::paging::Page<M>,
                wrap: impl Fn(M) -> $node,
            ) -> Self {
                Self {
                    page_info: $crate::graphql::paging::PageInfo {
                        has_previous_page: page.has_previous,
                        has_next_page: page.has_next,
                        start_cursor: page.rows.first().map(|(cursor, _)| cursor.clone()),
                        end_cursor: page.rows.last().map(|(cursor, _)| cursor.clone()),
                    },
                    nodes: page
                        .rows
                        .iter()
                        .map(|(_, model)| wrap(model.clone()))
                        .collect(),
                    edges: page
                        .rows
                        .into_iter()
                        .map(|(cursor, model)| $edge {
                            cursor,
                            node: wrap(model),
                        })
                        .collect(),
                    total_count: page.total,
                }
            }
        }
    };
}
