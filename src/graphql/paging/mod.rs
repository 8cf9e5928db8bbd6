//! Relay connections over keyset pages: no offset, no page that shifts while rows are added.

mod below;
mod cursor;
mod read;

pub use below::{Below, below};
pub use read::{Branches, cut, page};

use async_graphql::{InputObject, SimpleObject};

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
