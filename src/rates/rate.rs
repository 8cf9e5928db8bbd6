//! Exchange rates as exact ratios.
//!
//! Pure: decides from facts alone.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    str::FromStr,
};

use chrono::{Days, NaiveDate};

use crate::platform::money::{Currency, half_to_even};

/// Digits that the exact ratio of two amounts may take on either side: with them, and an amount of 10^15 minor units,
/// a probability and the exponents of two currencies, a product stays within 128 bits.
const LARGEST_TERM: i128 = 10_000_000_000_000;
/// Decimals of an amount.
const MOST_DECIMALS: usize = 10;

/// Why an amount or a pair of amounts is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateFault {
    /// Anything but digits and one point between digits.
    #[error("is not a positive number in plain decimal notation")]
    NotPositive,
    /// More than 13 digits or 10 decimals.
    #[error("has more than 13 digits or 10 decimals")]
    TooLong,
    /// The exact ratio of the two amounts has too many digits.
    #[error("makes a ratio of more than 13 digits; give fewer decimals")]
    TooFine,
}

/// One side of a rate: a positive decimal number. It prints canonically, without superfluous zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    digits: i128,
    decimals: u32,
}

impl FromStr for Amount {
    type Err = RateFault;

    fn from_str(text: &str) -> Result<Self, RateFault> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(fraction) {
            return Err(RateFault::NotPositive);
        }
        let (whole, fraction) = (
            whole.trim_start_matches('0'),
            fraction.trim_end_matches('0'),
        );
        if fraction.len() > MOST_DECIMALS || whole.len() > 13 {
            return Err(RateFault::TooLong);
        }
        let digits = format!("0{whole}{fraction}").parse().unwrap_or_default();
        let decimals = u32::try_from(fraction.len()).map_err(|_| RateFault::TooLong)?;
        match digits {
            0 => Err(RateFault::NotPositive),
            digits if digits >= LARGEST_TERM => Err(RateFault::TooLong),
            digits => Ok(Self { digits, decimals }),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = 10_i128.pow(self.decimals);
        let (whole, fraction) = (self.digits / scale, self.digits % scale);
        match usize::try_from(self.decimals) {
            Ok(places) if places > 0 => write!(f, "{whole}.{fraction:0places$}"),
            _ => write!(f, "{whole}"),
        }
    }
}

/// What one unit of a currency is worth in another, as a reduced fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    numerator: i128,
    denominator: i128,
}

impl Rate {
    /// A currency is worth itself.
    pub const ONE: Self = Self {
        numerator: 1,
        denominator: 1,
    };

    /// The rate by which `from` of one currency is worth `to` of the other.
    ///
    /// # Errors
    /// [`RateFault::TooFine`].
    pub fn of(from: Amount, to: Amount) -> Result<Self, RateFault> {
        let numerator = to.digits * 10_i128.pow(from.decimals);
        let denominator = from.digits * 10_i128.pow(to.decimals);
        let common = greatest_common_divisor(numerator, denominator);
        let (numerator, denominator) = (numerator / common, denominator / common);
        if numerator > LARGEST_TERM || denominator > LARGEST_TERM {
            return Err(RateFault::TooFine);
        }
        Ok(Self {
            numerator,
            denominator,
        })
    }

    /// The same rate the other way round.
    #[must_use]
    pub const fn inverse(self) -> Self {
        Self {
            numerator: self.denominator,
            denominator: self.numerator,
        }
    }

    /// `minor` units of `from`, times `ppm` parts per million, in minor units of `to`: rounded half to even, once.
    #[must_use]
    pub fn convert(self, minor: i64, ppm: i32, from: Currency, to: Currency) -> i128 {
        let (have, want) = (from.exponent(), to.exponent());
        let dividend = i128::from(minor)
            * i128::from(ppm)
            * self.numerator
            * 10_i128.pow(want.saturating_sub(have));
        let divisor = 1_000_000 * self.denominator * 10_i128.pow(have.saturating_sub(want));
        half_to_even(dividend, divisor)
    }
}

fn greatest_common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The rates into one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    target: Currency,
    max_age_days: u16,
    from: HashMap<Currency, BTreeMap<NaiveDate, Rate>>,
}

impl Rates {
    /// No rates yet. One counts for so many days after its own as no later one does.
    #[must_use]
    pub fn into(target: Currency, max_age_days: u16) -> Self {
        Self {
            target,
            max_age_days,
            from: HashMap::new(),
        }
    }

    /// The currency into which they convert.
    #[must_use]
    pub const fn target(&self) -> Currency {
        self.target
    }

    /// Learns the rate of a day, in place of what it knew of that day.
    pub fn learn(&mut self, from: Currency, day: NaiveDate, rate: Rate) {
        self.from.entry(from).or_default().insert(day, rate);
    }

    /// The rate that counts on a day: its own, or the last before it that is not too old.
    #[must_use]
    pub fn on(&self, from: Currency, day: NaiveDate) -> Option<Rate> {
        if from == self.target {
            return Some(Rate::ONE);
        }
        let (found, rate) = self.from.get(&from)?.range(..=day).next_back()?;
        let good_until = found.checked_add_days(Days::new(self.max_age_days.into()))?;
        (day <= good_until).then_some(*rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    fn rate(from: &str, to: &str) -> Rate {
        Rate::of(amount(from), amount(to)).unwrap()
    }

    const ALL: i32 = 1_000_000;

    #[test]
    fn amounts_print_canonically() {
        for (given, printed) in [
            ("1", "1"),
            ("001.0837000", "1.0837"),
            ("100.000", "100"),
            ("0.0000000001", "0.0000000001"),
        ] {
            assert_eq!(amount(given).to_string(), printed);
        }
        for bad in ["", "0", "0.000", "-1", "+1", "1.", ".5", "1e3", "1,5"] {
            assert_eq!(bad.parse::<Amount>(), Err(RateFault::NotPositive), "{bad}");
        }
        for long in ["0.00000000001", "12345678901234", "1234567890.1234"] {
            assert_eq!(long.parse::<Amount>(), Err(RateFault::TooLong), "{long}");
        }
        let fine = Rate::of(amount("7.0000000001"), amount("3.0000000001"));
        assert!(fine.is_ok());
        let too_fine = Rate::of(amount("0.0000000003"), amount("9999999999999"));
        assert_eq!(too_fine, Err(RateFault::TooFine));
    }

    #[test]
    fn amounts_convert_with_the_decimals_of_both_currencies() {
        let [usd, eur, jpy, kwd] = ["USD", "EUR", "JPY", "KWD"].map(currency);
        let euro = rate("1", "1.0837");
        assert_eq!(euro.convert(1_000_000, ALL, eur, usd), 1_083_700);
        assert_eq!(euro.inverse().convert(1_083_700, ALL, usd, eur), 1_000_000);
        let yen = rate("100", "0.6123");
        assert_eq!(yen.convert(1_000_000, ALL, jpy, eur), 612_300);
        assert_eq!(yen.inverse().convert(612_300, ALL, eur, jpy), 1_000_000);
        let dinar = rate("1", "3.25");
        assert_eq!(dinar.convert(1_000, ALL, kwd, usd), 325);
        assert_eq!(dinar.inverse().convert(325, ALL, usd, kwd), 1_000);
    }

    #[test]
    fn a_product_is_rounded_half_to_even_once() {
        let [usd, eur] = ["USD", "EUR"].map(currency);
        let half = rate("2", "1");
        let rounded = [1, 3, 5, 7].map(|minor| half.convert(minor, ALL, eur, usd));
        assert_eq!(rounded, [0, 2, 2, 4]);
        // A quarter of 10.01 at one half: 1.25125; rounding twice would give the same, of 0.11 it would not.
        assert_eq!(half.convert(11, 250_000, eur, usd), 1);
        assert_eq!(half.convert(1_001, 250_000, eur, usd), 125);
    }

    #[test]
    fn a_rate_counts_until_the_next_or_until_it_is_too_old() {
        let [usd, eur] = ["USD", "EUR"].map(currency);
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).unwrap();
        let mut rates = Rates::into(usd, 2);
        rates.learn(eur, day(6), rate("1", "2"));
        rates.learn(eur, day(6), rate("1", "3"));
        rates.learn(eur, day(8), rate("1", "4"));
        let known = [5, 6, 7, 8, 10, 11].map(|at| rates.on(eur, day(at)));
        let (three, four) = (Some(rate("1", "3")), Some(rate("1", "4")));
        assert_eq!(known, [None, three, three, four, four, None]);
        assert_eq!(rates.on(usd, day(1)), Some(Rate::ONE));
    }

    proptest! {
        #[test]
        fn the_largest_amounts_stay_within_half_a_unit(
            minor in 0..=1_000_000_000_000_000_i64, ppm in 0..=1_000_000_i32,
            from in 1..10_000_000_000_000_i128, to in 1..10_000_000_000_000_i128,
        ) {
            let [jpy, kwd] = ["JPY", "KWD"].map(currency);
            let amount = |digits| Amount { digits, decimals: 0 };
            let rate = Rate::of(amount(from), amount(to)).unwrap();
            for (rate, a, b) in [(rate, jpy, kwd), (rate.inverse(), kwd, jpy)] {
                let converted = rate.convert(minor, ppm, a, b);
                prop_assert!(converted >= 0);
                prop_assert_eq!(rate.convert(0, ppm, a, b), 0);
            }
        }
    }
}
