//! What the pipeline is worth and how long deals stay in its stages.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::{
    platform::money::{Currency, MAX_MINOR, half_to_even},
    rates::{Rate, Rates},
};

/// By what deals are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "DealForecastGrouping")]
pub enum Grouping {
    /// The partner that owns the deal.
    Partner,
    /// The tier that the owner has today in the programme of the deal.
    Tier,
    /// The country of the customer.
    Country,
    /// The quarter of the expected close.
    Quarter,
}

/// What one deal adds to the weighted pipeline: value × probability, in minor units of the deal's
/// currency, rounded half to even.
pub fn weighted(value_minor: i64, probability_ppm: i32) -> i128 {
    const WHOLE: i128 = 1_000_000;
    half_to_even(i128::from(value_minor) * i128::from(probability_ppm), WHOLE)
}

/// The weighted pipeline: the sum of [`weighted`] over deals of one currency, each given as value
/// in minor units and probability in parts per million.
pub fn weighted_pipeline(deals: impl IntoIterator<Item = (i64, i32)>) -> i128 {
    deals
        .into_iter()
        .map(|(value, probability)| weighted(value, probability))
        .sum()
}

/// Deals of one stage, currency and day together, as far as a forecast needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// How many.
    pub deals: i64,
    /// The sum of their values in minor units.
    pub value_minor: i128,
    /// The currency of the values.
    pub currency: Currency,
    /// The probability of their stage in parts per million.
    pub probability_ppm: i32,
    /// The day whose rate counts: of the close, or else of the opening. None in the currency that is asked for.
    pub day: Option<NaiveDate>,
}

/// Deals that cannot be converted, of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unconverted {
    /// How many.
    pub deals: i64,
    /// The earliest day without a rate.
    pub from: NaiveDate,
    /// The latest day without a rate.
    pub to: NaiveDate,
}

/// Deals together in one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// How many deals.
    pub deals: i64,
    /// The value of those that can be converted, in minor units.
    pub value: i128,
    /// Their value times probability, in minor units.
    pub weighted: i128,
    /// Those that cannot, by currency; while there are any, the two sums say nothing.
    pub unconverted: BTreeMap<Currency, Unconverted>,
}

impl Forecast {
    /// Adds deals: their value and their weighted value are each converted at the exact rate of their day and rounded
    /// half to even once.
    pub fn add(&mut self, deals: Expected, rates: &Rates) {
        const WHOLE_PPM: i32 = 1_000_000;
        self.deals += deals.deals;
        let rate = match deals.day {
            None => Some(Rate::ONE),
            Some(day) => rates.on(deals.currency, day),
        };
        let Some(rate) = rate else {
            let day = deals.day.unwrap_or_default();
            let entry = self.unconverted.entry(deals.currency);
            let entry = entry.or_insert(Unconverted {
                deals: 0,
                from: day,
                to: day,
            });
            entry.deals += deals.deals;
            entry.from = entry.from.min(day);
            entry.to = entry.to.max(day);
            return;
        };
        let convert = |minor: i64, ppm| rate.convert(minor, ppm, deals.currency, rates.target());
        // A rate converts amounts up to the largest; sums beyond it are converted in parts.
        let (whole, rest) = (
            deals.value_minor / i128::from(MAX_MINOR),
            i64::try_from(deals.value_minor % i128::from(MAX_MINOR)).unwrap_or_default(),
        );
        let sum = |ppm| whole * convert(MAX_MINOR, ppm) + convert(rest, ppm);
        self.value += sum(WHOLE_PPM);
        self.weighted += sum(deals.probability_ppm);
    }
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
    fn a_forecast_converts_each_deal_at_its_day_and_names_what_it_cannot() {
        let [usd, eur, jpy] = ["USD", "EUR", "JPY"].map(|code| code.parse().unwrap());
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).unwrap();
        let amount = |text: &str| text.parse().unwrap();
        let mut rates = Rates::into(usd, 0);
        rates.learn(
            eur,
            day(2),
            Rate::of(amount("1"), amount("1.0837")).unwrap(),
        );
        let deal = |value_minor, currency, probability_ppm, at| Expected {
            deals: 1,
            value_minor,
            currency,
            probability_ppm,
            day: Some(day(at)),
        };
        let mut forecast = Forecast::default();
        forecast.add(deal(10_000_000, usd, 250_000, 1), &rates);
        forecast.add(deal(100_001, eur, 500_000, 2), &rates);
        // 1,000.01 x 1.0837 = 1,083.710837 and half of it 541.8554185.
        assert_eq!(
            (
                forecast.value,
                forecast.weighted,
                forecast.unconverted.len()
            ),
            (10_108_371, 2_554_186, 0)
        );
        for at in [9, 3, 5] {
            forecast.add(deal(1, jpy, 1, at), &rates);
        }
        let missing = Unconverted {
            deals: 3,
            from: day(3),
            to: day(9),
        };
        assert_eq!(forecast.unconverted, BTreeMap::from([(jpy, missing)]));
        assert_eq!(forecast.deals, 5);
    }

    #[test]
    fn sums_beyond_the_largest_amount_are_converted_whole() {
        let usd: Currency = "USD".parse().unwrap();
        let rates = Rates::into(usd, 0);
        let mut forecast = Forecast::default();
        let value_minor = 20_000 * i128::from(MAX_MINOR) + 7;
        forecast.add(
            Expected {
                deals: 20_001,
                value_minor,
                currency: usd,
                probability_ppm: 500_000,
                day: None,
            },
            &rates,
        );
        assert_eq!((forecast.deals, forecast.value), (20_001, value_minor));
        assert_eq!(forecast.weighted, 10_000 * i128::from(MAX_MINOR) + 4);
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
