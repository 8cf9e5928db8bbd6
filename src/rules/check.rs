//! Finds every fault of a document at once and names each with its place.
//!
//! Pure: decides from facts alone.

use std::{collections::BTreeSet, fmt::Display};

use crate::platform::fault::Fault;

/// Collects the faults of a document.
#[derive(Debug, Default)]
pub struct Check {
    faults: Vec<Fault>,
}

impl Check {
    /// Adds a fault at `path` unless the condition holds.
    pub fn that(&mut self, holds: bool, path: &str, message: &str) {
        if !holds {
            self.faults.push(Fault::at(path, message));
        }
    }

    /// Adds a fault unless the number is from `least` to `most`.
    pub fn within<N: PartialOrd + Display>(&mut self, number: N, least: N, most: N, path: &str) {
        let holds = least <= number && number <= most;
        self.that(holds, path, &format!("must be from {least} to {most}"));
    }

    /// Checks the key, name and rank of each entry of a list: well formed, keys and ranks unique.
    pub fn names<'a>(
        &mut self,
        list: &str,
        entries: impl Iterator<Item = (&'a str, &'a str, i32)>,
    ) {
        let (mut keys, mut ranks) = (BTreeSet::new(), BTreeSet::new());
        for (place, (key, name, rank)) in entries.enumerate() {
            let at = |field: &str| format!("{list}.{place}.{field}");
            let of_a_key = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_';
            let well_formed = (1..=40).contains(&key.len()) && key.bytes().all(of_a_key);
            self.that(
                well_formed,
                &at("key"),
                "must be 1 to 40 capital letters, digits and underscores",
            );
            self.that(keys.insert(key), &at("key"), "is used twice");
            let named = !name.trim().is_empty() && name.chars().count() <= 80;
            self.that(named, &at("name"), "must have 1 to 80 characters");
            self.that(ranks.insert(rank), &at("rank"), "is used twice");
        }
    }

    /// Checks the points of each entry of a list: every entry once, at most 1,000,000 points each.
    pub fn weights<K: Ord>(
        &mut self,
        list: &str,
        key: &str,
        entries: impl Iterator<Item = (K, u32)>,
    ) {
        let mut seen = BTreeSet::new();
        for (place, (entry, weight)) in entries.enumerate() {
            let at = |field: &str| format!("{list}.{place}.{field}");
            self.that(seen.insert(entry), &at(key), "is listed twice");
            self.within(weight, 0, 1_000_000, &at("weight"));
        }
    }

    /// The faults, in the order in which they were found.
    #[must_use]
    pub fn faults(self) -> Vec<Fault> {
        self.faults
    }
}
