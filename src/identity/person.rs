//! What is asked of a person's facts, wherever they come from.

use super::email::Email;
use unicode_normalization::UnicodeNormalization;

use crate::{
    error::Faults,
    platform::{mail::safe_header, text::visible},
};

/// The longest name, in characters.
const NAME_LIMIT: usize = 200;
/// The language of mails unless another is chosen.
pub const DEFAULT_LOCALE: &str = "en";

/// A name that may be in a mail to a stranger, trimmed: no line break or other control character, nothing that mail
/// programs make a link of.
pub fn name(faults: &mut Faults, path: &str, name: &str) -> String {
    if let Err(fault) = safe_header(name) {
        faults.add(path, fault.to_string());
        return String::new();
    }
    if let Some(link) = link(name) {
        let message = format!("must be the name of a person; `{link}` reads like a link");
        faults.add(path, message);
        return String::new();
    }
    faults.text(path, name, NAME_LIMIT)
}

/// The part of a text that mail programs would make a link of: an address on the web or of a mailbox, a host name.
fn link(text: &str) -> Option<String> {
    let shown: String = visible(text).nfkc().collect();
    let is_link = |word: &&str| {
        let word = word.to_lowercase();
        let marked = ["://", "www.", "mailto:", "tel:"]
            .iter()
            .any(|mark| word.contains(mark));
        marked
            || word.contains(['@', '<', '>'])
            || word.split(['/', '\\', ':', '?', '#']).any(names_host)
    };
    let mut words = shown.split_whitespace();
    words.find(is_link).map(str::to_owned)
}

/// Whether a word ends like the name of a host: letters behind a dot that are a public suffix.
fn names_host(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let labels = word
        .split(['.', '。'])
        .filter(|label| !label.is_empty())
        .count();
    let ascii = idna::domain_to_ascii(word).unwrap_or_else(|_| word.to_owned());
    labels > 1 && psl::suffix(ascii.as_bytes()).is_some_and(|suffix| suffix.is_known())
}

/// An address in its one spelling.
pub fn email(faults: &mut Faults, path: &str, email: &str) -> Option<Email> {
    faults.take(path, email.parse())
}

/// A language tag such as `en` or `pt-BR`.
pub fn locale(faults: &mut Faults, path: &str, locale: Option<&str>) -> String {
    let locale = locale.unwrap_or(DEFAULT_LOCALE);
    let mut parts = locale.split('-');
    let language = parts.next().is_some_and(|part| {
        (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_lowercase())
    });
    let rest = parts.all(|part| {
        (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    if !language || !rest || locale.len() > 35 {
        faults.add(path, "is not a language tag such as en or pt-BR");
    }
    locale.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> bool {
        let mut faults = Faults::default();
        let kept = name(&mut faults, "name", text);
        let refused = faults.check().is_err();
        assert!(refused || kept == text.trim(), "{text}");
        refused
    }

    #[test]
    fn names_of_people_are_names() {
        for text in [
            "Ada Lovelace",
            "J.R.R. Tolkien",
            "Dr. Anna Müller-Lüdenscheidt",
            "Sinéad O'Connor",
            "St.John Smith",
            "李小龍",
            "Мария Кюри",
            "Martin Luther King, Jr.",
            "Prof. Dr. h.c. Weiß",
            "Bob (Robert) Ross",
            "X Æ A-12",
            "Ravi S/O Kumar",
        ] {
            assert!(!fault(text), "{text}");
        }
    }

    #[test]
    fn a_name_is_no_link_and_has_no_control_character() {
        for text in [
            "http://evil.example/win",
            "Win at evil.com",
            "evil.com",
            "www.evil",
            "Click https://evil.de now",
            "evil.co.uk/x",
            "anna@evil.com",
            "mailto:a",
            "<a href=x>",
            "evil\u{200b}.com",
            "ｅｖｉｌ．ｃｏｍ",
            "evil。com",
            "(evil.com)",
            "evil.com:8080",
            "Ada\r\nBcc: x",
            "Ada\u{7}",
            "bücher.de",
            "xn--bcher-kva.de",
        ] {
            assert!(fault(text), "{text}");
        }
    }
}
