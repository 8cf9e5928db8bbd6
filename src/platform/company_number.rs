//! The canonical forms of registration numbers and telephone numbers. What people type where they have none proves
//! nothing and has no form: words, repeated digits, counting, what a spreadsheet made of a long number.
//!
//! Pure: decides from facts alone.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::spelling::{latin, words, written_out};
use super::text::visible;

/// The words that people and exports write where there is no number.
static NO_VALUES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("data/no_values.txt").lines();
    lines.filter(|line| !line.starts_with('#')).collect()
});

/// The minimum length of a word in a number, such as a court, that may have several spellings. Shorter words are codes,
/// in which every letter counts.
const WORD: usize = 4;

/// The fewest digits of a telephone number that can tell two companies apart, and the most there are (E.164).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// The version of the canonical form of registration numbers. Raise it with every change of the form or of a list;
/// partners stored under an earlier one are rewritten when the program starts, customers by a version of their own.
pub const FORMS: i64 = 2;

/// The canonical form of a registration number (commercial register, DUNS, tax): letters and digits only, upper case,
/// in Latin letters, words in one spelling: `HRB 4711 Köln` and `hrb 4711, Koeln` are one. Its own form is itself. Nothing
/// when fewer than four remain or none is a digit, and nothing for a placeholder.
pub fn registration_number_key(number: &str) -> Option<String> {
    if is_rounded(number) || is_empty(number) {
        return None;
    }
    let key = words(number)
        .iter()
        .map(|word| latin(word))
        .collect::<String>();
    let digits: String = key.chars().filter(char::is_ascii_digit).collect();
    let letters: String = key.chars().filter(|c| !c.is_ascii_digit()).collect();
    let made_up = if letters.is_empty() {
        is_repeated(&digits) || counts(&digits)
    } else {
        NO_VALUES.contains(letters.as_str()) || digits.bytes().all(|digit| digit == b'0')
    };
    let key = in_one_spelling(&key);
    let made_up = made_up || is_rounded(&key);
    (key.chars().count() >= 4 && !digits.is_empty() && !made_up).then(|| key.to_uppercase())
}

/// A key whose words spell `ä` and `ae` the same way, wherever they occur.
fn in_one_spelling(key: &str) -> String {
    let mut runs: Vec<String> = Vec::new();
    for c in key.chars() {
        let goes_on = |run: &&mut String| {
            run.ends_with(|last: char| last.is_alphabetic() == c.is_alphabetic())
        };
        match runs.last_mut().filter(goes_on) {
            Some(run) => run.push(c),
            None => runs.push(c.into()),
        }
    }
    for run in &mut runs {
        while run.chars().count() >= WORD {
            let plain = written_out(run);
            if plain == *run {
                break;
            }
            *run = plain;
        }
    }
    runs.concat()
}

/// The canonical form of a telephone number: digits only, without `00` or `+` in front, without a `(0)` and without an
/// extension. Nothing when there are too few or too many, and nothing for a placeholder. Numbers written without their
/// country match only others written so.
pub fn phone_key(number: &str) -> Option<String> {
    if is_rounded(number) {
        return None;
    }
    let plain: String = visible(number).chars().map(digit).collect();
    let mut digits = String::new();
    for c in plain.replace("(0)", "").chars() {
        if c.is_ascii_digit() {
            digits.push(c);
        } else if c.is_alphabetic() && digits.len() >= *PHONE_DIGITS.start() {
            break;
        }
    }
    let key = digits.strip_prefix("00").unwrap_or(&digits);
    let tail = |count: usize| key.get(key.len().saturating_sub(count)..).unwrap_or(key);
    let made_up = is_repeated(key)
        || is_repeated(tail(7))
        || counts(key)
        || (key.len() > 8 && counts(tail(8)));
    (PHONE_DIGITS.contains(&key.len()) && !made_up).then(|| key.to_owned())
}

/// A digit of any script as an ASCII digit.
fn digit(c: char) -> char {
    let ascii = any_ascii::any_ascii_char(c);
    match ascii.as_bytes() {
        [one] if c.is_numeric() && one.is_ascii_digit() => char::from(*one),
        _ => c,
    }
}

/// A number as a spreadsheet shows one that is too long for its cell: `4.93012E+11`.
fn is_rounded(text: &str) -> bool {
    let text = text.trim().to_ascii_uppercase();
    let Some((mantissa, exponent)) = text.split_once('E') else {
        return false;
    };
    let exponent = exponent.trim_start_matches(['+', '-']);
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = mantissa.replace([',', '.'], "");
    number(&whole) && number(exponent) && (mantissa.len() == 1 || whole.len() < mantissa.len())
}

/// A word that stands for no value.
fn is_empty(text: &str) -> bool {
    let words = words(text);
    NO_VALUES.contains(words.join(" ").as_str())
        || words.iter().all(|word| NO_VALUES.contains(word.as_str()))
}

fn is_repeated(digits: &str) -> bool {
    let mut bytes = digits.bytes();
    let first = bytes.next();
    bytes.all(|digit| Some(digit) == first)
}

/// Whether each digit is the one before it plus one, or minus one; 9 and 0 are neighbours.
fn counts(digits: &str) -> bool {
    let steps = || digits.bytes().zip(digits.bytes().skip(1));
    let up = |(a, b): (u8, u8)| (a - b'0' + 1) % 10 == b - b'0';
    let down = |(a, b): (u8, u8)| (b - b'0' + 1) % 10 == a - b'0';
    digits.len() >= 4 && (steps().all(up) || steps().all(down))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(number: &str) -> String {
        registration_number_key(number).unwrap()
    }

    #[test]
    fn a_place_is_one_however_its_letters_are_written() {
        for (key, spellings) in [
            (
                "HRB4711KOLN",
                [
                    "HRB 4711 Köln",
                    "HRB 4711 koeln",
                    "HRB 4711, Koeln",
                    "hrb4711köln",
                    "HRB-4711 KO\u{308}LN",
                    "HRB 4711 (Koeln)",
                ],
            ),
            (
                "HRA210DUSSELDORF",
                [
                    "HRA 210 Düsseldorf",
                    "HRA 210 DUESSELDORF",
                    "HRA 210, Duesseldorf",
                    "HRA210 Dusseldorf",
                    "hra 210 / düsseldorf",
                    "ＨＲＡ ２１０ Ｄüsseldorf",
                ],
            ),
            (
                "AMTSGERICHTSAARBRUCKENHRB5",
                [
                    "Amtsgericht Saarbrücken HRB 5",
                    "Amtsgericht Saarbruecken HRB 5",
                    "AMTSGERICHT SAARBRÜCKEN, HRB 5",
                    "Amtsgericht Saarbrücken: HRB 5",
                    "amtsgericht saarbruecken hrb5",
                    "Amtsgericht Saarbrücken – HRB 5",
                ],
            ),
        ] {
            for spelling in spellings {
                // `aa` is another spelling of `å`.
                assert_eq!(
                    self::key(spelling),
                    key.replace("SAAR", "SAR"),
                    "{spelling}"
                );
            }
        }
        assert_ne!(key("HRB 4711 Köln"), key("HRB 4711 Bonn"));
        assert_ne!(key("HRB 4711 Köln"), key("HRB 4711"));
    }

    #[test]
    fn every_letter_of_a_code_counts() {
        assert_eq!(key("AE 123456"), "AE123456");
        assert_eq!(key("SUE-12 3"), "SUE123");
        assert_ne!(key("AE 123456"), key("A 123456"));
        assert_ne!(key("UE12345678"), key("U12345678"));
        assert_eq!(key("CHE-123.456.789"), "CHE123456789");
        assert_eq!(key("U72200KA2007PTC043114"), "U72200KA2007PTC043114");
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(number in "[A-Za-zäöüÅßaeou0-9 ,./-]{0,24}") {
            if let Some(key) = registration_number_key(&number) {
                prop_assert_eq!(registration_number_key(&key), Some(key.clone()), "{}", number);
            }
        }
    }
}
