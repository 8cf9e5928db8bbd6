//! Comparing two customers: are they the same, might they be, and why.
//!
//! Only the same registrable domain and the same registration number in one country are proof and block without a
//! review. Everything else is a hint that a person judges: names repeat, and group companies share telephones.
//!
//! Pure: decides from facts alone.

use super::name::Spellings;
use crate::entity::deal_registration::{MatchOutcome, MatchReason};

impl MatchReason {
    /// Whether two customers that have this in common are one.
    #[must_use]
    pub fn is_proof(self) -> bool {
        matches!(self, Self::SameDomain | Self::SameRegistrationNumber)
    }
}

/// What is known about a customer: the name as written, the rest in canonical forms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The name.
    pub name: &'a str,
    /// As [`super::registrable_domain`] gives it.
    pub domain: Option<&'a str>,
    /// The domain of an address that may belong to another company.
    pub domain_hint: Option<&'a str>,
    /// ISO 3166 country code.
    pub country: Option<&'a str>,
    /// As [`crate::platform::company_number::registration_number_key`] gives it.
    pub registration_number: Option<&'a str>,
    /// As [`crate::platform::company_number::phone_key`] gives it.
    pub phone: Option<&'a str>,
}

/// The answer of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// How sure we are.
    pub outcome: MatchOutcome,
    /// What the two have in common; empty exactly when the outcome is clear.
    pub reasons: Vec<MatchReason>,
}

/// Compares two customers. The same domain and the same registration number are a conflict; the same or a similar name
/// or telephone, and a page on the same host, are a possible one. A merely similar name or the same registration number
/// is ignored if both countries are known and differ. Names are similar from `name_similarity_ppm` on, which the
/// programme sets.
pub fn compare(a: Facts<'_>, b: Facts<'_>, name_similarity_ppm: i32) -> Match {
    let abroad = matches!((a.country, b.country), (Some(a), Some(b)) if a != b);
    // What is a legal form in the country of one is read so in the other, whose country may be unknown.
    let names = (
        Spellings::of(a.name, a.country.or(b.country)),
        Spellings::of(b.name, b.country.or(a.country)),
    );
    let same_name = names.0.same_as(&names.1);
    let similar = || !same_name && !abroad && names.0.similar_to(&names.1, name_similarity_ppm);
    let found = [
        (same(a.domain, b.domain), MatchReason::SameDomain),
        (same_name, MatchReason::SameName),
        (similar(), MatchReason::SimilarName),
        (
            !abroad && same(a.registration_number, b.registration_number),
            MatchReason::SameRegistrationNumber,
        ),
        (same(a.phone, b.phone), MatchReason::SamePhone),
        (
            same(a.domain_hint, b.domain)
                || same(a.domain, b.domain_hint)
                || same(a.domain_hint, b.domain_hint),
            MatchReason::SameHost,
        ),
    ];
    let reasons: Vec<_> = found
        .into_iter()
        .filter_map(|(holds, reason)| holds.then_some(reason))
        .collect();
    let outcome = if reasons.iter().any(|reason| reason.is_proof()) {
        MatchOutcome::Conflict
    } else if reasons.is_empty() {
        MatchOutcome::Clear
    } else {
        MatchOutcome::PossibleConflict
    };
    Match { outcome, reasons }
}

fn same(a: Option<&str>, b: Option<&str>) -> bool {
    a.is_some() && a == b
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod pairs;
