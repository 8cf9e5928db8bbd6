//! What is legal but odd in a file: amounts far from all others, days far away, rows that repeat each other.
//!
//! Nothing is refused for it. A person who knows the business looks at it before the import counts.

use std::{
    collections::{BTreeMap, HashSet},
    hash::BuildHasher,
};

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use super::{cells::Seen, reader::Row};
use crate::platform::money::Currency;

/// How many times as large an amount is as all others to be odd.
const JUMP: i64 = 10;
/// How many amounts there must be to say what is odd among them.
const ENOUGH: u64 = 4;
/// Days before this year are odd.
const EARLY: i32 = 2000;
/// Days more than so many years ahead are odd.
const LATE: i32 = 10;
/// One row of so many may repeat another before it is odd, and so many rows at least.
const REPEATS: (u64, u64) = (20, 3);

/// How many rows are compared with all that follow: what a file of any size may take of memory.
const REMEMBERED: usize = 1_000_000;

/// What was seen of a file so far, in memory that does not grow with its amounts.
#[derive(Default)]
pub struct Oddities {
    amounts: BTreeMap<(&'static str, Currency), BTreeMap<u32, Bucket>>,
    days: BTreeMap<&'static str, Far>,
    hasher: std::hash::RandomState,
    /// Hashes of all but the external ids of the first rows.
    rows: HashSet<u64>,
    count: u64,
    repeats: u64,
    first_repeat: u64,
}

/// Amounts of about the same size.
struct Bucket {
    count: u64,
    least: i64,
    most: i64,
    /// The line of the first, and it.
    first: (u64, i64),
}

/// Days far away.
struct Far {
    count: u64,
    first: (u64, NaiveDate),
}

impl Oddities {
    /// Takes in a row.
    pub fn see(&mut self, row: &Row, seen: &Seen, now: DateTime<Utc>) {
        for (field, currency, minor) in &seen.amounts {
            // Prices of different products are not alike; values of deals are more or less.
            if *minor > 0 && *field != "list_price" {
                let sizes = self.amounts.entry((field, *currency)).or_default();
                let bucket = sizes.entry(size(*minor));
                bucket
                    .or_insert_with(|| Bucket::of(*minor, row.line))
                    .add(*minor);
            }
        }
        for (field, day) in &seen.days {
            if day.year() < EARLY || day.year() > now.year() + LATE {
                let far = self.days.entry(field).or_insert(Far {
                    count: 0,
                    first: (row.line, *day),
                });
                far.count += 1;
            }
        }
        // Rows without an amount say too little to be told apart.
        if !seen.amounts.is_empty() {
            self.count += 1;
            let hash = self.hasher.hash_one(row.cells.get(1..));
            if self.rows.contains(&hash) {
                if self.repeats == 0 {
                    self.first_repeat = row.line;
                }
                self.repeats += 1;
            } else if self.rows.len() < REMEMBERED {
                self.rows.insert(hash);
            }
        }
    }

    /// What is odd, in words, with the line of the first case.
    pub fn told(&self) -> Vec<(u64, String)> {
        let mut told = Vec::new();
        for ((field, currency), sizes) in &self.amounts {
            told.extend(jump(field, *currency, sizes));
        }
        for (field, far) in &self.days {
            let (line, day) = far.first;
            told.push((
                line,
                format!(
                    "{field}: {} before {EARLY} or more than {LATE} years ahead, the first is {day}.",
                    rows(far.count, "date is", "dates are")
                ),
            ));
        }
        let (share, least) = REPEATS;
        if self.repeats >= least && self.repeats * share >= self.count {
            told.push((
                self.first_repeat,
                format!(
                    "{} of {} repeat another row in everything but `external_id`; this is the first.",
                    rows(self.repeats, "row", "rows"),
                    self.count
                ),
            ));
        }
        told.sort();
        told
    }
}

impl Bucket {
    const fn of(minor: i64, line: u64) -> Self {
        Self {
            count: 0,
            least: minor,
            most: minor,
            first: (line, minor),
        }
    }

    fn add(&mut self, minor: i64) {
        self.count += 1;
        self.least = self.least.min(minor);
        self.most = self.most.max(minor);
    }
}

/// The bucket of an amount: eight for each power of two, so that no two amounts of one differ tenfold.
fn size(minor: i64) -> u32 {
    let power = minor.unsigned_abs().ilog2();
    let eighth = if power >= 3 {
        minor.unsigned_abs() >> (power - 3) & 7
    } else {
        0
    };
    power * 8 + u32::try_from(eighth).unwrap_or_default()
}

/// The widest gap between amounts next to each other in size, where it is tenfold and few amounts are on one side.
fn jump(field: &str, currency: Currency, sizes: &BTreeMap<u32, Bucket>) -> Option<(u64, String)> {
    let all: u64 = sizes.values().map(|bucket| bucket.count).sum();
    if all < ENOUGH {
        return None;
    }
    let buckets: Vec<&Bucket> = sizes.values().collect();
    let gaps = (1..buckets.len()).filter_map(|place| {
        let (below, above) = (buckets[place - 1].most, buckets[place].least);
        (above / below >= JUMP).then_some((above / below, place))
    });
    let (_, place) = gaps.max()?;
    let (below, above) = buckets.split_at(place);
    let count = |part: &[&Bucket]| part.iter().map(|bucket| bucket.count).sum::<u64>();
    let (few, word) = if count(above) <= count(below) {
        (above, "at least ten times as large as")
    } else {
        (below, "at most a tenth of")
    };
    let (line, shown) = few.iter().map(|bucket| bucket.first).min()?;
    Some((
        line,
        format!(
            "{field}: {} of {all} in {currency} {} {word} all others, the first is {}.",
            count(few),
            if count(few) == 1 { "is" } else { "are" },
            currency.decimal(shown)
        ),
    ))
}

fn rows(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::reader::Cell;

    fn told(amounts: &[i64], days: &[&str]) -> Vec<(u64, String)> {
        let mut oddities = Oddities::default();
        let now = "2026-03-01T09:00:00Z".parse().unwrap();
        let amounts = amounts.iter().map(|minor| Seen {
            amounts: vec![("value", Currency::USD, 100 * *minor)],
            days: Vec::new(),
        });
        let days = days.iter().map(|day| Seen {
            amounts: Vec::new(),
            days: vec![("closed_on", day.parse().unwrap())],
        });
        for (line, seen) in (2..).zip(amounts.chain(days)) {
            let cell = |text: String| {
                Some(Cell {
                    text,
                    json_number: false,
                })
            };
            let minor = seen.amounts.first().map(|(_, _, minor)| minor.to_string());
            let row = Row {
                line,
                cells: vec![cell(line.to_string()), cell(minor.unwrap_or_default())],
            };
            oddities.see(&row, &seen, now);
        }
        oddities.told()
    }

    #[test]
    fn amounts_ten_times_as_large_as_all_others_are_odd() {
        assert_eq!(
            told(&[100, 120, 1_300, 90, 1_500], &[]),
            [(4, "value: 2 of 5 in USD are at least ten times as large as all others, the first is 1300.00.".to_owned())]
        );
        assert_eq!(
            told(&[1, 120, 130, 90], &[]),
            [(
                2,
                "value: 1 of 4 in USD is at most a tenth of all others, the first is 1.00."
                    .to_owned()
            )]
        );
        // A wide range without a gap, few amounts, and amounts of nothing.
        assert_eq!(told(&[1, 5, 25, 125, 625], &[]), []);
        assert_eq!(told(&[1, 100, 10_000], &[]), []);
        assert_eq!(told(&[0, 0, 90, 100, 110], &[]), []);
    }

    #[test]
    fn days_far_away_are_odd() {
        assert_eq!(
            told(&[], &["2026-02-01", "1999-12-31", "2000-01-01", "2036-12-31", "2037-01-01"]),
            [(3, "closed_on: 2 dates are before 2000 or more than 10 years ahead, the first is 1999-12-31.".to_owned())]
        );
    }

    #[test]
    fn rows_that_repeat_each_other_are_odd_when_they_are_many() {
        let same = vec![500; 4];
        assert_eq!(
            told(&same, &[]),
            [(3, "3 rows of 4 repeat another row in everything but `external_id`; this is the first.".to_owned())]
        );
        let few: Vec<i64> = (1..100).chain([5, 6]).collect();
        assert!(
            told(&few, &[])
                .iter()
                .all(|(_, text)| !text.contains("repeat"))
        );
    }
}
