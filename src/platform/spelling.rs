//! Letters: what is left of a text when the ways of writing it are taken away.
//!
//! Pure: decides from facts alone.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::skeleton;

use super::text::visible;

/// A word of a name, and how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Folded: lower case, without accents, in its own script.
    pub text: String,
    /// Dots or slashes between its letters, or capitals after small ones: `S.p.A.`, `A/S`, `SpA`.
    pub spelled: bool,
    /// All of it in capitals.
    pub capitals: bool,
    /// The number of the brackets it is in; 0 outside.
    pub bracket: usize,
}

/// The folded words of a text.
pub fn words(text: &str) -> Vec<String> {
    read(text).into_iter().map(|word| word.text).collect()
}

/// The words of a text: compatibility characters unified (NFKC), invisible ones out, case and accents folded,
/// punctuation out, spelled-out initials joined (`S. p. A.` is `spa`).
pub fn read(text: &str) -> Vec<Word> {
    let unified: String = visible(text).nfkc().collect();
    let mut words = Vec::new();
    let (mut raw, mut bracket, mut brackets) = (String::new(), 0, 0);
    for c in unified.chars().chain([' ']) {
        if c.is_alphanumeric() || is_combining_mark(c) || is_silent(c) {
            raw.push(c);
            continue;
        }
        words.extend(word(&raw, bracket));
        raw.clear();
        match c {
            '(' | '[' | '{' | '（' | '【' | '［' | '〔' => {
                brackets += 1;
                bracket = brackets;
            }
            ')' | ']' | '}' | '）' | '】' | '］' | '〕' => bracket = 0,
            _ => {}
        }
    }
    join_initials(words, true)
}

/// Characters that are written as often as left out.
fn is_silent(c: char) -> bool {
    matches!(
        c,
        '.' | '\'' | '’' | '‘' | '`' | '´' | '"' | '״' | '׳' | 'ـ'
    )
}

fn word(raw: &str, bracket: usize) -> Option<Word> {
    let letters: String = raw.chars().filter(|c| !is_silent(*c)).collect();
    if !letters.chars().any(char::is_alphanumeric) {
        return None;
    }
    let dotted = raw.trim_matches('.').contains('.');
    let mixed = letters
        .chars()
        .zip(letters.chars().skip(1))
        .any(|(one, next)| one.is_lowercase() && next.is_uppercase());
    Some(Word {
        text: fold(&letters),
        spelled: dotted || mixed,
        capitals: letters.chars().count() > 1 && letters.chars().all(char::is_uppercase),
        bracket,
    })
}

/// Case and accents folded, in the script of the text.
fn fold(letters: &str) -> String {
    let is_accent = |c: char| matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}' | '\u{670}');
    let lower = letters
        .to_lowercase()
        .to_uppercase()
        .to_lowercase()
        .replace('ς', "σ");
    lower.nfkd().filter(|c| !is_accent(*c)).nfkc().collect()
}

/// Initials that follow each other are one word; `spelled` when that is how they were written.
pub fn join_initials(words: Vec<Word>, spelled: bool) -> Vec<Word> {
    let is_initial = |word: &Word| {
        let mut letters = word.text.chars();
        let only = letters.next().filter(|_| letters.next().is_none());
        only.is_some_and(|c| c.is_lowercase() || c.is_ascii_digit())
    };
    let mut joined: Vec<Word> = Vec::with_capacity(words.len());
    let mut after_initial = false;
    for word in words {
        let initial = is_initial(&word);
        match joined.last_mut() {
            Some(run) if initial && after_initial && run.bracket == word.bracket => {
                run.text.push_str(&word.text);
                run.spelled |= spelled;
            }
            _ => joined.push(word),
        }
        after_initial = initial;
    }
    joined
}

/// A folded word in Latin letters. Chinese characters stay: their sound is shared by many.
pub fn latin(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let mut latin = String::with_capacity(word.len());
    for c in word.chars() {
        if c.is_ascii() || is_han(c) {
            latin.push(c);
        } else {
            let ascii = any_ascii::any_ascii_char(c).chars();
            latin.extend(
                ascii
                    .filter(char::is_ascii_alphanumeric)
                    .map(|c| c.to_ascii_lowercase()),
            );
        }
    }
    if latin.is_empty() {
        word.to_owned()
    } else {
        latin
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// A Latin word with letters written out in one way: `ae`, `oe`, `ue` and `aa` for `ä`, `ö`, `ü` and `å`.
pub fn written_out(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    let mut before = ' ';
    let mut rest = word.chars().peekable();
    while let Some(c) = rest.next() {
        plain.push(c);
        let pair = match c {
            'a' => matches!(rest.peek(), Some('e' | 'a')),
            'o' => rest.peek() == Some(&'e'),
            'u' => before != 'q' && rest.peek() == Some(&'e'),
            _ => false,
        };
        if pair {
            rest.next();
        }
        before = c;
    }
    plain
}

/// The text that letters of other scripts imitate, where all of them look like Latin ones: `Аcme` with a Cyrillic А
/// reads `acme`. Nothing for any other text.
pub fn imitated(text: &str) -> Option<String> {
    let text: String = visible(text).nfkc().collect();
    let mut imitates = false;
    let mut read = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() || !c.is_alphabetic() || fold_is_ascii(c) {
            read.push(c);
            continue;
        }
        imitates = true;
        read.push(prototype(c)?);
    }
    imitates.then_some(read)
}

/// Whether a letter is a Latin one with an accent.
fn fold_is_ascii(c: char) -> bool {
    fold(c.encode_utf8(&mut [0; 4])).is_ascii()
}

/// The Latin letter that a letter looks like (UTS 39), as a small or as a capital letter.
fn prototype(c: char) -> Option<char> {
    let of = |form: String| {
        let mut letters = skeleton(&form).collect::<Vec<_>>().into_iter();
        let only = letters.next().filter(|_| letters.next().is_none())?;
        only.is_ascii_alphabetic()
            .then(|| only.to_ascii_lowercase())
    };
    of(c.to_lowercase().collect()).or_else(|| of(c.to_uppercase().collect()))
}
