//! Small pieces of SQL text that bulk statements are put together from.

use std::fmt::Write as _;

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

/// A length as the databases count rows.
#[must_use]
pub fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn parameters_are_numbered_row_by_row() {
        assert_eq!(super::rows(2, 2), "($1,$2),($3,$4)");
        assert_eq!(super::rows(1, 3), "($1,$2,$3)");
        assert_eq!(super::rows(0, 2), "");
    }
}
