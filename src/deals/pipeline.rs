//! What the pipeline is worth and how long deals stay in its stages.

use chrono::{DateTime, TimeDelta, Utc};

/// What one deal adds to the weighted pipeline: value × probability, in minor units of the deal's
/// currency, rounded half to even.
pub fn weighted(value_minor: i64, probability_ppm: i32) -> i128 {
    const WHOLE: i128 = 1_000_000;
    let product = i128::from(value_minor) * i128::from(probability_ppm);
    let (floor, rest) = (product.div_euclid(WHOLE), product.rem_euclid(WHOLE));
    let up = rest * 2 > WHOLE || (rest * 2 == WHOLE && floor % 2 != 0);
    floor + i128::from(up)
}

/// The weighted pipeline: the sum of [`weighted`] over deals of one currency, each given as value
/// in minor units and probability in parts per million.
pub fn weighted_pipeline(deals: impl IntoIterator<Item = (i64, i32)>) -> i128 {
    deals
        .into_iter()
        .map(|(value, probability)| weighted(value, probability))
        .sum()
}

/// How long a deal stayed in each stage, from its log of entries (stage, entered at) in any order;
/// the last stage counts until `until`, which is when the deal closed, or now. Stages come in the
/// order of their first entry, stays in the same stage are added up.
pub fn dwell<K: Clone + PartialEq>(
    log: &[(K, DateTime<Utc>)],
    until: DateTime<Utc>,
) -> Vec<(K, TimeDelta)> {
    let mut entries: Vec<_> = log.iter().collect();
    entries.sort_by_key(|(_, entered_at)| *entered_at);
    let ends = entries
        .iter()
        .skip(1)
        .map(|(_, entered_at)| *entered_at)
        .chain([until]);
    let mut stays: Vec<(K, TimeDelta)> = Vec::new();
    for ((stage, entered_at), left_at) in entries.iter().zip(ends) {
        let stay = left_at - *entered_at;
        match stays.iter_mut().find(|(known, _)| known == stage) {
            Some((_, total)) => *total += stay,
            None => stays.push((stage.clone(), stay)),
        }
    }
    stays
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_weighted_pipeline_is_exact() {
        let deals = [
            (10_000_000, 250_000),
            (5_000_000, 500_000),
            (2_000_000, 900_000),
        ];
        assert_eq!(weighted_pipeline(deals), 6_800_000);
    }

    #[test]
    fn halves_round_to_even() {
        let rounded = [1, 3, 5, -1, -3].map(|value| weighted(value, 500_000));
        assert_eq!(rounded, [0, 2, 2, 0, -2]);
    }

    #[test]
    fn dwell_times_add_up_over_returns() {
        let at = |hour: u32| DateTime::from_timestamp(i64::from(hour) * 3_600, 0).unwrap();
        let log = [
            ("QUALIFIED", at(2)),
            ("PROSPECT", at(0)),
            ("PROSPECT", at(5)),
            ("PROPOSAL", at(6)),
        ];
        let hours = TimeDelta::hours;
        assert_eq!(
            dwell(&log, at(10)),
            [
                ("PROSPECT", hours(3)),
                ("QUALIFIED", hours(3)),
                ("PROPOSAL", hours(4))
            ]
        );
        assert_eq!(dwell::<&str>(&[], at(1)), []);
    }

    proptest! {
        #[test]
        fn a_weighted_value_is_within_half_a_unit(value: i64, probability in 0..=1_000_000_i32) {
            let exact = i128::from(value) * i128::from(probability);
            let error = weighted(value, probability) * 1_000_000 - exact;
            prop_assert!(error.abs() <= 500_000);
        }
    }
}
