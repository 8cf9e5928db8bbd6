//! Which country codes exist: ISO 3166-1 alpha-2, the same for the API and for imports.

use std::{collections::HashSet, sync::LazyLock};

/// The assigned codes; the file says where they come from.
static ASSIGNED: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("countries.txt").lines();
    lines
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        // Kosovo has no code of ISO's own; this one is in general use (European Commission, SWIFT, Unicode CLDR).
        .chain(["XK"])
        .collect()
});

/// Codes that people write and ISO does not assign, with the one they mean.
const MISTAKEN: [(&str, &str); 2] = [("UK", "GB"), ("EL", "GR")];

/// Why a text is not a country.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountryFault {
    /// Not two letters.
    #[error("{0:?} is not a two-letter country code by ISO 3166-1, such as DE")]
    Form(String),
    /// Two letters that no country has.
    #[error("{0:?} is not a country code of ISO 3166-1")]
    Unassigned(String),
    /// Two letters that are reserved or used by others for a country with another code.
    #[error("{0:?} is not a country code of ISO 3166-1; use {1}")]
    Mistaken(String, &'static str),
}

/// Checks a code in capital letters.
///
/// # Errors
/// See [`CountryFault`].
pub fn check(code: &str) -> Result<&'static str, CountryFault> {
    if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(CountryFault::Form(code.to_owned()));
    }
    if let Some(known) = ASSIGNED.get(code) {
        return Ok(known);
    }
    Err(match MISTAKEN.iter().find(|(wrong, _)| *wrong == code) {
        Some((_, right)) => CountryFault::Mistaken(code.to_owned(), right),
        None => CountryFault::Unassigned(code.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assigned_codes_are_known_and_others_are_named() {
        for code in ["DE", "GB", "US", "ZW", "XK", "SS", "TL"] {
            assert_eq!(check(code), Ok(code));
        }
        for code in ["XX", "ZZ", "EU", "AN", "SU", "DD", "AA"] {
            assert_eq!(check(code), Err(CountryFault::Unassigned(code.to_owned())));
        }
        for code in ["", "D", "DEU", "de", "D1", "ÄÖ", "Germany", "DE "] {
            assert_eq!(check(code), Err(CountryFault::Form(code.to_owned())));
        }
        assert_eq!(
            check("UK").unwrap_err().to_string(),
            "\"UK\" is not a country code of ISO 3166-1; use GB"
        );
    }

    #[test]
    fn the_list_has_every_assigned_code_once() {
        assert_eq!(ASSIGNED.len(), 250);
    }
}
