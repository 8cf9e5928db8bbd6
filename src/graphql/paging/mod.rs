//! Relay connections over keyset pages: no offset, no page that shifts while rows are added.

mod below;
mod cursor;
mod read;

pub use below::{Below, below};
pub use read::{Branches, cut, page};

use async_graphql::{InputObject, SimpleObject};

use super::errors::top_level;
use crate::{
    error::{Faults, Refusal, Result},
    platform::text::Part,
};

/// The paging arguments of every list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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

    /// The same page of what `wrap` makes of its rows.
    #[must_use]
    pub fn map<T>(self, wrap: impl Fn(M) -> T) -> Page<T> {
        let rows = self.rows.into_iter();
        Page {
            rows: rows.map(|(cursor, row)| (cursor, wrap(row))).collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
            total: self.total,
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

/// What a list returns: its page, or an error; null with the error where the list below an object may be forbidden.
pub trait Answer<T> {
    /// The answer.
    fn of(page: Result<Page<T>>) -> Self;
}

impl<T, C: From<Page<T>>> Answer<T> for async_graphql::Result<C> {
    fn of(page: Result<Page<T>>) -> Self {
        page.map(C::from).map_err(top_level)
    }
}

impl<T, C: From<Page<T>>> Answer<T> for Option<async_graphql::Result<C>> {
    fn of(page: Result<Page<T>>) -> Self {
        Some(Answer::of(page))
    }
}

/// Declares the connection and edge of an object type.
#[macro_export]
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ident) => {
        #[doc = concat!("A page of `", stringify!($node), "` objects.")]
        pub struct $connection {
            edges: Vec<$edge>,
            page_info: $crate::graphql::paging::PageInfo,
            total_count: Option<i32>,
        }

        #[doc = concat!("A page of `", stringify!($node), "` objects.")]
        #[async_graphql::Object]
        impl $connection {
            /// The rows with their cursors.
            async fn edges(&self) -> $crate::graphql::List<&$edge> {
                self.edges.iter().collect()
            }

            /// Where this page stands in the list.
            fn page_info(&self) -> &$crate::graphql::paging::PageInfo {
                &self.page_info
            }

            /// All rows of the list, whatever the page. Counted only when asked for.
            #[graphql(directive = $crate::graphql::cost::points::apply("10".to_owned()))]
            fn total_count(&self) -> Option<i32> {
                self.total_count
            }

            /// The rows alone.
            async fn nodes(&self) -> $crate::graphql::List<&$node> {
                self.edges.iter().map(|edge| &edge.node).collect()
            }
        }

        #[doc = concat!("A `", stringify!($node), "` in a list.")]
        pub struct $edge {
            cursor: String,
            node: $node,
        }

        #[doc = concat!("A `", stringify!($node), "` in a list.")]
        #[async_graphql::Object]
        impl $edge {
            /// The row's place in this list, for `after` and `before`.
            fn cursor(&self) -> &str {
                &self.cursor
            }

            /// The row.
            async fn node(&self) -> &$node {
                &self.node
            }
        }

        impl $connection {
            /// Wraps a page of rows.
            pub fn of<M>(
                page: $crate::graphql::paging::Page<M>,
                wrap: impl Fn(M) -> $node,
            ) -> Self {
                page.map(wrap).into()
            }
        }

        impl From<$crate::graphql::paging::Page<$node>> for $connection {
            fn from(page: $crate::graphql::paging::Page<$node>) -> Self {
                Self {
                    page_info: $crate::graphql::paging::PageInfo {
                        has_previous_page: page.has_previous,
                        has_next_page: page.has_next,
                        start_cursor: page.rows.first().map(|(cursor, _)| cursor.clone()),
                        end_cursor: page.rows.last().map(|(cursor, _)| cursor.clone()),
                    },
                    edges: page
                        .rows
                        .into_iter()
                        .map(|(cursor, node)| $edge { cursor, node })
                        .collect(),
                    total_count: page.total,
                }
            }
        }
    };
}

/// Declares lists: fields that take the paging arguments, and others of their own, and return a connection.
///
/// ```ignore
/// lists! {
///     /// The lists of the catalogue.
///     CatalogLists {
///         /// The products, by stock-keeping number unless another order is asked for.
///         products(filter: ProductFilter = "Which products; all unless given.")
///             -> async_graphql::Result<ProductConnection> = products;
///     }
/// }
/// ```
///
/// `products` is the function that reads a page: it takes the context, the arguments in this order, each an `Option`, and
/// the [`PageArgs`], and returns a `Result<Page<Product>>`. The type declared becomes a member of the domain's merged
/// query. Lists below an object are declared as `PartnerLists of Partner { … }`; their functions take the object after the
/// context, and the object returns the type from a `#[graphql(flatten)]` method.
#[macro_export]
macro_rules! lists {
    ($(#[$doc:meta])* $name:ident { $($fields:tt)+ }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub struct $name;

        $crate::lists! { @fields ($name) () $($fields)+ }
    };
    ($(#[$doc:meta])* $name:ident of $object:ident { $($fields:tt)+ }) => {
        $(#[$doc])*
        pub struct $name<'a>(pub &'a $object);

        $crate::lists! { @fields ($name<'_>) (0) $($fields)+ }
    };
    (@fields ($name:ty) $object:tt $(
        $(#[$doc:meta])*
        $field:ident($($arg:ident: $type:ty = $desc:tt),* $(,)?) -> $answer:ty = $read:path;
    )+) => {
        #[async_graphql::Object]
        impl $name {
            $(
                $(#[$doc])*
                async fn $field(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                    $(#[graphql(desc = $desc)] $arg: Option<$type>,)*
                    #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
                    #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
                    #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")]
                    first: Option<i32>,
                    #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
                    last: Option<i32>,
                ) -> $answer {
                    let args = $crate::graphql::paging::PageArgs { after, before, first, last };
                    let page = $crate::lists!(@read $read, self, ctx, $object, ($($arg,)* args));
                    $crate::graphql::paging::Answer::of(page.await)
                }
            )+
        }
    };
    (@read $read:path, $self:ident, $ctx:ident, (), ($($arg:ident),*)) => {
        $read($ctx, $($arg),*)
    };
    (@read $read:path, $self:ident, $ctx:ident, (0), ($($arg:ident),*)) => {
        $read($ctx, $self.0, $($arg),*)
    };
}

/// Declares by what a list is sorted.
///
/// ```ignore
/// order! {
///     /// By what products are sorted.
///     ProductOrderField,
///     /// A sort of products; the id breaks ties.
///     ProductOrder of product, by Sku asc {
///         /// The stock-keeping number.
///         Sku = Some(product::Column::Sku),
///         /// When the product was added.
///         CreatedAt = None,
///     }
/// }
/// ```
///
/// Each field names its column, which must be indexed together with the id and not nullable; `None` is the order of the
/// ids, which is that of creation. `ProductOrder::sort` reads the argument `orderBy`; the list above is sorted by
/// stock-keeping number when it is left out, and each field ascending unless a direction is given.
#[macro_export]
macro_rules! order {
    ($(#[$field_doc:meta])* $field:ident, $(#[$doc:meta])* $order:ident of $table:ident, by $first:ident asc $fields:tt) => {
        $crate::order! { @ "crate::graphql::paging::Direction::Asc" Asc
            $(#[$field_doc])* $field, $(#[$doc])* $order, $table, $first, $fields }
    };
    ($(#[$field_doc:meta])* $field:ident, $(#[$doc:meta])* $order:ident of $table:ident, by $first:ident desc $fields:tt) => {
        $crate::order! { @ "crate::graphql::paging::Direction::Desc" Desc
            $(#[$field_doc])* $field, $(#[$doc])* $order, $table, $first, $fields }
    };
    (@ $default:tt $direction:ident $(#[$field_doc:meta])* $field:ident, $(#[$doc:meta])* $order:ident, $table:ident,
        $first:ident, { $($(#[$variant_doc:meta])* $variant:ident = $column:expr,)+ }) => {
        $(#[$field_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
        pub enum $field {
            $($(#[$variant_doc])* $variant,)+
        }

        $(#[$doc])*
        #[derive(Clone, Copy, Debug, async_graphql::InputObject)]
        pub struct $order {
            /// By what.
            field: $field,
            /// Which way.
            #[graphql(default_with = $default)]
            direction: $crate::graphql::paging::Direction,
        }

        impl $order {
            /// The order asked for, or the usual one.
            ///
            /// # Errors
            /// `BAD_USER_INPUT` at `orderBy` for more than one.
            pub fn sort(
                orders: Option<Vec<Self>>,
            ) -> $crate::error::Result<$crate::graphql::paging::Sort<$table::Column>> {
                let usual = Self {
                    field: $field::$first,
                    direction: $crate::graphql::paging::Direction::$direction,
                };
                let order = $crate::graphql::paging::one_order(orders)?.unwrap_or(usual);
                let column = match order.field {
                    $($field::$variant => $column,)+
                };
                Ok($crate::graphql::paging::Sort {
                    column,
                    id: $table::Column::Id,
                    direction: order.direction,
                })
            }
        }
    };
}
