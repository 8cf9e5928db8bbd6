//! What somebody typed about a customer, in the form in which customers are compared and kept.

use super::identity::{Address, Facts, address, name_key};
use crate::{
    entity::customer,
    error::Faults,
    platform::{
        company_number::{phone_key, registration_number_key},
        country,
    },
};

/// The most characters of a name.
pub const NAME: usize = 200;
/// The most characters of an industry, a number or a telephone number.
pub const WORD: usize = 80;

/// A customer as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClaimedCustomer {
    /// The name, as typed.
    pub name: String,
    /// A domain, web address or e-mail address, as typed.
    pub domain: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// The number in a public register, as typed.
    pub registration_number: Option<String>,
    /// A phone number, as typed.
    pub phone: Option<String>,
}

/// A customer in canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The name as typed, trimmed.
    pub name: String,
    /// The name for comparison.
    pub name_key: String,
    /// The registrable domain.
    pub domain: Option<String>,
    /// The domain of an address that may belong to another company.
    pub domain_hint: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Letters and digits of the registration number.
    pub registration_number: Option<String>,
    /// Digits of the telephone number.
    pub phone: Option<String>,
}

impl Claim {
    /// Reads what was typed, with a fault under `path` for each value that is none.
    pub fn read(faults: &mut Faults, claimed: &ClaimedCustomer, path: &str) -> Self {
        let at = |field: &str| {
            if path.is_empty() {
                field.to_owned()
            } else {
                format!("{path}.{field}")
            }
        };
        let (name, name_key) = name(faults, &at("name"), &claimed.name);
        let (domain, domain_hint) = domain(faults, &at("domain"), claimed.domain.as_deref());
        Self {
            name,
            name_key,
            domain,
            domain_hint,
            country: country(faults, &at("country"), claimed.country.as_deref()),
            registration_number: registration_number(
                faults,
                &at("registrationNumber"),
                claimed.registration_number.as_deref(),
            ),
            phone: phone(faults, &at("phone"), claimed.phone.as_deref()),
        }
    }

    /// What a record says.
    #[must_use]
    pub fn of(customer: &customer::Model) -> Self {
        Self {
            name: customer.name.clone(),
            name_key: customer.name_key.clone(),
            domain: customer.domain.clone(),
            domain_hint: customer.domain_hint.clone(),
            country: customer.country.clone(),
            registration_number: customer.registration_number.clone(),
            phone: customer.phone.clone(),
        }
    }

    /// The same customer under another name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            name_key: name_key(name),
            ..self
        }
    }

    /// The facts for comparison.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            name: &self.name,
            domain: self.domain.as_deref(),
            domain_hint: self.domain_hint.as_deref(),
            country: self.country.as_deref(),
            registration_number: self.registration_number.as_deref(),
            phone: self.phone.as_deref(),
        }
    }
}

/// A name and its key.
pub fn name(faults: &mut Faults, path: &str, typed: &str) -> (String, String) {
    let name = faults.text(path, typed, NAME);
    let key = name_key(&name);
    if key.is_empty() && !name.is_empty() {
        faults.add(path, "needs a letter or a digit");
    }
    (name, key)
}

/// The registrable domain of an address, as the company's own or as a hint. Hosts that many companies share give
/// neither.
pub fn domain(
    faults: &mut Faults,
    path: &str,
    typed: Option<&str>,
) -> (Option<String>, Option<String>) {
    let typed = typed.filter(|text| !text.trim().is_empty());
    let read = typed.and_then(|typed| faults.take(path, address(typed)));
    read.map_or((None, None), Address::into_parts)
}

/// The address of a customer whose domain may be known already: a page or a subdomain of it takes nothing from it.
#[must_use]
pub fn beside(
    known: Option<&str>,
    (domain, hint): (Option<String>, Option<String>),
) -> (Option<String>, Option<String>) {
    if domain.is_none() && known.is_some() && hint.as_deref() == known {
        (hint, None)
    } else {
        (domain, hint)
    }
}

/// A country code.
pub fn country(faults: &mut Faults, path: &str, typed: Option<&str>) -> Option<String> {
    let code = typed.filter(|text| !text.trim().is_empty())?.trim();
    faults.take(path, country::check(code)).map(str::to_owned)
}

/// The key of a registration number; nothing for a placeholder or for one that is too short to tell anything.
pub fn registration_number(faults: &mut Faults, path: &str, typed: Option<&str>) -> Option<String> {
    faults
        .optional_text(path, typed, WORD)
        .as_deref()
        .and_then(registration_number_key)
}

/// The key of a telephone number; nothing for a placeholder or for one that is too short to tell anything.
pub fn phone(faults: &mut Faults, path: &str, typed: Option<&str>) -> Option<String> {
    faults
        .optional_text(path, typed, WORD)
        .as_deref()
        .and_then(phone_key)
}
