//! How an e-mail address is spelled: one spelling per person, so that nobody has two accounts by writing
//! it differently, and nothing in it that could become a line of a mail's header.

use std::{fmt, str::FromStr};

/// The longest address that mail servers must accept, in bytes (RFC 5321, section 4.5.3.1.3).
const LONGEST: usize = 254;

/// An address without surrounding space, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

/// The text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an e-mail address")]
pub struct NotAnAddress;

impl Email {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Email {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let address = spelling(text);
        let odd = |c: char| c.is_control() || c.is_whitespace();
        if address.len() > LONGEST || address.contains(odd) {
            return Err(NotAnAddress);
        }
        match address.parse::<lettre::Address>() {
            Ok(_) => Ok(Self(address)),
            Err(_) => Err(NotAnAddress),
        }
    }
}

/// What two texts have in common that name the same account, whether they are addresses or not.
#[must_use]
pub fn spelling(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_one_spelling() {
        let address: Result<Email, _> = " Anna.Berg@Acme.COM ".parse();
        assert_eq!(address, Ok(Email("anna.berg@acme.com".to_owned())));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@acme.com", "a".repeat(250));
        for text in [
            "",
            "anna",
            "anna@",
            "@acme.com",
            "anna@acme.com\r\nBcc: x@y.example",
            "anna\0@acme.com",
            "\"anna berg\"@acme.com",
            "Anna <anna@acme.com>",
            &long,
        ] {
            assert_eq!(text.parse::<Email>(), Err(NotAnAddress), "{text:?}");
        }
    }
}
