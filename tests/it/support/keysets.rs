//! Statements that read on behind a row the slow way.

use std::collections::BTreeSet;

/// Whether a statement reads the rows behind one as `a > x OR (a = x AND id > y)`: that reads all earlier rows again
/// for every chunk. Rows are compared as a whole, `(a, id) > (x, y)`.
pub fn reads_on_by_or(sql: &str) -> bool {
    let parts: Vec<&str> = sql.split(" OR ").collect();
    parts.windows(2).any(|pair| {
        let before = pair[0].rsplit('(').next().unwrap_or_default();
        let after = pair[1].trim_start_matches('(').split(')').next();
        let after = after.unwrap_or_default();
        let beyond = |text| columns(text, &[">", "<"]);
        let same = |text| columns(text, &["="]);
        !beyond(before).is_disjoint(&same(after)) || !same(before).is_disjoint(&beyond(after))
    })
}

/// The columns that a condition compares with one of these operators.
fn columns<'s>(condition: &'s str, operators: &[&str]) -> BTreeSet<&'s str> {
    let words: Vec<&str> = condition.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| operators.contains(&pair[1]))
        .map(|pair| pair[0])
        .collect()
}
