//! What is asked of a person's facts, wherever they come from.

use super::email::Email;
use crate::{error::Faults, platform::mail::safe_header};

/// The longest name, in characters.
const NAME_LIMIT: usize = 200;
/// The language of mails unless another is chosen.
pub const DEFAULT_LOCALE: &str = "en";

/// A name that may stand in the header of a mail, trimmed.
pub fn name(faults: &mut Faults, path: &str, name: &str) -> String {
    if let Err(fault) = safe_header(name) {
        faults.add(path, fault.to_string());
        return String::new();
    }
    faults.text(path, name, NAME_LIMIT)
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
