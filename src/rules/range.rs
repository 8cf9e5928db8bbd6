//! When a version of rules holds, and how it gives way to its successor.
//!
//! Pure: decides from facts alone.

use chrono::{DateTime, Utc};

/// A span of time: from an instant on, before another or without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first instant.
    pub from: DateTime<Utc>,
    /// The instant at which it is over; none for a range without end.
    pub until: Option<DateTime<Utc>>,
}

/// What becomes of a range when a successor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succession {
    /// It was over before.
    Keeps,
    /// It ends where the successor begins.
    EndsAt(DateTime<Utc>),
    /// The successor leaves it no time.
    Superseded,
}

impl Range {
    /// From an instant on, without end.
    #[must_use]
    pub const fn since(from: DateTime<Utc>) -> Self {
        Self { from, until: None }
    }

    /// Whether it has any time at all.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.until.is_some_and(|until| until <= self.from)
    }

    /// Whether the instant lies in it.
    #[must_use]
    pub fn contains(self, at: DateTime<Utc>) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }

    /// Whether an instant lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        !self.is_empty()
            && !other.is_empty()
            && self.until.is_none_or(|until| other.from < until)
            && other.until.is_none_or(|until| self.from < until)
    }

    /// What becomes of it when a successor begins at `begins`.
    #[must_use]
    pub fn give_way(self, begins: DateTime<Utc>) -> Succession {
        if self.until.is_some_and(|until| until <= begins) {
            Succession::Keeps
        } else if begins <= self.from {
            Succession::Superseded
        } else {
            Succession::EndsAt(begins)
        }
    }
}

/// Which of these ranges ends where a new one begins: the one without end, if the new one begins inside it.
///
/// # Errors
/// The position of a range that the new one overlaps and that does not give way: one whose end is set, or one that does
/// not begin before it.
pub fn follow(earlier: &[Range], new: Range) -> Result<Option<usize>, usize> {
    let mut ends = None;
    for (place, range) in earlier.iter().enumerate() {
        if !range.overlaps(new) {
            continue;
        }
        if range.until.is_some() || new.from <= range.from {
            return Err(place);
        }
        ends = Some(place);
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn day(n: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(n)
    }

    fn range(from: i64, until: Option<i64>) -> Range {
        Range {
            from: day(from),
            until: until.map(day),
        }
    }

    #[test]
    fn a_range_begins_with_its_first_instant_and_ends_before_its_last() {
        let step = TimeDelta::microseconds(1);
        let span = range(1, Some(3));
        let within = [day(1) - step, day(1), day(3) - step, day(3)].map(|at| span.contains(at));
        assert_eq!(within, [false, true, true, false]);
        assert!(Range::since(day(1)).contains(day(1_000)));
        assert!(range(3, Some(3)).is_empty());
        assert!(!span.overlaps(range(3, None)) && span.overlaps(range(2, None)));
    }

    #[test]
    fn an_earlier_range_gives_way() {
        use Succession::{EndsAt, Keeps, Superseded};
        let begins = [0, 1, 2, 3, 4];
        let ways = |range: Range| begins.map(|day_of| range.give_way(day(day_of)));
        assert_eq!(
            ways(range(1, Some(3))),
            [Superseded, Superseded, EndsAt(day(2)), Keeps, Keeps]
        );
        assert_eq!(
            ways(range(1, None)),
            [
                Superseded,
                Superseded,
                EndsAt(day(2)),
                EndsAt(day(3)),
                EndsAt(day(4))
            ]
        );
    }

    #[test]
    fn only_a_range_without_end_is_cut_by_its_successor() {
        let earlier = [range(0, Some(2)), range(2, None)];
        assert_eq!(follow(&earlier, range(5, None)), Ok(Some(1)));
        assert_eq!(follow(&earlier, range(5, Some(9))), Ok(Some(1)));
        assert_eq!(follow(&earlier, range(1, None)), Err(0));
        assert_eq!(follow(&earlier, range(2, None)), Err(1));
        assert_eq!(follow(&earlier[..1], range(2, None)), Ok(None));
        assert_eq!(follow(&[range(4, Some(6))], range(1, Some(4))), Ok(None));
    }

    proptest! {
        #[test]
        fn ranges_that_follow_each_other_never_overlap(
            spans in proptest::collection::vec((0_i64..40, proptest::option::of(1_i64..20)), 1..12),
        ) {
            let mut held: Vec<Range> = Vec::new();
            for (from, length) in spans {
                let new = range(from, length.map(|length| from + length));
                if let Ok(ends) = follow(&held, new) {
                    if let Some(place) = ends {
                        held[place].until = Some(new.from);
                    }
                    held.push(new);
                }
            }
            for (place, one) in held.iter().enumerate() {
                for other in &held[place + 1..] {
                    prop_assert!(!one.overlaps(*other), "{one:?} {other:?}");
                }
            }
        }

        #[test]
        fn whatever_gives_way_is_over_when_its_successor_begins(
            from in 0_i64..20, length in proptest::option::of(1_i64..20), begins in 0_i64..40,
        ) {
            let earlier = range(from, length.map(|length| from + length));
            let left = match earlier.give_way(day(begins)) {
                Succession::Keeps => Some(earlier),
                Succession::EndsAt(until) => Some(Range { until: Some(until), ..earlier }),
                Succession::Superseded => None,
            };
            prop_assert!(left.is_none_or(|left| !left.is_empty() && !left.overlaps(Range::since(day(begins)))));
        }
    }
}
