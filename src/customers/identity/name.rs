//! The canonical form of a company's name, its number and its telephone, and how close two names
//! are.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Legal forms as they look after normalisation, at the end of a name.
const LEGAL_FORMS: [&str; 70] = [
    "ab",
    "ag",
    "aktiengesellschaft",
    "aps",
    "as",
    "asa",
    "bhd",
    "bv",
    "bvba",
    "co",
    "company",
    "corp",
    "corporation",
    "cv",
    "doo",
    "ead",
    "ehf",
    "ek",
    "eood",
    "ev",
    "gbr",
    "gesmbh",
    "gk",
    "gmbh",
    "hf",
    "inc",
    "incorporated",
    "jsc",
    "kabushiki kaisha",
    "kft",
    "kg",
    "kgaa",
    "kk",
    "limited",
    "llc",
    "llp",
    "lp",
    "ltd",
    "ltda",
    "mbh",
    "nv",
    "nyrt",
    "oao",
    "ohg",
    "ooo",
    "ou",
    "oy",
    "oyj",
    "pjsc",
    "plc",
    "private",
    "proprietary",
    "pte",
    "pty",
    "pvt",
    "sa",
    "sa de cv",
    "sarl",
    "sas",
    "sasu",
    "se",
    "sl",
    "sp z oo",
    "sp zoo",
    "spa",
    "srl",
    "sro",
    "ug",
    "vof",
    "zrt",
];

/// Words that join others and are written as often as left out.
const CONNECTIVES: [&str; 5] = ["and", "et", "und", "y", "the"];

/// The canonical form of a company's name, for equality: compatibility characters unified (NFKC),
/// case and Latin, Greek and Cyrillic accents folded, punctuation and connecting words out,
/// spelled-out initials joined (`S.p.A.` is `spa`), legal forms stripped from the end as often as
/// they occur (a lightly misspelt long one too). A name that consists of nothing else keeps its
/// first word. Empty only when the name has no letter and no digit. The result given back in yields
/// itself.
pub fn name_key(name: &str) -> String {
    let folded = fold(name);
    let mut words: Vec<String> = folded.split_whitespace().map(str::to_owned).collect();
    loop {
        let before = words.len();
        words = join_initials(words);
        drop_connectives(&mut words);
        strip_legal_form(&mut words);
        if words.len() == before {
            return words.join(" ");
        }
    }
}

/// The words of a [`name_key`].
pub fn name_tokens(name_key: &str) -> BTreeSet<&str> {
    name_key
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect()
}

fn fold(name: &str) -> String {
    let is_accent = |c: char| ('\u{300}'..='\u{36f}').contains(&c);
    let is_silent = |c: char| matches!(c, '.' | '\'' | '’' | '`');
    let unified: String = name.nfkc().collect();
    let lower = unified
        .to_lowercase()
        .to_uppercase()
        .to_lowercase()
        .replace('ς', "σ");
    let plain = lower.nfkd().filter(|c| !is_accent(*c));
    let spaced = plain.nfkc().filter(|c| !is_silent(*c)).map(|c| {
        let is_part_of_word = c.is_alphanumeric() || is_combining_mark(c);
        if is_part_of_word { c } else { ' ' }
    });
    spaced.nfkc().collect()
}

fn join_initials(words: Vec<String>) -> Vec<String> {
    let is_initial = |word: &str| {
        let mut letters = word.chars();
        let only = letters.next().filter(|_| letters.next().is_none());
        only.is_some_and(|c| c.is_lowercase() || c.is_ascii_digit())
    };
    let mut joined: Vec<String> = Vec::with_capacity(words.len());
    let mut after_initial = false;
    for word in words {
        let initial = is_initial(&word);
        match joined.last_mut() {
            Some(run) if initial && after_initial => run.push_str(&word),
            _ => joined.push(word),
        }
        after_initial = initial;
    }
    joined
}

fn drop_connectives(words: &mut Vec<String>) {
    if words
        .iter()
        .any(|word| !CONNECTIVES.contains(&word.as_str()))
    {
        words.retain(|word| !CONNECTIVES.contains(&word.as_str()));
    }
}

fn strip_legal_form(words: &mut Vec<String>) {
    let form_words = (1..=3).rev().find(|&count| {
        count < words.len() && is_legal_form(&words[words.len() - count..].join(" "))
    });
    if let Some(count) = form_words {
        words.truncate(words.len() - count);
    }
}

fn is_legal_form(text: &str) -> bool {
    let misspelt = |form: &str| form.len() >= 7 && strsim::osa_distance(form, text) == 1;
    LEGAL_FORMS.binary_search(&text).is_ok() || LEGAL_FORMS.iter().any(|form| misspelt(form))
}

/// Whether two different [`name_key`]s may be one name misspelt: the same letters with other
/// spaces, or as many words on both sides that pair off, in any order, each pair with a
/// Jaro-Winkler similarity of at least `threshold_ppm`. A word without a partner makes names
/// different, because `Acme Dental` is not `Acme`; so do words with digits unless equal, because
/// `Studio 54` is not `Studio 55`.
pub fn similar_names(a: &str, b: &str, threshold_ppm: i32) -> bool {
    if a.is_empty() || b.is_empty() {
        return false;
    }
    if letters(a) == letters(b) {
        return true;
    }
    let (mut fewer, mut others): (Vec<_>, Vec<_>) =
        (a.split(' ').collect(), b.split(' ').collect());
    fewer.sort_unstable();
    others.sort_unstable();
    if fewer.len() != others.len() {
        return false;
    }
    if others < fewer {
        std::mem::swap(&mut fewer, &mut others);
    }
    let threshold = f64::from(threshold_ppm) / 1_000_000.0;
    fewer
        .iter()
        .all(|word| take_closest(word, &mut others) >= threshold)
}

fn take_closest(word: &str, others: &mut Vec<&str>) -> f64 {
    let scores = others
        .iter()
        .map(|other| word_similarity(word, other))
        .enumerate();
    match scores.max_by(|(_, a), (_, b)| a.total_cmp(b)) {
        Some((place, score)) => {
            others.remove(place);
            score
        }
        None => 0.0,
    }
}

fn word_similarity(a: &str, b: &str) -> f64 {
    let numbered = |word: &str| word.chars().any(char::is_numeric);
    match a == b {
        true => 1.0,
        false if numbered(a) || numbered(b) => 0.0,
        false => strsim::jaro_winkler(a, b),
    }
}

fn letters(name_key: &str) -> String {
    name_key.split(' ').collect()
}

/// At most four keys under which a store files a [`name_key`], so that it finds candidates for
/// [`similar_names`] by equality on an index instead of reading every customer. Two names are
/// candidates when they share a key:
///
/// - `p`: the first five letters (finds slips later on, and other spacing);
/// - `t`: the first letter and the last four (finds slips in the middle);
/// - `c`: the first letter and the next seven consonants, repeats left out (finds slips in vowels
///   and doubled letters);
/// - `w`: the first three letters of each of the first four words in alphabetical order (finds
///   other word order).
///
/// One letter more, less, changed or swapped after the first in a name of ten letters or more is
/// always found; in shorter names mostly. A slip in the first letter is found only by luck, as are
/// several slips in one name: that is the price for an index, and the reason why a reviewer may
/// still look for similar customers by hand.
pub fn block_keys(name_key: &str) -> BTreeSet<String> {
    let all: Vec<char> = name_key.chars().filter(|c| *c != ' ').collect();
    let Some((first, rest)) = all.split_first() else {
        return BTreeSet::new();
    };
    let text = |tag: &str, chars: &[char]| format!("{tag}:{}", chars.iter().collect::<String>());
    let mut keys = BTreeSet::from([
        text("p", &all[..all.len().min(5)]),
        format!("c:{}", consonants(*first, rest)),
    ]);
    if all.len() > 5 {
        keys.insert(format!(
            "{}{}",
            text("t", &[*first]),
            all[all.len() - 4..].iter().collect::<String>()
        ));
    }
    let mut words: Vec<_> = name_key.split(' ').collect();
    if words.len() > 1 {
        words.sort_unstable();
        let heads = words
            .iter()
            .take(4)
            .map(|word| word.chars().take(3).collect::<String>());
        keys.insert(format!("w:{}", heads.collect::<Vec<_>>().join(" ")));
    }
    keys
}

fn consonants(first: char, rest: &[char]) -> String {
    let mut skeleton = vec![first];
    for &c in rest.iter().filter(|c| !"aeiouy".contains(**c)) {
        if skeleton.last() != Some(&c) {
            skeleton.push(c);
        }
    }
    skeleton.into_iter().take(8).collect()
}

/// The canonical form of a registration number (commercial register, DUNS, tax): letters and digits
/// only, upper case. Nothing when fewer than four remain, which would match by accident.
pub fn registration_number_key(number: &str) -> Option<String> {
    let key: String = number
        .nfkc()
        .filter(|c| c.is_alphanumeric())
        .collect::<String>()
        .to_uppercase();
    (key.chars().count() >= 4).then_some(key)
}

/// The canonical form of a telephone number: digits only, without `00` or `+` in front and without
/// a `(0)`. Nothing when fewer than seven remain. Numbers written without their country match only
/// others written so.
pub fn phone_key(number: &str) -> Option<String> {
    let digits: String = number.nfkc().collect::<String>().replace("(0)", "");
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    let key = digits.strip_prefix("00").unwrap_or(&digits);
    (key.len() >= 7).then(|| key.to_owned())
}
