//! Money: whole minor units and a currency, exact in every operation.
//!
//! Amounts are never floats. A sum that is divided is divided completely ([`allocate`]); a sum that is
//! multiplied by a rate is rounded once, half to even ([`rate`]).
//!
//! Pure: decides from facts alone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ppm::Ppm;

/// The largest amount either way, in minor units. It leaves room in 64 bits for sums of thousands of amounts.
pub const MAX_MINOR: i64 = 1_000_000_000_000_000;

/// The largest sum of amounts either way, in minor units: a balance, a volume, a payment. Two such sums fit 64 bits.
pub const MAX_SUM: i64 = 4_000_000_000_000_000_000;

/// Why an amount or an operation on amounts is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Anything but digits, one point between digits and a leading minus.
    #[error("is not a number in plain decimal notation")]
    NotANumber,
    /// More decimals than the currency has.
    #[error("has more decimals than {0} allows")]
    TooManyDecimals(Currency),
    /// Beyond [`MAX_MINOR`], or beyond 64 bits in an intermediate sum.
    #[error("is out of range")]
    OutOfRange,
    /// Two currencies in one operation.
    #[error("mixes {0} and {1}")]
    OtherCurrency(Currency, Currency),
    /// Something to divide, and nobody who has a weight.
    #[error("cannot be divided by weights that are all zero")]
    NoWeight,
}

/// The code is not that of a currency in which people are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an ISO 4217 currency with a minor unit")]
pub struct UnknownCurrency;

/// An ISO 4217 currency in which somebody can be paid; funds, metals, test and "no currency" codes are not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sea_orm::DeriveValueType)]
#[sea_orm(value_type = "String", column_type = "Char(Some(3))")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// United States dollar.
    pub const USD: Self = Self(iso_currency::Currency::USD);

    /// The three capital letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals the currency has: USD 2, JPY 0, KWD 3.
    #[must_use]
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, UnknownCurrency> {
        iso_currency::Currency::from_code(code)
            .filter(|iso| iso.exponent().is_some() && !iso.is_fund() && !iso.is_special())
            .map(Self)
            .ok_or(UnknownCurrency)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        code.parse()
            .map_err(|error| serde::de::Error::custom(format!("{code:?} {error}")))
    }
}

/// An amount in one currency, at most [`MAX_MINOR`] minor units either way, or a sum of amounts ([`Money::of_sum`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// The amount of so many minor units (cents, yen, fils).
    pub fn new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if minor.unsigned_abs() > MAX_MINOR.unsigned_abs() {
            return Err(MoneyError::OutOfRange);
        }
        Ok(Self { minor, currency })
    }

    /// A sum of amounts, such as a payment: at most [`MAX_SUM`].
    pub fn of_sum(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if minor.unsigned_abs() > MAX_SUM.unsigned_abs() {
            return Err(MoneyError::OutOfRange);
        }
        Ok(Self { minor, currency })
    }

    /// Reads plain decimal notation exactly: `"100000.00"`, `"-0.5"`; never rounds.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let (negative, magnitude) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, decimals) = match magnitude.split_once('.') {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (magnitude, None),
        };
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !decimals.is_none_or(is_digits) {
            return Err(MoneyError::NotANumber);
        }
        let places = usize::try_from(currency.exponent()).map_err(|_| MoneyError::OutOfRange)?;
        let decimals = decimals.unwrap_or_default();
        if decimals.len() > places {
            return Err(MoneyError::TooManyDecimals(currency));
        }
        let minor: i64 = format!("{whole}{decimals:0<places$}")
            .parse()
            .map_err(|_| MoneyError::OutOfRange)?;
        Self::new(if negative { -minor } else { minor }, currency)
    }

    /// Whole minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Plain decimal notation with all decimals of the currency: `14285.71`, yen `14286`, dinar `14285.714`.
    #[must_use]
    pub fn to_decimal_string(self) -> String {
        self.print("")
    }

    /// The sum; both amounts must be in one currency.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::OtherCurrency(self.currency, other.currency));
        }
        let minor = self.minor.checked_add(other.minor);
        Self::new(minor.ok_or(MoneyError::OutOfRange)?, self.currency)
    }

    /// The difference; both amounts must be in one currency.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.checked_add(other.negated())
    }

    /// The same amount the other way.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self {
            minor: -self.minor,
            currency: self.currency,
        }
    }

    fn print(self, thousands: &str) -> String {
        self.currency.print(self.minor, thousands)
    }
}

impl Currency {
    /// Plain decimal notation of so many minor units, sums beyond the bound of one amount included.
    #[must_use]
    pub fn decimal(self, minor: i64) -> String {
        self.print(minor, "")
    }

    fn print(self, minor: i64, thousands: &str) -> String {
        let scale = 10_u64.pow(self.exponent());
        let magnitude = minor.unsigned_abs();
        let whole = (magnitude / scale).to_string();
        let mut text = String::from(if minor < 0 { "-" } else { "" });
        for (position, digit) in whole.chars().enumerate() {
            if position > 0 && (whole.len() - position).is_multiple_of(3) {
                text.push_str(thousands);
            }
            text.push(digit);
        }
        if scale > 1 {
            // Adding the scale keeps the leading zeros of the decimals; its own digit is then cut off.
            let decimals = (scale + magnitude % scale).to_string();
            text.push('.');
            text.push_str(&decimals[1..]);
        }
        text
    }
}

impl fmt::Display for Money {
    /// For people: `20,000.00 USD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.print(","), self.currency)
    }
}

/// Divides `total` minor units by `weights` so that the parts sum to exactly `total`.
///
/// Largest remainder (Hamilton): part = ⌊total × weight ÷ Σ weights⌋, and the units left over go one
/// each to the largest remainders; equal remainders by position, so callers put the row that wins a tie
/// first. Works on the magnitude, so the parts of a negative total are exactly those of the positive one
/// negated. A weight of zero gets nothing.
///
/// # Errors
///
/// [`MoneyError::NoWeight`] if there is something to divide and the weights are all zero or none: a
/// caller must decide where money without a claimant stays, it may not vanish here.
pub fn allocate(total: i64, weights: &[u64]) -> Result<Vec<i64>, MoneyError> {
    let whole: i128 = weights.iter().copied().map(i128::from).sum();
    if whole == 0 {
        return match total {
            0 => Ok(vec![0; weights.len()]),
            _ => Err(MoneyError::NoWeight),
        };
    }
    let magnitude = i128::from(total.unsigned_abs());
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    for (position, weight) in weights.iter().enumerate() {
        let product = magnitude * i128::from(*weight);
        parts.push(product / whole);
        remainders.push((product % whole, position));
    }
    let left_over = magnitude - parts.iter().sum::<i128>();
    // A stable sort, so equal remainders keep their position.
    remainders.sort_by_key(|(remainder, _)| std::cmp::Reverse(*remainder));
    let lucky = usize::try_from(left_over).map_err(|_| MoneyError::OutOfRange)?;
    for (_, position) in remainders.into_iter().take(lucky) {
        parts[position] += 1;
    }
    let sign = i128::from(total.signum());
    parts.into_iter().map(|part| minor(part * sign)).collect()
}

/// The weight of a part of one whole, in parts per million that sum to exactly [`Ppm::WHOLE`]; for
/// showing and comparing, never for computing money.
///
/// # Errors
///
/// [`MoneyError::NoWeight`] if the weights are all zero or none.
pub fn shares(weights: &[u64]) -> Result<Vec<Ppm>, MoneyError> {
    let share = |part| {
        i32::try_from(part)
            .map(Ppm::new)
            .map_err(|_| MoneyError::OutOfRange)
    };
    allocate(Ppm::WHOLE.parts().into(), weights)?
        .into_iter()
        .map(share)
        .collect()
}

/// `amount_minor` × `ppm` ÷ 1,000,000, rounded half to even.
///
/// # Errors
///
/// [`MoneyError::OutOfRange`] if the result does not fit 64 bits.
pub fn rate(amount_minor: i64, ppm: Ppm) -> Result<i64, MoneyError> {
    proportion(amount_minor, ppm.parts().into(), Ppm::WHOLE.parts().into())
}

/// `amount_minor` × `part` ÷ `whole`, rounded half to even; `whole` must be positive.
///
/// # Errors
///
/// [`MoneyError::NoWeight`] if `whole` is not positive, [`MoneyError::OutOfRange`] if the result does
/// not fit 64 bits.
pub fn proportion(amount_minor: i64, part: i64, whole: i64) -> Result<i64, MoneyError> {
    if whole <= 0 {
        return Err(MoneyError::NoWeight);
    }
    minor(half_to_even(
        i128::from(amount_minor) * i128::from(part),
        i128::from(whole),
    ))
}

/// Σ `amount_minor` × `ppm` ÷ 1,000,000, rounded once, half to even.
///
/// # Errors
///
/// [`MoneyError::OutOfRange`] if the result does not fit 64 bits.
pub fn rates(parts: impl IntoIterator<Item = (i64, Ppm)>) -> Result<i64, MoneyError> {
    let products = parts
        .into_iter()
        .map(|(amount, ppm)| i128::from(amount) * i128::from(ppm.parts()));
    minor(half_to_even(products.sum(), i128::from(Ppm::WHOLE.parts())))
}

/// `dividend` ÷ `divisor`, rounded half to even; `divisor` must be positive and below a quarter of 128 bits.
#[must_use]
pub const fn half_to_even(dividend: i128, divisor: i128) -> i128 {
    let (floor, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    let up = rest * 2 > divisor || (rest * 2 == divisor && floor % 2 != 0);
    if up { floor + 1 } else { floor }
}

/// The sum of amounts in one currency.
///
/// # Errors
///
/// [`MoneyError::OutOfRange`] if the sum does not fit 64 bits.
pub fn sum(amounts: impl IntoIterator<Item = i64>) -> Result<i64, MoneyError> {
    minor(amounts.into_iter().map(i128::from).sum())
}

fn minor(wide: i128) -> Result<i64, MoneyError> {
    i64::try_from(wide).map_err(|_| MoneyError::OutOfRange)
}

#[cfg(test)]
mod tests;
