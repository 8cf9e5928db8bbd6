//! Numbers as files write them.
//!
//! A number is read when its text can mean one thing only under the conventions of the file. Characters between digits
//! are never just left out: where they stand says whether they group thousands or begin the decimals.

use std::collections::BTreeMap;

use super::mapping::Conventions;
use crate::platform::money::Currency;

/// The longest text that is read as a number.
const LONGEST: usize = 60;

/// A number in plain decimal notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// Digits, at most one point between them, a leading minus. No zero ends the decimals.
    pub plain: String,
    /// The currency that the text names beside the digits.
    pub currency: Option<Currency>,
}

/// Why a text is not read as a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberFault {
    /// No digits, or other characters beside them.
    #[error("{0:?} is not a number as this file writes them (decimal character {1:?}{2})")]
    Form(String, char, String),
    /// A separator where no group of thousands ends.
    #[error(
        "{0:?} is not grouped: {1:?} separates groups of three digits, and the decimal character of this file is {2:?}"
    )]
    Grouping(String, char, char),
    /// An exponent.
    #[error("{0:?} is in scientific notation; did a spreadsheet shorten it?")]
    Scientific(String),
    /// A percentage.
    #[error("{0:?} is a percentage")]
    Percent(String),
    /// Two signs.
    #[error("{0:?} has two signs")]
    Signs(String),
    /// A symbol that the mapping does not explain.
    #[error(
        "{0:?} has the symbol {1:?}; declare what it means, such as `symbols = {{ {1:?} = \"USD\" }}` in the conventions"
    )]
    Symbol(String, String),
    /// Two different currencies beside one amount.
    #[error("{0:?} names two currencies")]
    TwoCurrencies(String),
    /// Digits of several scripts, or of one that is not read.
    #[error("{0:?} has digits of several scripts or of an unsupported one; write 0 to 9")]
    Digits(String),
    /// Far too long.
    #[error("is longer than any number")]
    TooLong,
}

/// Reads a number under the conventions of a file.
///
/// # Errors
/// See [`NumberFault`].
pub fn read(text: &str, conventions: &Conventions) -> Result<Number, NumberFault> {
    if text.len() > LONGEST {
        return Err(NumberFault::TooLong);
    }
    let latin = latin(text, conventions)?;
    let told = || text.to_owned();
    if latin.contains(['%', '‰', '٪']) {
        return Err(NumberFault::Percent(told()));
    }
    let outer = strip(&latin, text, &conventions.symbols)?;
    let digits = outer.rest;
    if is_scientific(digits) {
        return Err(NumberFault::Scientific(told()));
    }
    if let Some(symbol) = symbol(digits) {
        return Err(NumberFault::Symbol(told(), symbol));
    }
    let (whole, decimals) = match digits.split_once(conventions.decimal) {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (digits, None),
    };
    let decimals = decimals.unwrap_or("0");
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let whole = match whole {
        "" if digits.starts_with(conventions.decimal) => "0".to_owned(),
        whole if all_digits(whole) => whole.to_owned(),
        whole => ungroup(whole, text, conventions)?,
    };
    if !all_digits(decimals) {
        // A separator after the decimals: both characters are there, the other way round than the file says.
        let separator = decimals.chars().find(|c| !c.is_ascii_digit());
        return Err(match separator.filter(|c| groups(*c, conventions)) {
            Some(c) => NumberFault::Grouping(told(), c, conventions.decimal),
            None => form(text, conventions),
        });
    }
    let sign = if outer.negative { "-" } else { "" };
    let plain = match decimals.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        decimals => format!("{sign}{whole}.{decimals}"),
    };
    Ok(Number {
        plain,
        currency: outer.currency,
    })
}

/// Reads a number of JSON, exactly: an exponent only moves the point. Nothing for one of absurd size.
pub fn json(text: &str) -> Option<String> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (rest, 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if text.len() > LONGEST || exponent.abs() > 40 {
        return None;
    }
    let digits = format!("{whole}{decimals}");
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let before = usize::try_from(point.max(0)).ok()?;
    let digits = format!(
        "{}{digits}",
        "0".repeat(usize::try_from((-point).max(0)).ok()?)
    );
    let digits = format!("{digits:0<before$}");
    let (whole, decimals) = digits.split_at(before);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    Some(match decimals.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        decimals => format!("{sign}{whole}.{decimals}"),
    })
}

/// Whether a text has the form in which spreadsheets shorten long numbers: `4.93012E+11`.
pub fn is_shortened(text: &str) -> bool {
    text.contains("E+") && is_scientific(text)
}

fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return false;
    };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mantissa: String = mantissa.chars().filter(|c| !".,".contains(*c)).collect();
    digits(&mantissa) && digits(exponent)
}

/// The text with digits 0 to 9 and plain signs: full-width forms and Arabic-Indic digits are other ways to write them.
fn latin(text: &str, conventions: &Conventions) -> Result<String, NumberFault> {
    let mut scripts = [false; 4];
    let mut latin = String::with_capacity(text.len());
    for c in text.chars() {
        let (script, start) = match c {
            '0'..='9' => (0, '0'),
            '０'..='９' => (1, '０'),
            '٠'..='٩' => (2, '٠'),
            '۰'..='۹' => (3, '۰'),
            '．' => {
                latin.push('.');
                continue;
            }
            '，' => {
                latin.push(',');
                continue;
            }
            '（' => {
                latin.push('(');
                continue;
            }
            '）' => {
                latin.push(')');
                continue;
            }
            '−' | '－' | '﹣' => {
                latin.push('-');
                continue;
            }
            '＋' => {
                latin.push('+');
                continue;
            }
            '％' => {
                latin.push('%');
                continue;
            }
            // The Arabic decimal separator means only that, as its thousands separator does.
            '٫' => {
                latin.push(conventions.decimal);
                continue;
            }
            c if c.is_numeric() => return Err(NumberFault::Digits(text.to_owned())),
            c => {
                latin.push(c);
                continue;
            }
        };
        scripts[script] = true;
        let value = u32::from(c) - u32::from(start);
        latin.extend(char::from_digit(value, 10));
    }
    if scripts.iter().filter(|seen| **seen).count() > 1 {
        return Err(NumberFault::Digits(text.to_owned()));
    }
    Ok(latin)
}

/// What is around the digits.
struct Outer<'a> {
    rest: &'a str,
    negative: bool,
    currency: Option<Currency>,
}

/// Takes the sign and the currency off both ends: `-5`, `5-`, `(5)`, `$5`, `5 EUR`, `-$5`, `$(5)`.
fn strip<'a>(
    latin: &'a str,
    text: &str,
    symbols: &BTreeMap<String, Currency>,
) -> Result<Outer<'a>, NumberFault> {
    let mut outer = Outer {
        rest: latin,
        negative: false,
        currency: None,
    };
    let mut signed = false;
    loop {
        let rest = outer.rest.trim();
        outer.rest = rest;
        let (inner, negative) = if let Some(inner) = within_parentheses(rest) {
            (inner, true)
        } else if let Some(inner) = rest.strip_prefix('-').or_else(|| rest.strip_suffix('-')) {
            (inner, true)
        } else if let Some(inner) = rest.strip_prefix('+') {
            (inner, false)
        } else if let Some((inner, currency)) = money(rest, symbols) {
            if outer.currency.is_some_and(|other| other != currency) {
                return Err(NumberFault::TwoCurrencies(text.to_owned()));
            }
            (outer.rest, outer.currency) = (inner, Some(currency));
            continue;
        } else {
            return Ok(outer);
        };
        if signed {
            return Err(NumberFault::Signs(text.to_owned()));
        }
        signed = true;
        outer.negative = negative;
        outer.rest = inner;
    }
}

fn within_parentheses(text: &str) -> Option<&str> {
    text.strip_prefix('(')?.strip_suffix(')')
}

/// The text without a currency at one of its ends: a declared symbol, the longest that fits, or a code of ISO 4217.
fn money<'a>(text: &'a str, symbols: &BTreeMap<String, Currency>) -> Option<(&'a str, Currency)> {
    let mut declared: Vec<_> = symbols.iter().collect();
    declared.sort_by_key(|(symbol, _)| std::cmp::Reverse(symbol.len()));
    for (symbol, currency) in declared {
        let inner = text.strip_prefix(symbol.as_str());
        if let Some(inner) = inner.or_else(|| text.strip_suffix(symbol.as_str())) {
            return Some((inner, *currency));
        }
    }
    let first = text.get(..3).zip(text.get(3..));
    let last = text
        .len()
        .checked_sub(3)
        .and_then(|at| text.get(at..).zip(text.get(..at)));
    let beside = [
        first.map(|(code, inner)| (code, inner, inner.chars().next())),
        last.map(|(code, inner)| (code, inner, inner.chars().next_back())),
    ];
    let mut codes = beside
        .into_iter()
        .flatten()
        .filter_map(|(code, inner, next)| {
            let alone = !next.is_some_and(char::is_alphabetic);
            Some((inner, code.parse::<Currency>().ok().filter(|_| alone)?))
        });
    codes.next()
}

/// A character beside the digits that looks like a currency.
fn symbol(text: &str) -> Option<String> {
    let other = |c: char| !(c.is_ascii_digit() || c.is_whitespace() || ".,'’-+()".contains(c));
    let start = text.find(other)?;
    let symbol: String = text[start..]
        .chars()
        .take_while(|c| other(*c))
        .take(8)
        .collect();
    let currency = |c: char| "$€£¥₹₽₩₺₪₫₴₦฿¢﷼".contains(c);
    symbol.contains(currency).then_some(symbol)
}

/// Whether a character groups thousands in this file: every kind of space where it is a space, both apostrophes where it
/// is one.
fn groups(c: char, conventions: &Conventions) -> bool {
    const SPACES: &str = " \u{A0}\u{2007}\u{2009}\u{202F}";
    const APOSTROPHES: &str = "'’ʼ";
    // The Arabic thousands separator means only that.
    if c == '٬' {
        return true;
    }
    let Some(declared) = conventions.thousands else {
        return false;
    };
    let same = |class: &str| class.contains(declared) && class.contains(c);
    c == declared || same(SPACES) || same(APOSTROPHES)
}

/// Puts groups of digits together: three digits each but the first, or in the Indian way two each but the last.
fn ungroup(whole: &str, text: &str, conventions: &Conventions) -> Result<String, NumberFault> {
    let mut separator = None;
    for c in whole.chars().filter(|c| !c.is_ascii_digit()) {
        if !groups(c, conventions) || separator.is_some_and(|other| other != c) {
            return Err(form(text, conventions));
        }
        separator = Some(c);
    }
    let Some(separator) = separator else {
        return Err(form(text, conventions));
    };
    let parts: Vec<&str> = whole.split(separator).collect();
    let (first, rest) = (parts[0], &parts[1..]);
    let led = (1..=3).contains(&first.len()) && !first.starts_with('0');
    let western = rest.iter().all(|part| part.len() == 3);
    let indian = first.len() <= 2
        && rest.len() >= 2
        && rest.split_last().is_some_and(|(last, middle)| {
            last.len() == 3 && middle.iter().all(|part| part.len() == 2)
        });
    if led && (western || indian) {
        return Ok(parts.concat());
    }
    Err(NumberFault::Grouping(
        text.to_owned(),
        separator,
        conventions.decimal,
    ))
}

fn form(text: &str, conventions: &Conventions) -> NumberFault {
    let thousands = conventions
        .thousands
        .map_or(", no thousands separator".to_owned(), |c| {
            format!(", thousands separator {c:?}")
        });
    NumberFault::Form(text.to_owned(), conventions.decimal, thousands)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn conventions(decimal: char, thousands: impl Into<Option<char>>) -> Conventions {
        let symbols = [("$", "USD"), ("US$", "USD"), ("€", "EUR"), ("A$", "AUD")];
        Conventions {
            currency: None,
            time_zone: chrono_tz::Tz::UTC,
            date_formats: Vec::new(),
            decimal,
            thousands: thousands.into(),
            symbols: symbols
                .map(|(symbol, code)| (symbol.to_owned(), code.parse().unwrap()))
                .into(),
            two_digit_years_from: None,
        }
    }

    fn plain(text: &str, decimal: char, thousands: impl Into<Option<char>>) -> String {
        match read(text, &conventions(decimal, thousands)) {
            Ok(number) => number.plain,
            Err(fault) => format!("{fault:?}").split('(').next().unwrap().to_owned(),
        }
    }

    #[test]
    fn groups_are_checked() {
        for (text, expected) in [
            ("12.50", "Grouping"),
            ("1.250", "1250"),
            ("12.345,60", "12345.6"),
            ("1.2345,60", "Grouping"),
            ("12345.678,90", "Grouping"),
            ("1.234.567,8", "1234567.8"),
            ("1.234.56", "Grouping"),
            (".123", "Grouping"),
            ("0.123", "Grouping"),
            ("1234,5", "1234.5"),
            ("1,234.56", "Grouping"),
            ("1,2,3", "Form"),
            ("1 234,5", "Form"),
        ] {
            assert_eq!(plain(text, ',', '.'), expected, "{text}");
        }
        for (text, expected) in [
            ("1,12", "Grouping"),
            ("112", "112"),
            ("1,120", "1120"),
            ("1,12,34,567.50", "11234567.5"),
            ("12,34,567", "1234567"),
            ("123,45,678", "Grouping"),
            ("12,34", "Grouping"),
            ("1.234,56", "Grouping"),
            ("1,,234", "Grouping"),
            (",234", "Grouping"),
            ("1,234,", "Grouping"),
        ] {
            assert_eq!(plain(text, '.', ','), expected, "{text}");
        }
        assert_eq!(plain("1,234", '.', None), "Form");
    }

    #[test]
    fn every_space_and_both_apostrophes_group() {
        for space in [' ', '\u{A0}', '\u{2007}', '\u{2009}', '\u{202F}'] {
            let text = format!("1{space}234{space}567,50");
            assert_eq!(plain(&text, ',', ' '), "1234567.5");
            assert_eq!(plain(&text, ',', '\u{A0}'), "1234567.5");
            assert_eq!(plain(&text, ',', '.'), "Form");
        }
        for text in ["1'234'567.50", "1’234’567.50"] {
            assert_eq!(plain(text, '.', '\''), "1234567.5");
        }
        assert_eq!(plain("1 234\u{A0}567", ',', ' '), "Form");
    }

    #[test]
    fn signs_stand_in_front_behind_or_around() {
        for (text, expected) in [
            ("-5", "-5"),
            ("−5", "-5"),
            ("5-", "-5"),
            ("(1,234.50)", "-1234.5"),
            ("+5", "5"),
            ("-$5", "-5"),
            ("$-5", "-5"),
            ("($5)", "-5"),
            ("$(5)", "-5"),
            ("5.00- EUR", "-5"),
            ("(-5)", "Signs"),
            ("--5", "Signs"),
            ("-5-", "Signs"),
            ("(5", "Form"),
            ("5)", "Form"),
        ] {
            assert_eq!(plain(text, '.', ','), expected, "{text}");
        }
    }

    #[test]
    fn currencies_beside_an_amount_are_read() {
        let currency = |text: &str| {
            read(text, &conventions('.', ',')).map(|number| number.currency.map(Currency::code))
        };
        for (text, code) in [
            ("$1,200.00", "USD"),
            ("US$ 1,200", "USD"),
            ("A$1", "AUD"),
            ("1,200.00 €", "EUR"),
            ("USD 1,200.00", "USD"),
            ("1200 JPY", "JPY"),
            ("$1 USD", "USD"),
        ] {
            assert_eq!(currency(text), Ok(Some(code)), "{text}");
        }
        assert_eq!(currency("1200"), Ok(None));
        assert_eq!(
            currency("£5"),
            Err(NumberFault::Symbol("£5".to_owned(), "£".to_owned()))
        );
        assert!(matches!(
            currency("$5 EUR"),
            Err(NumberFault::TwoCurrencies(_))
        ));
        assert!(matches!(currency("XXX 5"), Err(NumberFault::Form(..))));
    }

    #[test]
    fn other_notations_are_named() {
        for (text, expected) in [
            ("1.2E+05", "Scientific"),
            ("1E5", "Scientific"),
            ("1,2e+05", "Scientific"),
            ("50%", "Percent"),
            ("５０％", "Percent"),
            ("½", "Digits"),
            ("12²", "Digits"),
            ("१२", "Digits"),
            ("1２", "Digits"),
            ("", "Form"),
            ("-", "Form"),
            ("n/a", "Form"),
            ("5.", "Form"),
            ("1.2.3", "Form"),
            ("0x10", "Form"),
            ("NaN", "Form"),
        ] {
            assert_eq!(plain(text, '.', None), expected, "{text}");
        }
        assert_eq!(plain(&"9".repeat(61), '.', None), "TooLong");
        for (text, shortened) in [
            ("4.93012E+11", true),
            ("1E+05", true),
            ("1E5", false),
            ("E+1", false),
            ("A1E+5", false),
        ] {
            assert_eq!(is_shortened(text), shortened, "{text}");
        }
    }

    #[test]
    fn other_digits_are_read() {
        for text in ["１２３４．５０", "١٢٣٤٫٥٠", "۱٬۲۳۴٫۵۰", "1234.50"] {
            assert_eq!(plain(text, '.', None), "1234.5", "{text}");
        }
        assert_eq!(plain("١٬٢٣٤٫٥", ',', '.'), "1234.5");
        assert_eq!(plain("١٬٢٣٫٥", ',', '.'), "Grouping");
    }

    #[test]
    fn zeros_behind_the_point_mean_nothing() {
        for (text, expected) in [
            ("512.770000", "512.77"),
            ("70500.00", "70500"),
            ("250.0", "250"),
            ("512.775", "512.775"),
            (".5", "0.5"),
            ("0.00", "0"),
            ("007", "007"),
        ] {
            assert_eq!(plain(text, '.', None), expected);
        }
    }

    #[test]
    fn numbers_of_json_are_exact() {
        for (text, expected) in [
            ("1234.5", "1234.5"),
            ("-0.10", "-0.1"),
            ("0", "0"),
            ("1e3", "1000"),
            ("1.2345E4", "12345"),
            ("1.5e-2", "0.015"),
            ("12345678901234567890.12", "12345678901234567890.12"),
            ("120e-1", "12"),
            ("0.00e5", "0"),
        ] {
            assert_eq!(json(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(json("1e400"), None);
    }

    proptest! {
        /// A grouped number is the number without its groups, and the same digits grouped elsewhere are refused.
        #[test]
        fn grouping_changes_no_amount(number in 1_000_u64..1_000_000_000_000, cents in 0_u8..100) {
            let digits = number.to_string();
            let mut grouped = String::new();
            for (place, digit) in digits.chars().enumerate() {
                if place > 0 && (digits.len() - place) % 3 == 0 {
                    grouped.push('.');
                }
                grouped.push(digit);
            }
            let text = format!("{grouped},{cents:02}");
            let expected = format!("{number}.{cents:02}");
            let expected = expected.trim_end_matches('0').trim_end_matches('.');
            prop_assert_eq!(plain(&text, ',', '.'), expected);
            let moved = format!("{}.{},{cents:02}", &digits[..digits.len() - 2], &digits[digits.len() - 2..]);
            prop_assert_eq!(plain(&moved, ',', '.'), "Grouping");
        }
    }
}
