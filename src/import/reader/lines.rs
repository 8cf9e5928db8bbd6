//! JSON Lines: one object a line.

use std::{
    borrow::Cow,
    collections::HashSet,
    fmt,
    io::{self, BufRead},
};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Cell, records::LONGEST};

/// Reads a line without its end, which is LF, CR LF or CR; a raw CR or LF is in no JSON text. False at the end of the
/// file. A line beyond [`LONGEST`] is cut off there and read over.
pub fn next(input: &mut impl BufRead, line: &mut Vec<u8>, after_cr: &mut bool) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let mut buffer = input.fill_buf()?;
        let mut used = 0;
        if std::mem::take(after_cr) && buffer.first() == Some(&b'\n') {
            buffer = &buffer[1..];
            used = 1;
        }
        if buffer.is_empty() && used == 0 {
            return Ok(any);
        }
        any |= !buffer.is_empty();
        let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let text = &buffer[..end.unwrap_or(buffer.len())];
        let room = (LONGEST + 1).saturating_sub(line.len());
        line.extend_from_slice(&text[..text.len().min(room)]);
        used += text.len();
        if let Some(end) = end {
            *after_cr = buffer.get(end) == Some(&b'\r');
            input.consume(used + 1);
            return Ok(true);
        }
        input.consume(used);
    }
}

/// The members of an object, each under a name of its own.
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Reads an object.
    ///
    /// # Errors
    /// What the text is instead.
    pub fn read(text: &'a [u8]) -> Result<Self, String> {
        if text.trim_ascii_start().starts_with(b"[") {
            return Err("is a JSON array; write one object a line".to_owned());
        }
        let text = std::str::from_utf8(text).map_err(|_| super::NOT_TEXT.to_owned())?;
        serde_json::from_str(text).map_err(|error| format!("is not a JSON object: {error}"))
    }

    /// The value of a member as a cell; none when it is missing, null or an empty list.
    ///
    /// # Errors
    /// It is an object.
    pub fn get(&self, name: &str) -> Result<Option<Cell>, String> {
        let member = self.0.iter().find(|(known, _)| known == name);
        member.map_or(Ok(None), |(_, value)| plain(name, value))
    }

    /// Whether there is a member of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let (mut members, mut names) = (Vec::new(), HashSet::new());
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format!(
                            "the member {name:?} appears twice"
                        )));
                    }
                    members.push((Cow::Owned(name), value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The text of a JSON value. A number keeps the digits that the file has: no float is between.
fn plain(name: &str, value: &RawValue) -> Result<Option<Cell>, String> {
    let raw = value.get();
    let broken = |error: serde_json::Error| format!("{name}: {error}");
    Ok(match raw.as_bytes().first() {
        Some(b'n') | None => None,
        Some(b'"') => Some(Cell::text(
            serde_json::from_str::<String>(raw).map_err(broken)?,
        )),
        Some(b't' | b'f') => Some(Cell::text(raw.to_owned())),
        Some(b'{') => return Err(format!("{name} is an object, not a value")),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).map_err(broken)?;
            let texts: Result<Vec<_>, _> = items.iter().map(|item| plain(name, item)).collect();
            let texts: Vec<_> = texts?.into_iter().flatten().map(|cell| cell.text).collect();
            Some(Cell::text(texts.join(";")))
        }
        Some(_) => Some(Cell {
            text: raw.to_owned(),
            json_number: true,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<String> {
        let (mut input, mut line, mut after_cr) =
            (io::BufReader::with_capacity(3, text), Vec::new(), false);
        let mut found = Vec::new();
        while next(&mut input, &mut line, &mut after_cr).unwrap() {
            found.push(String::from_utf8(line.clone()).unwrap());
        }
        found
    }

    #[test]
    fn a_line_ends_in_three_ways() {
        assert_eq!(lines(b"ab\ncd\r\n\r\nef\rgh"), ["ab", "cd", "", "ef", "gh"]);
        assert_eq!(lines(b"ab\r\n"), ["ab"]);
        assert_eq!(lines(b"ab\r"), ["ab"]);
        assert_eq!(lines(b""), Vec::<String>::new());
    }

    #[test]
    fn a_long_line_is_cut_off_and_read_over() {
        let text = [vec![b'x'; 3 * LONGEST], b"\nnext".to_vec()].concat();
        let found = lines(&text);
        assert_eq!((found[0].len(), found[1].as_str()), (LONGEST + 1, "next"));
    }

    #[test]
    fn values_keep_what_the_file_says() {
        let text = br#"{"a": 1234567890123456789.10, "b": "x\ny", "c": [1, "two", null], "d": null, "e": true, "f": {}}"#;
        let members = Members::read(text).unwrap();
        let cell = |name: &str| members.get(name).map(|cell| cell.map(|cell| cell.text));
        assert_eq!(cell("a"), Ok(Some("1234567890123456789.10".to_owned())));
        assert!(members.get("a").unwrap().unwrap().json_number);
        assert_eq!(cell("b"), Ok(Some("x\ny".to_owned())));
        assert_eq!(cell("c"), Ok(Some("1;two".to_owned())));
        assert_eq!(cell("d"), Ok(None));
        assert_eq!(cell("e"), Ok(Some("true".to_owned())));
        assert_eq!(cell("f"), Err("f is an object, not a value".to_owned()));
        assert_eq!(cell("g"), Ok(None));
        assert!(members.has("d") && !members.has("g"));
    }

    #[test]
    fn what_is_no_object_is_named() {
        for (text, reason) in [
            (&b"[{}]"[..], "is a JSON array; write one object a line"),
            (
                b"{\"a\": 1, \"a\": 2}",
                "is not a JSON object: the member \"a\" appears twice",
            ),
            (b"7", "is not a JSON object"),
            (b"{} {}", "is not a JSON object"),
        ] {
            let told = Members::read(text).map(|_| ()).unwrap_err();
            assert!(told.starts_with(reason), "{told}");
        }
    }
}
