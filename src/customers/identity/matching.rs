//! Comparing two customers: are they the same, might they be, and why.
//!
//! Only the same registrable domain is proof and blocks by itself. Everything else is a hint that a
//! person must judge: names repeat, group companies share telephones, and numbers of different
//! registers coincide.
//!
//! Pure: decides from facts alone.

use serde::{Deserialize, Serialize};

use super::name::similar_names;

/// How sure we are that two customers are one.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum MatchOutcome {
    /// Nothing in common.
    Clear,
    /// A person must look.
    PossibleConflict,
    /// The same customer.
    Conflict,
}

/// What two customers have in common.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum MatchReason {
    /// The registrable domain. Proof.
    SameDomain,
    /// The name, apart from spelling conventions and legal form.
    SameName,
    /// Nearly the name.
    SimilarName,
    /// The registration number.
    SameRegistrationNumber,
    /// The telephone number.
    SamePhone,
}

/// What is known about a customer, in canonical forms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// As [`super::name_key`] gives it.
    pub name_key: &'a str,
    /// As [`super::registrable_domain`] gives it.
    pub domain: Option<&'a str>,
    /// ISO 3166 country code.
    pub country: Option<&'a str>,
    /// As [`super::registration_number_key`] gives it.
    pub registration_number: Option<&'a str>,
    /// As [`super::phone_key`] gives it.
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

/// Compares two customers. The same domain is a conflict; the same or a similar name, number or
/// telephone is a possible one. A merely similar name and a registration number say nothing across
/// two countries that are both known. Names are similar from `name_similarity_ppm` on, which is
/// data of the programme.
pub fn compare(a: Facts<'_>, b: Facts<'_>, name_similarity_ppm: i32) -> Match {
    let abroad = matches!((a.country, b.country), (Some(a), Some(b)) if a != b);
    let same_name = !a.name_key.is_empty() && a.name_key == b.name_key;
    let similar =
        || !same_name && !abroad && similar_names(a.name_key, b.name_key, name_similarity_ppm);
    let found = [
        (same(a.domain, b.domain), MatchReason::SameDomain),
        (same_name, MatchReason::SameName),
        (similar(), MatchReason::SimilarName),
        (
            !abroad && same(a.registration_number, b.registration_number),
            MatchReason::SameRegistrationNumber,
        ),
        (same(a.phone, b.phone), MatchReason::SamePhone),
    ];
    let reasons: Vec<_> = found
        .into_iter()
        .filter_map(|(holds, reason)| holds.then_some(reason))
        .collect();
    let outcome = match reasons.first() {
        Some(MatchReason::SameDomain) => MatchOutcome::Conflict,
        Some(_) => MatchOutcome::PossibleConflict,
        None => MatchOutcome::Clear,
    };
    Match { outcome, reasons }
}

fn same(a: Option<&str>, b: Option<&str>) -> bool {
    a.is_some() && a == b
}

#[cfg(test)]
mod tests {
    use super::super::name::{
        block_keys, name_key, name_tokens, phone_key, registration_number_key,
    };
    use super::*;
    use proptest::prelude::*;

    const THRESHOLD: i32 = 920_000;

    fn names(a: &str, b: &str) -> Vec<MatchReason> {
        let (a, b) = (name_key(a), name_key(b));
        compare(
            Facts {
                name_key: &a,
                ..Facts::default()
            },
            Facts {
                name_key: &b,
                ..Facts::default()
            },
            THRESHOLD,
        )
        .reasons
    }

    #[test]
    fn names_lose_spelling_and_legal_form() {
        let keys = [
            ("Acme Corp.", "acme"),
            ("ACME Corporation", "acme"),
            ("Acme Corporatoin", "acme"),
            ("ＡＣＭＥ, Inc.", "acme"),
            ("The Acme Company, Ltd.", "acme"),
            ("Acme Dental", "acme dental"),
            ("Société Générale S.A.", "societe generale"),
            ("Müller & Söhne GmbH & Co. KG", "muller sohne"),
            ("STRASSE AG", "strasse"),
            ("Straße AG", "strasse"),
            ("Ferrari S.p.A.", "ferrari"),
            ("Kontron Sp. z o.o.", "kontron"),
            ("Grupo Azul, S.A. de C.V.", "grupo azul"),
            ("Maersk A/S", "maersk"),
            ("I.B.M.", "ibm"),
            ("Johnson & Johnson", "johnson johnson"),
            ("O'Reilly Media", "oreilly media"),
            ("AG", "ag"),
            ("The Limited", "limited"),
            ("株式会社日立", "株式会社日立"),
            ("!!", ""),
        ];
        for (name, key) in keys {
            assert_eq!(name_key(name), key, "{name}");
        }
        assert_eq!(name_tokens("acme dental").len(), 2);
    }

    #[test]
    fn the_same_name_is_possible_and_a_longer_one_is_not() {
        assert_eq!(
            names("Acme Corp.", "ACME Corporation"),
            [MatchReason::SameName]
        );
        assert_eq!(names("Acme Dental", "Acme"), []);
        assert_eq!(names("Acme Dental", "Acme Rental"), []);
        assert_eq!(names("Studio 54", "Studio 55"), []);
        assert_eq!(names("!", "?"), []);
    }

    #[test]
    fn misspelt_and_reordered_names_are_similar() {
        for (a, b) in [
            ("Betasoloin", "Betasolin"),
            ("Acme Dentel", "Acme Dental"),
            ("Dental Acme", "Acme Dental"),
            ("Beta Solin", "Betasolin"),
            ("Northwind Tradres Ltd", "Northwind Traders"),
        ] {
            assert_eq!(names(a, b), [MatchReason::SimilarName], "{a} / {b}");
        }
    }

    #[test]
    fn only_the_domain_is_proof() {
        let acme = Facts {
            name_key: "acme",
            domain: Some("acme.com"),
            country: Some("US"),
            ..Facts::default()
        };
        let other_name = Facts {
            name_key: "zenith",
            ..acme
        };
        let outcome = |b| compare(acme, b, THRESHOLD);
        assert_eq!(outcome(other_name).outcome, MatchOutcome::Conflict);
        let abroad = Facts {
            domain: Some("acme.de"),
            country: Some("DE"),
            ..acme
        };
        assert_eq!(outcome(abroad).outcome, MatchOutcome::PossibleConflict);
        assert_eq!(outcome(abroad).reasons, [MatchReason::SameName]);
        let stranger = Facts {
            name_key: "zenith",
            domain: Some("zenith.io"),
            ..acme
        };
        assert_eq!(
            outcome(stranger),
            Match {
                outcome: MatchOutcome::Clear,
                reasons: vec![]
            }
        );
    }

    #[test]
    fn hints_say_nothing_across_borders_unless_they_are_global() {
        let a = Facts {
            name_key: "betasolin",
            country: Some("DE"),
            registration_number: Some("HRB12345"),
            phone: Some("4930123456"),
            ..Facts::default()
        };
        let b = Facts {
            name_key: "betasoloin",
            ..a
        };
        let all = [
            MatchReason::SimilarName,
            MatchReason::SameRegistrationNumber,
            MatchReason::SamePhone,
        ];
        assert_eq!(compare(a, b, THRESHOLD).reasons, all);
        assert_eq!(
            compare(a, b, THRESHOLD).outcome,
            MatchOutcome::PossibleConflict
        );
        let abroad = Facts {
            country: Some("AT"),
            ..b
        };
        assert_eq!(
            compare(a, abroad, THRESHOLD).reasons,
            [MatchReason::SamePhone]
        );
        let anywhere = Facts { country: None, ..b };
        assert_eq!(compare(a, anywhere, THRESHOLD).reasons, all);
    }

    #[test]
    fn numbers_have_one_form() {
        assert_eq!(
            registration_number_key(" hrb 123-45 B"),
            Some("HRB12345B".into())
        );
        assert_eq!(registration_number_key("n/a"), None);
        for number in ["+49 (0)30 123456", "0049-30-123456", "49 30/123 456"] {
            assert_eq!(phone_key(number), Some("4930123456".into()), "{number}");
        }
        assert_eq!(phone_key("110"), None);
    }

    fn share_a_key(a: &str, b: &str) -> bool {
        !block_keys(&name_key(a)).is_disjoint(&block_keys(&name_key(b)))
    }

    #[test]
    fn misspellings_are_filed_under_a_common_key() {
        for (a, b) in [
            ("Betasoloin", "Betasolin"),
            ("Acme Corporatoin", "Acme Corp"),
            ("Acme", "Accme"),
            ("Acme", "Acmee"),
            ("Dental Acme", "Acme Dental"),
            ("Beta Solin", "Betasolin"),
            ("Nrothwind", "Northwind"),
            ("Globex", "Globbex"),
            ("Initech", "Intiech"),
        ] {
            assert!(share_a_key(a, b), "{a} / {b}");
        }
        assert!(!share_a_key("Acme", "Zenith"));
        assert_eq!(block_keys("").len(), 0);
        insta::assert_snapshot!(block_keys("betasolin systems").into_iter().collect::<Vec<_>>().join(", "), @"c:btslnstm, p:betas, t:btems, w:bet sys");
    }

    fn slip(word: &str, place: usize, kind: usize, letter: char) -> String {
        let mut letters: Vec<char> = word.chars().collect();
        match kind {
            0 => letters[place] = letter,
            1 => letters.insert(place, letter),
            2 => drop(letters.remove(place)),
            _ => letters.swap(place, place - 1),
        }
        letters.into_iter().collect()
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(name in "[\\PC]{0,40}") {
            let key = name_key(&name);
            prop_assert_eq!(name_key(&key), key);
        }

        #[test]
        fn a_key_of_ordinary_words_is_its_own_key(
            words in prop::collection::vec(prop::sample::select(vec![
                "a", "b", "e", "t", "y", "and", "et", "the", "co", "s", "sp", "z", "o", "oo", "acme", "ltd", "sa", "de", "cv",
                "&", "S.p.A.", "A/S", "Corporatoin",
            ]), 0..7)
        ) {
            let key = name_key(&words.join(" "));
            prop_assert_eq!(name_key(&key), key);
        }

        #[test]
        fn likeness_is_mutual(a in "[a-c]{1,4}( [a-c]{1,4}){0,2}", b in "[a-c]{1,4}( [a-c]{1,4}){0,2}") {
            prop_assert_eq!(similar_names(&a, &b, THRESHOLD), similar_names(&b, &a, THRESHOLD));
        }

        #[test]
        fn one_slip_in_a_longer_name_is_always_found(
            word in "[a-z]{10,16}", place in 0_usize..100, kind in 0_usize..4, letter in proptest::char::range('a', 'z')
        ) {
            let after_first = if kind == 3 { 2 } else { 1 };
            let place = after_first + place % (word.len() - after_first);
            let slipped = slip(&word, place, kind, letter);
            prop_assert!(!block_keys(&word).is_disjoint(&block_keys(&slipped)), "{word} {slipped}");
        }
    }
}
