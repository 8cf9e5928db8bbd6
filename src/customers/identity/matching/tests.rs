//! Comparison of single facts; `pairs` measures names on a labelled set.

use super::super::{block_keys, name_key, name_tokens, similar_names};
use super::*;
use crate::platform::company_number::{phone_key, registration_number_key};
use proptest::prelude::*;

const THRESHOLD: i32 = 920_000;

fn names(a: &str, b: &str) -> Vec<MatchReason> {
    let of = |name| Facts {
        name,
        ..Facts::default()
    };
    compare(of(a), of(b), THRESHOLD).reasons
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
        ("株式会社日立", "日立"),
        ("SIA Rimini Latvia", "rimini latvia"),
        ("SIA Engineering", "sia engineering"),
        ("Serenity Spa", "serenity spa"),
        ("Harrow Ltd (UK)", "harrow uk"),
        ("ООО «Ромашка»", "romashka"),
        ("Łódzkie Zakłady S.A.", "lodzkie zaklady"),
        ("Ac\u{200b}me \u{ad}Corp\u{3164}", "acme"),
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
fn only_the_domain_and_the_registration_number_are_proof() {
    let acme = Facts {
        name: "Acme",
        domain: Some("acme.com"),
        domain_hint: None,
        country: Some("US"),
        registration_number: Some("1234X"),
        phone: Some("4930123456"),
    };
    let other_name = Facts {
        name: "Zenith",
        registration_number: None,
        ..acme
    };
    let other_domain = Facts {
        name: "Zenith",
        domain: Some("zenith.io"),
        phone: None,
        ..acme
    };
    let outcome = |b| compare(acme, b, THRESHOLD);
    assert_eq!(outcome(other_name).outcome, MatchOutcome::Conflict);
    assert_eq!(outcome(other_domain).outcome, MatchOutcome::Conflict);
    assert_eq!(
        outcome(other_domain).reasons,
        [MatchReason::SameRegistrationNumber]
    );
    let same_name_and_phone = Facts {
        domain: Some("acme.org"),
        registration_number: Some("9876X"),
        ..acme
    };
    assert_eq!(
        outcome(same_name_and_phone).outcome,
        MatchOutcome::PossibleConflict
    );
    let abroad = Facts {
        domain: Some("acme.de"),
        country: Some("DE"),
        phone: None,
        ..acme
    };
    assert_eq!(outcome(abroad).outcome, MatchOutcome::PossibleConflict);
    assert_eq!(outcome(abroad).reasons, [MatchReason::SameName]);
    let stranger = Facts {
        name: "Zenith",
        domain: Some("zenith.io"),
        registration_number: None,
        phone: None,
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
fn a_word_is_a_legal_form_in_its_country_or_when_written_as_one() {
    let spa = |name, country| {
        let of = |name, country| Facts {
            name,
            country,
            ..Facts::default()
        };
        compare(of(name, country), of("Serenity", None), THRESHOLD).outcome
    };
    let (one, two) = (MatchOutcome::PossibleConflict, MatchOutcome::Clear);
    for (name, country, expected) in [
        ("Serenity Spa", None, two),
        ("Serenity Spa", Some("US"), two),
        ("Serenity Spa", Some("IT"), one),
        ("Serenity S.p.A.", None, one),
        ("Serenity SpA", Some("US"), one),
        ("Serenity SPA", None, one),
        ("Serenity SPA", Some("US"), two),
        ("SERENITY SPA", None, two),
        ("SERENITY SPA", Some("IT"), one),
    ] {
        assert_eq!(spa(name, country), expected, "{name} {country:?}");
    }
}

#[test]
fn hints_say_nothing_across_borders_unless_they_are_global() {
    let a = Facts {
        name: "betasolin",
        country: Some("DE"),
        registration_number: Some("HRB12345"),
        phone: Some("4930123456"),
        ..Facts::default()
    };
    let b = Facts {
        name: "betasoloin",
        ..a
    };
    let all = [
        MatchReason::SimilarName,
        MatchReason::SameRegistrationNumber,
        MatchReason::SamePhone,
    ];
    assert_eq!(compare(a, b, THRESHOLD).reasons, all);
    assert_eq!(compare(a, b, THRESHOLD).outcome, MatchOutcome::Conflict);
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
    assert_eq!(
        registration_number_key("ＨＲＢ １２３"),
        Some("HRB123".into())
    );
    assert_eq!(registration_number_key("HRB 111"), Some("HRB111".into()));
    assert_eq!(
        registration_number_key("HR\u{200b}B 111"),
        Some("HRB111".into())
    );
    assert_eq!(
        registration_number_key("ЕГРН 77-01"),
        registration_number_key("егрн 7701")
    );
    assert_eq!(
        phone_key("+49 30 123456 ext. 12"),
        Some("4930123456".into())
    );
    assert_eq!(phone_key("٠٠٤٩ ٣٠ ١٢٣٤٥٦"), Some("4930123456".into()));
}

#[test]
fn placeholders_are_no_numbers() {
    for number in [
        "unknown",
        "pending",
        "n/a",
        "N.A.",
        "none",
        "tbd",
        "T.B.D.",
        "-",
        "?",
        "xxxx",
        "0000",
        "000000",
        "1111111",
        "12345",
        "123456789",
        "987654321",
        "HRB 0000",
        "TBD 2026",
        "4.93012E+11",
        "1E+12",
        "4,9E11",
        "unbekannt",
        "HRB",
        "nicht vorhanden",
        "to be confirmed",
        "null",
        "неизвестно",
        "不明",
    ] {
        assert_eq!(registration_number_key(number), None, "{number}");
    }
    for number in [
        "110",
        "0000000000",
        "1111111111",
        "1234567890",
        "0123456789",
        "9876543210",
        "1234567",
        "+49 000 0000000",
        "+1 555 555 5555",
        "+49 12345678",
        "+1 123 456 7890",
        "4.93012E+11",
        "4,93012E+11",
        "unknown",
        "n/a",
        "1-800-FLOWERS",
        "123456789012345678",
    ] {
        assert_eq!(phone_key(number), None, "{number}");
    }
}

fn share_a_key(a: &str, b: &str) -> bool {
    !block_keys(a).is_disjoint(&block_keys(b))
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
    fn every_text_has_a_key_of_single_blanks(name in "[\\PC]{0,40}") {
        let key = name_key(&name);
        prop_assert_eq!(key.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "), key.clone());
        let readable = name.chars().any(char::is_alphanumeric);
        prop_assert!(readable || key.is_empty() || !key.is_ascii(), "{name:?} {key:?}");
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
