//! How close two spellings of names are.
//!
//! Pure: decides from facts alone.

/// Whether two different spellings may be one name misspelt: the same letters with other spaces, or as many words on
/// both sides that pair off, in any order, each pair with a Jaro-Winkler similarity of at least `threshold_ppm`. A word
/// without a partner makes names different, because `Acme Dental` is not `Acme`; so do words with digits unless equal,
/// because `Studio 54` is not `Studio 55`.
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

fn letters(name: &str) -> String {
    name.split(' ').collect()
}
