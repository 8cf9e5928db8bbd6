//! Which commission lines belong to a period, in one place for payout runs, statements and what is published.
//!
//! A line belongs to the period in which it was earned or taken back (`earned_at`), whenever it was recorded. What is
//! available (`available_at`) before the end of the period is due in it; the rest is held. What a refund takes back is
//! available when the refund happened, or together with the holdback that it is taken from. So a run and the statement
//! of one period see the same lines, also of facts that were recorded after the end of the period.
//!
//! Pure: decides from facts alone.

/// The condition in SQL that a line was earned or taken back before an instant.
#[must_use]
pub fn earned_before(instant: &str) -> String {
    format!("earned_at < {instant}")
}

/// The condition in SQL that a line was earned or taken back, and is available, before an instant. `line` is the name of
/// the table of lines.
#[must_use]
pub fn due_before(line: &str, instant: &str) -> String {
    format!(
        "{line}.available_at < {instant} AND {line}.{}",
        earned_before(instant)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_was_earned() {
        assert_eq!(earned_before("$2"), "earned_at < $2");
        assert_eq!(
            due_before("accrual", "$2"),
            "accrual.available_at < $2 AND accrual.earned_at < $2"
        );
    }
}
