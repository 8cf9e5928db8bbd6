//! What may be said about a partner, and in which form it is kept.

use std::collections::BTreeSet;

use sea_orm::ActiveEnum;
use url::Url;

use super::PartnerType;
use crate::{
    entity::partner_attribute::AttributeKind,
    error::Faults,
    platform::{company_number::registration_number_key, text},
};

/// The most characters of a name.
pub const NAME: usize = 200;
/// The most characters of a region, an industry, a competency or a registration number.
pub const WORD: usize = 80;
/// The most characters of a key in another system.
pub const KEY: usize = 200;
/// The most values of one kind that a partner has.
pub const VALUES: usize = 50;

/// The form of a display name under which partners are sorted and found.
#[must_use]
pub fn name_key(display_name: &str) -> String {
    text::casefold(display_name)
}

/// The address of a website: `http` or `https`, with a host, at most 2,000 characters.
pub fn website(faults: &mut Faults, path: &str, value: Option<&str>) -> Option<String> {
    let value = faults.optional_text(path, value, 2_000)?;
    let sound = Url::parse(&value)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !sound {
        faults.add(path, "must be a web address such as https://acme.com");
    }
    Some(value)
}

/// The key of a registration number; nothing for a placeholder or for one that is too short to identify a company.
pub fn registration_number(faults: &mut Faults, path: &str, value: Option<&str>) -> Option<String> {
    faults
        .optional_text(path, value, WORD)
        .as_deref()
        .and_then(registration_number_key)
}

/// The types of a partner: at least one.
pub fn types(faults: &mut Faults, path: &str, values: &[PartnerType]) -> BTreeSet<String> {
    if values.is_empty() {
        faults.add(path, "needs at least one type");
    }
    values.iter().map(ActiveEnum::to_value).collect()
}

/// Words of the vendor, such as industries: trimmed, each once.
pub fn words(faults: &mut Faults, path: &str, values: &[String]) -> BTreeSet<String> {
    if values.len() > VALUES {
        faults.add(path, format!("must have at most {VALUES} entries"));
    }
    let numbered = values.iter().take(VALUES).enumerate();
    numbered
        .map(|(place, word)| faults.text(&format!("{path}.{place}"), word, WORD))
        .collect()
}

/// Values with the kind of fact they are.
pub fn of_kind(
    kind: AttributeKind,
    values: BTreeSet<String>,
) -> impl Iterator<Item = (AttributeKind, String)> {
    values.into_iter().map(move |value| (kind, value))
}
