//! The keys under which a store finds the names that may be similar.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeSet;

use super::name::Spellings;

/// A few keys under which a store files a name, so that it finds candidates for a comparison by equality on an index
/// instead of reading every customer. Two names are candidates when they share a key. Each spelling of the name has at
/// most four:
///
/// - `p`: the first five letters (finds slips later on, and other spacing);
/// - `t`: the first letter and the last four (finds slips in the middle);
/// - `c`: the first letter and the next seven consonants, repeats left out (finds slips in vowels and doubled letters);
/// - `w`: the first three letters of each of the first four words in alphabetical order (finds other word order).
///
/// One letter more, less, changed or swapped after the first in a name of ten letters or more is always found; in
/// shorter names mostly. A slip in the first letter is found only by luck, as are several slips in one name: that is
/// the price for an index, and the reason why a reviewer may still look for similar customers by hand.
pub fn block_keys(name: &str) -> BTreeSet<String> {
    let spellings = Spellings::of(name, None).all;
    spellings.iter().flat_map(|name| keys(name)).collect()
}

fn keys(name: &str) -> BTreeSet<String> {
    let all: Vec<char> = name.chars().filter(|c| *c != ' ').collect();
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
    let mut words: Vec<_> = name.split(' ').collect();
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
