//! Comparing texts as people do: without regard to case, width or composed characters; and finding
//! them by a part.

use std::borrow::Cow;

use sea_orm::{
    ColumnTrait,
    sea_query::{Expr, ExprTrait, Func, LikeExpr, SimpleExpr},
};
use unicode_normalization::UnicodeNormalization;

/// A text without the characters that show nothing (Default_Ignorable_Code_Point): zero-width spaces and joiners, soft
/// hyphens, variation selectors, fillers, marks of direction.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    let shows = |c: char| {
        c.is_ascii()
            || unicode_security::skeleton(c.encode_utf8(&mut [0; 4]))
                .next()
                .is_some()
    };
    if text.is_ascii() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|c| shows(*c)).collect())
    }
}

/// The form in which two texts are the same word to a reader: invisible characters out, compatibility characters unified
/// (NFKC), case folded, runs of white space made one blank. Sorts names and finds them.
#[must_use]
pub fn casefold(text: &str) -> String {
    let unified: String = visible(text).nfkc().collect();
    // Upper and lower case are no inverse of each other: ß and ς need the way there and back.
    let folded: String = unified
        .to_lowercase()
        .to_uppercase()
        .to_lowercase()
        .nfkc()
        .collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a character has no width: marks of direction, joiners, the byte order mark. They come along when a text is
/// copied, and two texts that differ by them look the same.
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}'
            | '\u{061C}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}'
            | '\u{FEFF}'
    )
}

/// The text without white space and invisible characters at its ends.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// How a text is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Anywhere.
    Anywhere(String),
    /// At the beginning.
    Beginning(String),
}

impl Part {
    /// The same part in another form of the text.
    #[must_use]
    pub fn map(self, form: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Anywhere(text) => Self::Anywhere(form(&text)),
            Self::Beginning(text) => Self::Beginning(form(&text)),
        }
    }

    /// The condition that a column holds this part, letter for letter.
    pub fn of(&self, column: impl ColumnTrait) -> SimpleExpr {
        column.like(self.pattern())
    }

    /// The condition that a column holds this part, capital or small. On SQLite this regards the
    /// letters A to Z only; a column with a folded form has no such limit.
    pub fn of_any_case(&self, column: impl ColumnTrait) -> SimpleExpr {
        let small = Func::lower(Expr::col(column.as_column_ref()));
        Expr::expr(small).like(self.clone().map(str::to_lowercase).pattern())
    }

    fn pattern(&self) -> LikeExpr {
        let literal = |text: &str| {
            text.replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_")
        };
        let pattern = match self {
            Self::Anywhere(text) => format!("%{}%", literal(text)),
            Self::Beginning(text) => format!("{}%", literal(text)),
        };
        LikeExpr::new(pattern).escape('\\')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_at_the_ends_are_trimmed() {
        for text in ["d1", "\u{feff} d1\u{200f}", "\u{a0}\u{202a}d1\u{202c}\n"] {
            assert_eq!(trim(text), "d1");
        }
        assert_eq!(trim("\u{200f}\u{2009}"), "");
        assert_eq!(trim("שלום\u{200f} d1"), "שלום\u{200f} d1");
    }

    #[test]
    fn spellings_of_one_word_have_one_form() {
        for (text, form) in [
            ("ACME", "acme"),
            ("  Blue \t Fjord ", "blue fjord"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("ΟΔΟΣ", "οδος"),
            ("οδος", "οδος"),
            ("ＡＣＭＥ", "acme"),
            ("Cafe\u{301}", "café"),
            ("Ac\u{200b}me", "acme"),
            ("Ac\u{ad}m\u{200d}e\u{fe0f}\u{3164}", "acme"),
            ("\u{202e}acme\u{202c}", "acme"),
        ] {
            assert_eq!(casefold(text), casefold(form), "{text}");
        }
        assert_eq!(casefold("ACME"), "acme");
        assert_eq!(casefold("Straße"), "strasse");
    }
}
