//! A look at the raw text before it is parsed. The parser descends once per bracket, so brackets are counted first;
//! those inside parentheses are the lists and objects of argument values and have a smaller limit of their own. The
//! parser keeps the last of several fields of one name in an object, so they are found here, too.

use std::collections::HashSet;

use async_graphql::Pos;

use crate::graphql::refusal::{Cause, Refusal};

/// What a text may look like.
#[derive(Clone, Copy, Debug)]
pub struct TextLimits {
    /// Length in bytes.
    pub bytes: usize,
    /// Brackets of any kind open at once.
    pub nesting: usize,
    /// Lists and objects open at once inside the parentheses of arguments and variables.
    pub value_nesting: usize,
    /// Length of a name; the checks of a document compare an unknown one with every known.
    pub name: usize,
}

/// Refuses a text that is too long or whose brackets nest too deeply. Strings and comments do not count.
///
/// # Errors
///
/// `TOO_COMPLEX`; `GRAPHQL_VALIDATION_FAILED` for an object with two fields of one name.
pub fn scan(text: &str, limits: &TextLimits) -> Result<(), Refusal> {
    if text.len() > limits.bytes {
        return too_complex(format!(
            "the document is longer than {} bytes",
            limits.bytes
        ));
    }
    let mut rest = text.as_bytes();
    let (mut open, mut parentheses) = (0_usize, 0_usize);
    // Lists and objects that are open in a value; of an object the names of its fields so far.
    let mut in_value: Vec<Option<HashSet<&[u8]>>> = Vec::new();
    let mut name = 0_usize;
    while let Some((&byte, tail)) = rest.split_first() {
        let from = rest;
        rest = match byte {
            b'#' => after_comment(tail),
            b'"' if tail.starts_with(b"\"\"") => after_block_string(&tail[2..]),
            b'"' => after_string(tail),
            _ => tail,
        };
        name = if byte.is_ascii_alphanumeric() || byte == b'_' {
            name + 1
        } else {
            0
        };
        if name > limits.name {
            return too_complex(format!("a name is longer than {} letters", limits.name));
        }
        if name == 1
            && let Some(Some(fields)) = in_value.last_mut()
            && let Some(field) = key(from)
            && !fields.insert(field)
        {
            let message = format!(
                "There can be only one input field named \"{}\".",
                String::from_utf8_lossy(field)
            );
            let at = place(text, text.len() - from.len());
            return Err(Refusal::new(Cause::ValidationFailed, message).at(at));
        }
        match byte {
            b'(' => parentheses += 1,
            b'{' if parentheses > 0 => in_value.push(Some(HashSet::new())),
            b'[' if parentheses > 0 => in_value.push(None),
            b')' => parentheses = parentheses.saturating_sub(1),
            b'}' | b']' if parentheses > 0 => {
                in_value.pop();
            }
            _ => {}
        }
        match byte {
            b'{' | b'[' | b'(' => open += 1,
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > limits.nesting {
            return too_complex(format!(
                "the document nests deeper than {} brackets",
                limits.nesting
            ));
        }
        if in_value.len() > limits.value_nesting {
            return too_complex(format!(
                "an argument nests deeper than {} lists and objects",
                limits.value_nesting
            ));
        }
    }
    Ok(())
}

/// The name at the start of a text, if a colon follows it.
fn key(text: &[u8]) -> Option<&[u8]> {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')?;
    let (name, mut rest) = text.split_at(end);
    while let Some((byte, tail)) = rest.split_first() {
        rest = match byte {
            b':' => return Some(name),
            b'#' => after_comment(tail),
            b' ' | b'\t' | b'\n' | b'\r' | b',' => tail,
            _ => return None,
        };
    }
    None
}

/// The line and column of a byte.
fn place(text: &str, byte: usize) -> Pos {
    let before = text.get(..byte).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    Pos {
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
    }
}

fn too_complex(message: String) -> Result<(), Refusal> {
    Err(Refusal::new(Cause::TooComplex, message))
}

fn after_comment(text: &[u8]) -> &[u8] {
    let end = text
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'))
        .unwrap_or(text.len());
    &text[end..]
}

/// An unfinished string ends with its line, as the parser sees it too: what follows counts again.
fn after_string(text: &[u8]) -> &[u8] {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return &text[at + 1..],
            b'\n' | b'\r' => return &text[at..],
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    &[]
}

fn after_block_string(text: &[u8]) -> &[u8] {
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(b"\"\"\"") {
            return &rest[3..];
        }
        at += if rest.starts_with(b"\\\"\"\"") { 4 } else { 1 };
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nests(text: &str) -> bool {
        scan(
            text,
            &TextLimits {
                bytes: 1_000_000,
                nesting: 3,
                value_nesting: 3,
                name: 10,
            },
        )
        .is_err()
    }

    #[test]
    fn brackets_of_every_kind_count_together() {
        assert!(!nests("{a(b: [1])}{a(b: [1])}"));
        assert!(nests("{a(b: [{c: 1}])}"));
        assert!(nests("}}}}{{{{"));
    }

    #[test]
    fn strings_and_comments_hide_brackets_and_nothing_else() {
        assert!(!nests(r#"{a(b: "[[[[{{{{\"[[[[")}"#));
        assert!(!nests("{a(b: \"\"\" [[[[ \\\"\"\" {{{{ \" \"\"\")}"));
        assert!(!nests("{a # [[[[\n}"));
        assert!(nests("\"\"\"\"\"\" [[[["));
        assert!(nests("\"open\n[[[["));
        assert!(nests("\"\\\\\" [[[["));
    }

    #[test]
    fn length_is_bounded() {
        let limits = TextLimits {
            bytes: 3,
            nesting: 3,
            value_nesting: 3,
            name: 10,
        };
        assert_eq!(
            scan("abcd", &limits).map_err(|refusal| refusal.cause),
            Err(Cause::TooComplex)
        );
    }

    #[test]
    fn names_are_bounded() {
        assert!(!nests("{abcdefghij(k: \"lmnopqrstuvwxyz\")}"));
        assert!(nests("{abcdefghijk}"));
    }

    #[test]
    fn argument_values_have_a_limit_of_their_own() {
        let limits = TextLimits {
            bytes: 100,
            nesting: 64,
            value_nesting: 1,
            name: 10,
        };
        assert!(scan("{a{b{c(d: [1], e: {f: 1})}}}", &limits).is_ok());
        assert!(scan("{a(d: [[1]])}", &limits).is_err());
        assert!(scan("query($d: [[Int]]) {a}", &limits).is_err());
    }

    #[test]
    fn an_object_has_each_field_once() {
        let limits = TextLimits {
            bytes: 1_000,
            nesting: 64,
            value_nesting: 16,
            name: 100,
        };
        let twice = |text: &str| {
            let refusal = scan(text, &limits).err()?;
            Some((refusal.message.into_owned(), refusal.position?.column))
        };
        assert_eq!(
            twice("{a(b: {c: 1, d: 2 c: 3})}"),
            Some((
                "There can be only one input field named \"c\".".to_owned(),
                19
            ))
        );
        assert!(twice("query($v: I = {c: [{d: 1}], c # again\n : 2}) {a}").is_some());
        // Another object, a value of the same name, a text and a selection are other things.
        assert_eq!(
            twice("{a(b: [{c: 1}, {c: 1}], e: {c: c, d: {c: c}})}"),
            None
        );
        assert_eq!(twice("{a(b: {c: \"c: c: {c:\"}) {c: d c: d}}"), None);
    }
}
