//! Shares and rates in parts per million, so that a percentage with four decimals is a whole number
//! and shares of one thing can be said to sum to exactly one.
//!
//! Pure: decides from facts alone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A share or a rate in parts per million; 285,714 is 28.5714 %. Differences may be negative.
///
/// On the wire and in a table it is the whole number of parts; to people it is shown as percent.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::DeriveValueType,
)]
#[serde(transparent)]
pub struct Ppm(i32);

/// Why a text is not a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PpmError {
    /// Anything but digits, one point between digits and a leading minus.
    #[error("is not a percentage in plain decimal notation")]
    NotANumber,
    /// A fraction of a part per million.
    #[error("has more than 4 decimals")]
    TooManyDecimals,
    /// More than 2,147 percent either way.
    #[error("is out of range")]
    OutOfRange,
}

impl Ppm {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The whole, 100 %.
    pub const WHOLE: Self = Self(1_000_000);

    /// The share of so many parts per million.
    #[must_use]
    pub const fn new(parts: i32) -> Self {
        Self(parts)
    }

    /// The whole number of parts per million.
    #[must_use]
    pub const fn parts(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Ppm {
    /// Percent without the sign and without trailing zeros: `28.5714`, `10`, `-0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let parts = self.0.unsigned_abs();
        let (whole, rest) = (parts / 10_000, parts % 10_000);
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let decimals = format!("{rest:04}");
        write!(f, "{sign}{whole}.{}", decimals.trim_end_matches('0'))
    }
}

impl FromStr for Ppm {
    type Err = PpmError;

    /// Reads percent as printed: at most four decimals, optional leading minus.
    fn from_str(text: &str) -> Result<Self, PpmError> {
        let (negative, magnitude) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, decimals) = magnitude.split_once('.').unwrap_or((magnitude, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(decimals) {
            return Err(PpmError::NotANumber);
        }
        if decimals.len() > 4 {
            return Err(PpmError::TooManyDecimals);
        }
        let parts: i32 = format!("{whole}{decimals:0<4}")
            .parse()
            .map_err(|_| PpmError::OutOfRange)?;
        Ok(Self(if negative { -parts } else { parts }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percent_text_and_parts_are_the_same_number() {
        for (text, parts) in [
            ("28.5714", 285_714),
            ("10", 100_000),
            ("100", 1_000_000),
            ("0", 0),
            ("0.0001", 1),
            ("-0.5", -5_000),
        ] {
            assert_eq!(text.parse(), Ok(Ppm::new(parts)));
            assert_eq!(Ppm::new(parts).to_string(), text);
        }
        assert_eq!("10.50".parse(), Ok(Ppm::new(105_000)));
        assert_eq!(serde_json::to_string(&Ppm::WHOLE).unwrap(), "1000000");
    }

    #[test]
    fn what_is_not_a_percentage_is_refused() {
        for text in ["", "-", "1.", ".5", "+1", "1e2", "1,5", " 1", "10 %"] {
            assert_eq!(text.parse::<Ppm>(), Err(PpmError::NotANumber), "{text:?}");
        }
        assert_eq!("28.57142".parse::<Ppm>(), Err(PpmError::TooManyDecimals));
        assert_eq!("214748.3648".parse::<Ppm>(), Err(PpmError::OutOfRange));
    }

    proptest! {
        #[test]
        fn printing_and_reading_return_the_share(parts in -i32::MAX..=i32::MAX) {
            prop_assert_eq!(Ppm::new(parts).to_string().parse(), Ok(Ppm::new(parts)));
        }
    }
}
