//! The canonical forms of a company's name: without its legal form, in one alphabet, in one spelling.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeSet;

use super::data::{LEGAL_FORMS, LegalForm, Use, WORDS};
use super::similar::similar_names;
use crate::platform::spelling::{Word, imitated, join_initials, latin, read, written_out};

/// The canonical form of a company's name, as stored to sort and to find it: Latin letters but for Chinese characters,
/// case, accents, invisible characters, punctuation and joining words out, spelled-out initials joined (`S.p.A.` is
/// `spa`), legal forms removed in front and at the end as often as they occur. A name that consists of nothing else
/// keeps its first word. Empty only when the name has no letter and no digit.
pub fn name_key(name: &str) -> String {
    let words = read(name);
    let core = core(&words, Some(None));
    join(
        core.iter()
            .chain(&regions(&words))
            .map(|word| latin(&word.text)),
    )
}

/// The words of a [`name_key`].
pub fn name_tokens(name_key: &str) -> BTreeSet<&str> {
    name_key
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect()
}

/// A name in the spellings by which it is compared with others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spellings {
    /// All of them; one that another name shares makes the two the same name.
    pub(super) all: BTreeSet<String>,
    /// Those that leave out where a company of a group is.
    without_region: BTreeSet<String>,
    /// Where a company of a group is.
    region: String,
}

impl Spellings {
    /// The spellings of a name. A country tells whether a word is a legal form there: `SIA` in Latvia, not elsewhere.
    pub(super) fn of(name: &str, country: Option<&str>) -> Self {
        let mut spellings = Self::default();
        spellings.read(name, country);
        if let Some(read) = imitated(name) {
            spellings.read(&read, country);
        }
        spellings
    }

    fn read(&mut self, name: &str, country: Option<&str>) {
        let words = read(name);
        let region = regions(&words);
        // With the words that may be legal forms, and without.
        for marked in [Some(country), None] {
            let core = core(&words, marked);
            let spelled = spelled(core.iter());
            if spelled.is_empty() {
                continue;
            }
            if region.is_empty() {
                self.all.insert(spelled);
                continue;
            }
            self.region = self::spelled(region.iter());
            self.all.insert(self::spelled(core.iter().chain(&region)));
            self.without_region.insert(spelled.clone());
            self.all.insert(spelled);
        }
    }

    /// Whether two names are one. Companies of a group in different places are not.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let apart =
            !self.region.is_empty() && !other.region.is_empty() && self.region != other.region;
        self.all.intersection(&other.all).any(|shared| {
            !(apart
                && self.without_region.contains(shared)
                && other.without_region.contains(shared))
        })
    }
}

impl Spellings {
    /// Whether two different names may be one, misspelt. Companies of a group in different places are not.
    pub(super) fn similar_to(&self, other: &Self, threshold_ppm: i32) -> bool {
        let apart =
            !self.region.is_empty() && !other.region.is_empty() && self.region != other.region;
        !apart
            && self.all.iter().any(|one| {
                let mut others = other.all.iter();
                others.any(|other| similar_names(one, other, threshold_ppm))
            })
    }
}

fn join(words: impl Iterator<Item = String>) -> String {
    let joined = words.collect::<Vec<_>>().join(" ");
    // A mark without a letter is written as a blank with the mark.
    joined.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn spelled<'w>(words: impl Iterator<Item = &'w Word>) -> String {
    join(words.map(|word| {
        let latin = latin(&word.text);
        let long = WORDS.short.get(latin.as_str()).copied();
        written_out(long.unwrap_or(&latin))
    }))
}

/// The bracketed words that say where a company of a group is.
fn regions(words: &[Word]) -> Vec<Word> {
    let named = words.iter().filter(|word| in_region(words, word.bracket));
    named.cloned().collect()
}

fn in_region(words: &[Word], bracket: usize) -> bool {
    let inside = words.iter().filter(|word| word.bracket == bracket);
    let text = join(inside.map(|word| word.text.clone()));
    bracket > 0 && WORDS.regions.contains(text.as_str())
}

/// The words of a name without regions, joining words and legal forms. Words that may be legal forms are looked at
/// under a country, or kept when there is nothing to look at.
fn core(words: &[Word], marked: Option<Option<&str>>) -> Vec<Word> {
    let outside = words.iter().filter(|word| !in_region(words, word.bracket));
    let mut left: Vec<Word> = outside.cloned().collect();
    if left.is_empty() {
        left = words.to_vec();
    }
    let shouted = !left.iter().any(|word| word.spelled || !word.capitals);
    loop {
        let before = left.len();
        drop_joining(&mut left);
        left = join_initials(left, false);
        strip_affixes(&mut left);
        strip_end(&mut left, marked, shouted);
        strip_front(&mut left, marked, shouted);
        if left.len() == before {
            return left;
        }
    }
}

fn drop_joining(words: &mut Vec<Word>) {
    let joins = |word: &Word| WORDS.joining.contains(word.text.as_str());
    if words.iter().all(joins) {
        return;
    }
    let last = words.len() - 1;
    let mut place = 0;
    words.retain(|word| {
        let inside = place > 0 && place < last;
        place += 1;
        !joins(word) || (word.text.len() == 1 && !inside)
    });
}

/// Removes the legal forms that are written without a blank: 株式会社日立 and 日立株式会社 are 日立.
fn strip_affixes(words: &mut Vec<Word>) {
    let mut place = 0;
    while place < words.len() {
        let alone = words.len() == 1;
        let word = &mut words[place];
        let kept = LEGAL_FORMS.affixes.iter().find_map(|affix| {
            let form = affix.text.as_str();
            if word.text == form {
                return (!alone && (form.chars().count() > 1 || word.bracket > 0))
                    .then(String::new);
            }
            if form.chars().count() < 2 {
                return None;
            }
            let behind = word.text.strip_suffix(form);
            let in_front = || word.text.strip_prefix(form).filter(|_| affix.in_front);
            behind.or_else(in_front).map(str::to_owned)
        });
        match kept {
            Some(text) if text.is_empty() => drop(words.remove(place)),
            Some(text) => word.text = text,
            None => place += 1,
        }
    }
}

fn strip_end(words: &mut Vec<Word>, marked: Option<Option<&str>>, shouted: bool) {
    let most = LEGAL_FORMS.longest.min(words.len().saturating_sub(1));
    let found = (1..=most).rev().find(|&count| {
        let end = &words[words.len() - count..];
        form_of(end).is_some_and(|form| form.at_end && is_meant(&form, end, marked, shouted))
            || (count == 1 && is_slip(&end[0].text))
    });
    if let Some(count) = found {
        words.truncate(words.len() - count);
    }
}

fn strip_front(words: &mut Vec<Word>, marked: Option<Option<&str>>, shouted: bool) {
    let most = LEGAL_FORMS.longest.min(words.len().saturating_sub(1));
    let found = (1..=most).rev().find(|&count| {
        let (front, rest) = words.split_at(count);
        let names_a_trade = |form: &LegalForm| {
            form.usage == Use::Marked
                && rest
                    .iter()
                    .all(|word| WORDS.generic.contains(latin(&word.text).as_str()))
        };
        form_of(front).is_some_and(|form| {
            form.in_front && !names_a_trade(&form) && is_meant(&form, front, marked, shouted)
        })
    });
    if let Some(count) = found {
        words.drain(..count);
    }
}

fn form_of(words: &[Word]) -> Option<LegalForm> {
    let letters: String = words.iter().map(|word| word.text.as_str()).collect();
    LEGAL_FORMS.words.get(&letters).copied()
}

/// Whether a word that may be a legal form is one: by how it is written and by the country.
fn is_meant(form: &LegalForm, words: &[Word], marked: Option<Option<&str>>, shouted: bool) -> bool {
    let (Use::Marked, Some(country)) = (form.usage, marked) else {
        return form.usage == Use::Always;
    };
    let at_home = country.map(|country| form.is_of(country));
    let capitals = !shouted && words.iter().all(|word| word.capitals);
    match at_home {
        Some(true) => true,
        _ if words.iter().any(|word| word.spelled) => true,
        Some(false) => false,
        None => capitals,
    }
}

fn is_slip(word: &str) -> bool {
    let one_slip = |form: &String| strsim::osa_distance(form, word) == 1;
    word.len() >= 7 && LEGAL_FORMS.long.iter().any(one_slip)
}
