//! The scalars of the API. Each says what it accepts, and refuses everything else before anything runs.

use std::str::FromStr;

use async_graphql::{
    InputObject, InputValueError, InputValueResult, Scalar, ScalarType, SimpleObject, Value,
};
use chrono::{NaiveDate, SecondsFormat, Utc};

use crate::{
    error::{Faults, Refusal, Result},
    platform::{
        country, mail,
        money::{self, Currency},
        ppm::Ppm,
    },
};

/// Declares a scalar over a Rust type with one parser and one printer.
macro_rules! text_scalar {
    ($(#[$meta:meta])* $name:ident($inner:ty) = $graphql:literal, $($spec:literal,)? parse: $parse:expr, print: $print:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub $inner);

        $(#[$meta])*
        #[Scalar(name = $graphql $(, specified_by_url = $spec)?)]
        impl ScalarType for $name {
            fn parse(value: Value) -> InputValueResult<Self> {
                match value {
                    Value::String(text) => {
                        let parse: fn(&str) -> Option<$inner> = $parse;
                        parse(&text).map(Self).ok_or_else(|| InputValueError::custom(concat!("not a valid ", $graphql)))
                    }
                    other => Err(InputValueError::expected_type(other)),
                }
            }

            fn is_valid(value: &Value) -> bool {
                let parse: fn(&str) -> Option<$inner> = $parse;
                matches!(value, Value::String(text) if parse(text).is_some())
            }

            fn to_value(&self) -> Value {
                let print: fn(&$inner) -> String = $print;
                Value::String(print(&self.0))
            }
        }
    };
}

text_scalar! {
    /// An instant in UTC by RFC 3339, such as `2026-03-01T09:30:00Z`; microseconds at most. Input may carry any offset.
    DateTime(chrono::DateTime<Utc>) = "DateTime", "https://scalars.graphql.org/andimarek/date-time.html",
    parse: |text| {
        let at = chrono::DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
        // Years of four digits: what the databases store and other clients read.
        let sane = (0..=9999).contains(&chrono::Datelike::year(&at));
        sane.then(|| chrono::SubsecRound::trunc_subsecs(at, 6))
    },
    print: |at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

impl Copy for DateTime {}

text_scalar! {
    /// A calendar day by ISO 8601, such as `2026-03-01`.
    Date(NaiveDate) = "Date", "https://scalars.graphql.org/andimarek/local-date.html",
    parse: |text| (text.len() == 10).then(|| NaiveDate::from_str(text).ok()).flatten(),
    print: |day| day.to_string()
}

impl Copy for Date {}

text_scalar! {
    /// An exact decimal number as text, such as `"14285.71"`: digits, at most one point, an optional minus; no exponent.
    Decimal(String) = "Decimal",
    parse: |text| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.len() <= 20 && part.bytes().all(|b| b.is_ascii_digit());
        (plain(whole) && plain(fraction)).then(|| text.to_owned())
    },
    print: Clone::clone
}

text_scalar! {
    /// A currency by ISO 4217, three capital letters, such as `USD`.
    CurrencyCode(String) = "CurrencyCode", "https://www.iso.org/iso-4217-currency-codes.html",
    parse: |text| (text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase())).then(|| text.to_owned()),
    print: Clone::clone
}

impl CurrencyCode {
    /// The currency of an argument or filter.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` at the path for a code in which nobody can be paid.
    pub fn read(&self, path: &str) -> Result<Currency> {
        Ok(Currency::from_str(&self.0).map_err(|error| Refusal::input(path, error.to_string()))?)
    }
}

text_scalar! {
    /// A country by ISO 3166-1 alpha-2, two capital letters, such as `DE`; the United Kingdom is `GB`.
    CountryCode(String) = "CountryCode", "https://www.iso.org/iso-3166-country-codes.html",
    parse: |text| country::check(text).ok().map(str::to_owned),
    print: Clone::clone
}

text_scalar! {
    /// An e-mail address at a domain of the internet, such as `anna@acme.com`; at most 254 characters.
    EmailAddress(String) = "EmailAddress", "https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address",
    parse: |text| (text.len() <= 254 && mail::reachable(text)).then(|| text.to_owned()),
    print: Clone::clone
}

text_scalar! {
    /// A whole number that may exceed 32 bits, as text, such as `"3000000000"`.
    BigInt(i64) = "BigInt",
    parse: |text| text.parse().ok(),
    print: ToString::to_string
}

/// Whether a scalar of this API takes a value; `None` for a scalar that is not of its own.
#[must_use]
pub fn takes(scalar: &str, value: &Value) -> Option<bool> {
    let valid: fn(&Value) -> bool = match scalar {
        "DateTime" => DateTime::is_valid,
        "Date" => Date::is_valid,
        "Decimal" => Decimal::is_valid,
        "CurrencyCode" => CurrencyCode::is_valid,
        "CountryCode" => CountryCode::is_valid,
        "EmailAddress" => EmailAddress::is_valid,
        "BigInt" => BigInt::is_valid,
        "JSON" => |_| true,
        _ => return None,
    };
    Some(valid(value))
}

/// An amount of money: never rounded, never a floating-point number.
#[derive(Clone, Debug, SimpleObject)]
pub struct Money {
    /// The amount with exactly the decimals of its currency: `"14285.71"` USD, `"14286"` JPY.
    amount: Decimal,
    /// The currency.
    currency: CurrencyCode,
}

impl Money {
    /// An amount in minor units.
    #[must_use]
    pub fn minor(minor: i64, currency: Currency) -> Self {
        Self {
            amount: Decimal(currency.decimal(minor)),
            currency: CurrencyCode(currency.to_string()),
        }
    }
}

/// An amount of money in an input.
#[derive(Clone, Debug, InputObject)]
pub struct MoneyInput {
    /// The amount; no more decimals than the currency has, below 10^15 minor units.
    pub amount: Decimal,
    /// The currency.
    pub currency: CurrencyCode,
}

impl MoneyInput {
    /// The amount in minor units, or a fault at `path.amount` or `path.currency`.
    pub fn read(&self, faults: &mut Faults, path: &str) -> Option<money::Money> {
        let currency = faults.take(
            &format!("{path}.currency"),
            Currency::from_str(&self.currency.0),
        )?;
        faults.take(
            &format!("{path}.amount"),
            money::Money::parse(&self.amount.0, currency),
        )
    }
}

/// A share or rate in percent with up to four decimals, as text: `28.5714`.
#[must_use]
pub fn percent(ppm: Ppm) -> Decimal {
    Decimal(ppm.to_string())
}

/// A counter as `Int`; one beyond 2^31 shows as the largest.
#[must_use]
pub fn counter(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
