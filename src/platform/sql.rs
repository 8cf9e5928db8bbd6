//! Small pieces of SQL text that bulk statements are put together from.

use std::fmt::Write as _;

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, ExprTrait, Value,
    sea_query::{Expr, SimpleExpr},
};
use uuid::Uuid;

use super::ids::TypedId;

/// The rows of a VALUES list with numbered parameters: two rows of two columns are `($1,$2),($3,$4)`.
///
/// Both databases call the columns of such a list `column1`, `column2` and so on.
#[must_use]
pub fn rows(count: usize, columns: usize) -> String {
    let mut text = String::with_capacity(count * columns * 6);
    for row in 0..count {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 1..=columns {
            let comma = if column == 1 { "" } else { "," };
            let _ = write!(text, "{comma}${}", row * columns + column);
        }
        text.push(')');
    }
    text
}

/// The same values, the last repeated up to the next power of two: lists of any length then need few different
/// statements, and connections keep them prepared.
#[must_use]
pub fn padded<T: Clone>(values: &[T]) -> Vec<T> {
    let mut padded = values.to_vec();
    if let Some(last) = values.last() {
        padded.resize(values.len().next_power_of_two(), last.clone());
    }
    padded
}

/// Up to how many ids are looked up in an index one by one.
const FEW: usize = 256;

/// Whether a column has one of these ids. On PostgreSQL they are one array, so that there is one statement however many
/// there are, prepared once. The few of a page are looked up in the index of the column, and come from a select of their
/// own, because for an array whose length the planner sees it plans anew each time. The many of a batch are rows to join
/// with, because where another index leads, each row is compared with an array value by value. SQLite knows no arrays.
pub fn any_of<C: ConnectionTrait, I: TypedId>(
    db: &C,
    column: impl ColumnTrait,
    ids: impl IntoIterator<Item = I>,
) -> SimpleExpr {
    let ids: Vec<Uuid> = ids.into_iter().map(TypedId::uuid).collect();
    if db.get_database_backend() == DbBackend::Sqlite {
        return column.is_in(padded(&ids));
    }
    let mut array = String::from("{");
    for (place, id) in ids.iter().enumerate() {
        let _ = write!(array, "{}{id}", if place == 0 { "" } else { "," });
    }
    array.push('}');
    let condition = if ids.len() <= FEW {
        "$1 = ANY((SELECT $2::text)::uuid[])"
    } else {
        "$1 IN (SELECT unnest($2::text::uuid[]))"
    };
    let column = Expr::col(column.as_column_ref());
    Expr::cust_with_exprs(condition, [column, Expr::value(array)])
}

/// The rows after one in the order of these columns, the last of which is unique: a comparison of whole rows, which an
/// index over the columns starts at. `a > x OR (a = x AND id > y)` says the same and reads all earlier rows again.
/// The columns must not be nullable and are in ascending order.
pub fn after<const N: usize>(columns: [impl ColumnTrait; N], row: [Value; N]) -> SimpleExpr {
    let columns = columns.map(|column| Expr::col(column.as_column_ref()));
    Expr::tuple(columns).gt(Expr::tuple(row.map(Expr::value)))
}

/// A length as the databases count rows.
#[must_use]
pub fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_grow_by_doubling() {
        assert!(super::padded::<u8>(&[]).is_empty());
        assert_eq!(super::padded(&[1]), [1]);
        assert_eq!(super::padded(&[1, 2, 3]), [1, 2, 3, 3]);
        assert_eq!(super::padded(&[1, 2, 3, 4]), [1, 2, 3, 4]);
    }

    #[test]
    fn parameters_are_numbered_row_by_row() {
        assert_eq!(super::rows(2, 2), "($1,$2),($3,$4)");
        assert_eq!(super::rows(1, 3), "($1,$2,$3)");
        assert_eq!(super::rows(0, 2), "");
    }
}
