//! How well names are told apart and recognised: a labelled set, in many scripts and legal forms.
//!
//! Pure: decides from facts alone.

use super::super::{address, block_keys};
use super::*;

const PAIRS: &str = include_str!("pairs.tsv");
const THRESHOLD: i32 = 920_000;

struct Pair {
    label: &'static str,
    one: Facts<'static>,
    other: Facts<'static>,
    note: &'static str,
}

fn pairs() -> impl Iterator<Item = Pair> {
    let lines = PAIRS.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let columns: Vec<_> = line.split('\t').collect();
        let [label, one, home, other, away, note] = columns[..] else {
            panic!("six columns: {line}")
        };
        let named = |name, country: &'static str| Facts {
            name,
            country: (!country.is_empty()).then_some(country),
            ..Facts::default()
        };
        Pair {
            label,
            one: named(one, home),
            other: named(other, away),
            note,
        }
    })
}

/// Whether a claim would be shown to a person: the index finds the other customer, and the comparison keeps it.
fn flagged(pair: &Pair) -> bool {
    let found = !block_keys(pair.one.name).is_disjoint(&block_keys(pair.other.name));
    found && compare(pair.one, pair.other, THRESHOLD).outcome != MatchOutcome::Clear
}

#[test]
fn names_are_recognised_with_the_precision_and_recall_that_are_promised() {
    let (mut hits, mut alarms, mut misses, mut clear) = (0_u32, 0_u32, 0_u32, 0_u32);
    for pair in pairs() {
        let expected = match pair.label {
            "same" | "possible" => true,
            "different" => false,
            other => panic!("unknown label {other}"),
        };
        let (count, wrong) = match (expected, flagged(&pair)) {
            (true, true) => (&mut hits, ""),
            (false, true) => (&mut alarms, "flagged"),
            (true, false) => (&mut misses, "missed"),
            (false, false) => (&mut clear, ""),
        };
        *count += 1;
        if !wrong.is_empty() {
            println!(
                "{wrong}: {} / {} ({})",
                pair.one.name, pair.other.name, pair.note
            );
        }
    }
    let share = |part: u32, whole: u32| f64::from(part) / f64::from(whole);
    let (precision, recall) = (share(hits, hits + alarms), share(hits, hits + misses));
    let all = hits + alarms + misses + clear;
    println!(
        "{all} pairs: precision {precision:.3}, recall {recall:.3} ({alarms} flagged wrongly, {misses} missed)"
    );
    assert!(
        all >= 300 && hits + misses >= 150 && alarms + clear >= 100,
        "{all}"
    );
    assert!(precision >= 0.95, "precision {precision:.3}");
    assert!(recall >= 0.90, "recall {recall:.3}");
}

#[test]
fn a_name_alone_never_blocks_and_the_order_of_two_names_does_not_matter() {
    for pair in pairs() {
        let there = compare(pair.one, pair.other, THRESHOLD);
        assert_ne!(there.outcome, MatchOutcome::Conflict, "{}", pair.one.name);
        assert_eq!(
            there,
            compare(pair.other, pair.one, THRESHOLD),
            "{}",
            pair.one.name
        );
        let itself = compare(pair.one, pair.one, THRESHOLD);
        assert_eq!(itself.reasons, [MatchReason::SameName], "{}", pair.one.name);
    }
}

const ADDRESSES: &str = include_str!("addresses.tsv");

#[test]
fn an_address_proves_what_is_its_company_s_own_and_hints_at_the_rest() {
    let mut counts = std::collections::BTreeMap::new();
    for line in ADDRESSES.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<_> = line.split('\t').collect();
        let [label, one, other, note] = columns[..] else {
            panic!("four columns: {line}")
        };
        let expected = match label {
            "same" => MatchOutcome::Conflict,
            "possible" => MatchOutcome::PossibleConflict,
            "different" => MatchOutcome::Clear,
            other => panic!("unknown label {other}"),
        };
        *counts.entry(label).or_insert(0) += 1;
        let read = |text| address(text).unwrap().into_parts();
        let (one, other) = (read(one), read(other));
        let lindwurm = Facts {
            name: "Lindwurm",
            domain: one.0.as_deref(),
            domain_hint: one.1.as_deref(),
            ..Facts::default()
        };
        let otter = Facts {
            name: "Otter",
            domain: other.0.as_deref(),
            domain_hint: other.1.as_deref(),
            ..Facts::default()
        };
        let there = compare(lindwurm, otter, THRESHOLD);
        let back = compare(otter, lindwurm, THRESHOLD);
        assert_eq!(there.outcome, expected, "{line} ({note})");
        assert_eq!(there, back, "{line}");
    }
    println!("{counts:?}");
    assert!(counts.values().all(|count| *count >= 12), "{counts:?}");
}
