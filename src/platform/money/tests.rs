use proptest::prelude::*;

use super::*;

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn parts(total: &str, code: &str, weights: &[u64]) -> Vec<String> {
    let total = Money::parse(total, currency(code)).unwrap();
    let parts = allocate(total.minor(), weights).unwrap();
    let text = |part| {
        Money::new(part, total.currency())
            .unwrap()
            .to_decimal_string()
    };
    parts.into_iter().map(text).collect()
}

#[test]
fn currencies_in_which_nobody_is_paid_are_refused() {
    for code in ["XXX", "XTS", "XAU", "XDR", "BOV", "usd", "US", "", "ZZZ"] {
        assert_eq!(code.parse::<Currency>(), Err(UnknownCurrency), "{code:?}");
    }
    assert_eq!(currency("USD").exponent(), 2);
    assert_eq!(currency("JPY").exponent(), 0);
    assert_eq!(currency("KWD").exponent(), 3);
    assert!(currency("EUR") < currency("USD"));
}

#[test]
fn a_currency_is_its_code_on_the_wire_and_in_a_table() {
    assert_eq!(serde_json::to_string(&Currency::USD).unwrap(), "\"USD\"");
    assert_eq!(
        serde_json::from_str::<Currency>("\"JPY\"").unwrap(),
        currency("JPY")
    );
    assert!(serde_json::from_str::<Currency>("\"XXX\"").is_err());
    let stored = sea_orm::Value::from(Currency::USD);
    assert_eq!(stored, sea_orm::Value::from("USD"));
    let read = <Currency as sea_orm::sea_query::ValueType>::try_from(stored);
    assert!(read.is_ok_and(|read| read == Currency::USD));
}

#[test]
fn amounts_are_read_exactly_or_not_at_all() {
    let read = |text, code| Money::parse(text, currency(code)).map(Money::minor);
    assert_eq!(read("100000.00", "USD"), Ok(10_000_000));
    assert_eq!(read("-0.5", "USD"), Ok(-50));
    assert_eq!(read("14286", "JPY"), Ok(14_286));
    assert_eq!(read("1.005", "KWD"), Ok(1_005));
    assert_eq!(read("10000000000000.00", "USD"), Ok(MAX_MINOR));
    for text in [
        "", "-", "+1", "1.", ".5", "1e3", "1,000", " 1", "1.2.3", "--1", "１",
    ] {
        assert_eq!(read(text, "USD"), Err(MoneyError::NotANumber), "{text:?}");
    }
    assert_eq!(
        read("1.005", "USD"),
        Err(MoneyError::TooManyDecimals(Currency::USD))
    );
    assert_eq!(
        read("1.0", "JPY"),
        Err(MoneyError::TooManyDecimals(currency("JPY")))
    );
    assert_eq!(
        read("10000000000000.01", "USD"),
        Err(MoneyError::OutOfRange)
    );
    assert_eq!(
        read("99999999999999999999", "USD"),
        Err(MoneyError::OutOfRange)
    );
}

#[test]
fn amounts_are_printed_for_machines_and_for_people() {
    let print = |minor, code| Money::new(minor, currency(code)).unwrap();
    assert_eq!(print(1_428_571, "USD").to_decimal_string(), "14285.71");
    assert_eq!(print(14_286, "JPY").to_decimal_string(), "14286");
    assert_eq!(print(-5, "KWD").to_decimal_string(), "-0.005");
    assert_eq!(print(2_000_000, "USD").to_string(), "20,000.00 USD");
    assert_eq!(print(-123_456_700, "USD").to_string(), "-1,234,567.00 USD");
    assert_eq!(print(100_000, "JPY").to_string(), "100,000 JPY");
}

#[test]
fn sums_refuse_another_currency_and_overflow() {
    let usd = |minor| Money::new(minor, Currency::USD).unwrap();
    let yen = Money::new(1, currency("JPY")).unwrap();
    assert_eq!(usd(5).checked_add(usd(-7)), Ok(usd(-2)));
    assert_eq!(usd(5).checked_sub(usd(7)), Ok(usd(-2)));
    assert_eq!(
        usd(5).checked_add(yen),
        Err(MoneyError::OtherCurrency(Currency::USD, currency("JPY")))
    );
    assert_eq!(
        usd(MAX_MINOR).checked_add(usd(1)),
        Err(MoneyError::OutOfRange)
    );
    assert_eq!(sum([i64::MAX, 1]), Err(MoneyError::OutOfRange));
}

#[test]
fn seven_equal_partners_share_to_the_last_minor_unit() {
    let mut dollars = vec!["14285.72"; 3];
    dollars.extend(["14285.71"; 4]);
    assert_eq!(parts("100000.00", "USD", &[1; 7]), dollars);
    let mut yen = vec!["14286"; 5];
    yen.extend(["14285"; 2]);
    assert_eq!(parts("100000", "JPY", &[1; 7]), yen);
    let mut dinars = vec!["14285.715"; 2];
    dinars.extend(["14285.714"; 5]);
    assert_eq!(parts("100000.000", "KWD", &[1; 7])[0], "14285.715");
    assert_eq!(parts("100000.000", "KWD", &[1; 7])[6], "14285.714");
}

#[test]
fn weights_divide_in_proportion() {
    assert_eq!(
        parts("100000.00", "USD", &[1, 2, 4]),
        ["14285.71", "28571.43", "57142.86"]
    );
    assert_eq!(
        parts("100000.00", "USD", &[1, 1, 1]),
        ["33333.34", "33333.33", "33333.33"]
    );
    assert_eq!(
        parts("-2500.00", "USD", &[1, 2, 4]),
        ["-357.14", "-714.29", "-1428.57"]
    );
    assert_eq!(parts("0.01", "USD", &[0, 1, 1]), ["0.00", "0.01", "0.00"]);
    assert_eq!(
        shares(&[1, 2, 4]),
        Ok(vec![
            Ppm::new(142_857),
            Ppm::new(285_714),
            Ppm::new(571_429)
        ])
    );
}

#[test]
fn money_without_a_claimant_does_not_vanish() {
    assert_eq!(allocate(1, &[0, 0]), Err(MoneyError::NoWeight));
    assert_eq!(allocate(1, &[]), Err(MoneyError::NoWeight));
    assert_eq!(allocate(0, &[0, 0]), Ok(vec![0, 0]));
    assert_eq!(allocate(i64::MIN, &[u64::MAX]), Ok(vec![i64::MIN]));
}

#[test]
fn rates_round_half_to_even_both_ways() {
    let tenth = Ppm::new(100_000);
    assert_eq!(rate(571_429, tenth), Ok(57_143));
    for (amount, rounded) in [
        (5, 0),
        (15, 2),
        (25, 2),
        (26, 3),
        (-5, 0),
        (-15, -2),
        (-25, -2),
    ] {
        assert_eq!(rate(amount, tenth), Ok(rounded), "{amount}");
    }
    assert_eq!(rate(MAX_MINOR, Ppm::WHOLE), Ok(MAX_MINOR));
    assert_eq!(
        rate(i64::MAX, Ppm::new(2_000_000)),
        Err(MoneyError::OutOfRange)
    );
    assert_eq!(proportion(1, 1, 0), Err(MoneyError::NoWeight));
}

prop_compose! {
    fn weights()(mut weights in prop::collection::vec(prop_oneof![Just(0), 1..100_u64, any::<u64>()], 0..12),
                 certain in 1..=u64::MAX, place in any::<prop::sample::Index>()) -> Vec<u64> {
        let place = place.index(weights.len() + 1);
        weights.insert(place, certain);
        weights
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn parts_sum_to_the_whole_and_are_within_one_unit(total in any::<i64>(), weights in weights()) {
        let parts = allocate(total, &weights).unwrap();
        prop_assert_eq!(sum(parts.iter().copied()), Ok(total));
        let whole: i128 = weights.iter().copied().map(i128::from).sum();
        for (part, weight) in parts.iter().zip(&weights) {
            let exact = (i128::from(total.unsigned_abs()) * i128::from(*weight)) / whole;
            let above = i128::from(part.unsigned_abs()) - exact;
            prop_assert!(above == 0 || above == 1 && *weight > 0);
        }
    }

    #[test]
    fn a_negative_total_is_divided_like_the_positive_one(total in -i64::MAX..=i64::MAX, weights in weights()) {
        let negated: Vec<i64> = allocate(-total, &weights).unwrap().into_iter().map(|part| -part).collect();
        prop_assert_eq!(allocate(total, &weights).unwrap(), negated);
    }

    #[test]
    fn distinct_weights_get_the_same_part_in_any_order(total in -MAX_MINOR..=MAX_MINOR, distinct in prop::collection::btree_set(1..u64::MAX, 1..8)) {
        let weights: Vec<u64> = distinct.into_iter().collect();
        let reversed: Vec<u64> = weights.iter().rev().copied().collect();
        let mut parts = allocate(total, &reversed).unwrap();
        parts.reverse();
        // Two distinct weights can still tie on the remainder; then the unit moves, never more.
        for (here, there) in allocate(total, &weights).unwrap().into_iter().zip(parts) {
            prop_assert!((here - there).abs() <= 1);
        }
    }

    #[test]
    fn printing_and_reading_return_the_amount(minor in -MAX_MINOR..=MAX_MINOR, code in prop::sample::select(vec!["USD", "JPY", "KWD", "CLP"])) {
        let money = Money::new(minor, currency(code)).unwrap();
        prop_assert_eq!(Money::parse(&money.to_decimal_string(), money.currency()), Ok(money));
    }
}
