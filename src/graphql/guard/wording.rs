//! What is wrong with a value, in the words that clients know from graphql-js: the value, its type and the choices.
//!
//! Choices and suggestions describe the schema. Callers who may not read the schema get the errors without them.

use async_graphql::{Value, parser::types::Type};
use async_graphql_value::Value as Literal;

use super::{
    catalog::{Catalog, InputKind},
    shorten,
};

/// Choices listed in one error.
const MOST_CHOICES: usize = 30;
/// Suggestions in one error.
const MOST_SUGGESTIONS: usize = 3;

/// How much an error may say about the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// Choices and suggestions, for callers who may read the schema.
    Open,
    /// Only what the caller sent, for those who may not.
    Reserved,
}

/// What is wrong with a value, without its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    text: String,
    hint: String,
}

impl Fault {
    /// An error without choices or suggestions.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            hint: String::new(),
        }
    }
}

impl Words {
    /// The text of an error.
    #[must_use]
    pub fn fault(self, Fault { text, hint }: Fault) -> String {
        match self {
            Self::Open => text + &hint,
            Self::Reserved => text,
        }
    }

    /// The error for the name of a type that does not exist, or not as a type of that kind.
    #[must_use]
    pub fn unknown_type<'a>(self, name: &str, known: impl Iterator<Item = &'a str>) -> String {
        let hint = did_you_mean("", name, known);
        self.fault(Fault {
            text: format!("Unknown type \"{}\".", shorten(name)),
            hint,
        })
    }
}

/// Null where a value is required. `json`: the value came as JSON.
pub fn null(ty: &Type, json: bool) -> Fault {
    Fault::new(if json {
        format!("Expected non-nullable type \"{ty}\" not to be null.")
    } else {
        format!("Expected value of type \"{ty}\", found null.")
    })
}

/// Something else where an input object is needed.
pub fn object(name: &str) -> Fault {
    Fault::new(format!("Expected type \"{name}\" to be an object."))
}

/// An input that takes exactly one of its fields.
pub fn one_of(name: &str) -> Fault {
    Fault::new(format!(
        "Exactly one key must be specified for OneOf type \"{name}\"."
    ))
}

/// The only field of a OneOf input is null.
pub fn null_one_of(name: &str) -> Fault {
    Fault::new(format!("Field \"{name}\" must be non-null."))
}

/// A field that an input does not have.
pub fn unknown_field<'a>(
    owner: &str,
    name: &str,
    known: impl Iterator<Item = &'a String>,
) -> Fault {
    Fault {
        text: format!(
            "Field \"{}\" is not defined by type \"{owner}\".",
            shorten(name)
        ),
        hint: did_you_mean("", name, known.map(String::as_str)),
    }
}

/// A value that is not in the enum. `json`: the value came as JSON.
pub fn choice(name: &str, value: &Value, names: &[String], json: bool) -> Fault {
    let (given, is_name) = match value {
        Value::Enum(given) => (given.as_str(), true),
        Value::String(given) => (given.as_str(), json),
        _ => ("", false),
    };
    let text = if is_name {
        format!(
            "Value \"{}\" does not exist in \"{name}\" enum.",
            shorten(given)
        )
    } else {
        let expected = if json { "non-string" } else { "non-enum" };
        let value = shown(value);
        format!("Enum \"{name}\" cannot represent {expected} value: {value}.")
    };
    let mut hint = did_you_mean("the enum value ", given, names.iter().map(String::as_str));
    if names.len() <= MOST_CHOICES {
        hint = format!("{hint} Use one of: {}.", names.join(", "));
    }
    Fault { text, hint }
}

/// A value that a scalar does not take.
pub fn scalar(name: &str, value: &Value, description: &str) -> Fault {
    let value = shown(value);
    let text = match name {
        "Int" if value.parse::<i64>().is_ok() => {
            format!("Int cannot represent non 32-bit signed integer value: {value}.")
        }
        "Int" => format!("Int cannot represent non-integer value: {value}."),
        "Float" => format!("Float cannot represent non numeric value: {value}."),
        "String" => format!("String cannot represent a non string value: {value}."),
        "Boolean" => format!("Boolean cannot represent a non boolean value: {value}."),
        "ID" => format!("ID cannot represent a non-string and non-integer value: {value}."),
        _ => format!("Expected value of type \"{name}\", found {value}."),
    };
    let hint = match description.trim() {
        "" => String::new(),
        description => format!(" {}", description.replace('\n', " ")),
    };
    Fault { text, hint }
}

/// A value without a known type, as an error shows it.
fn shown(value: &Value) -> String {
    Shown(None).text(&value.clone().into_value(), None)
}

/// What is shown in place of a value that an error must not repeat.
const HIDDEN: &str = "(not shown)";

/// The value at a path as its error shows it, with the name of its type if known, and the error. Neither contains
/// anything that may be a secret.
pub fn told(
    catalog: &Catalog,
    path: &[String],
    value: &Literal,
    ty: Option<&str>,
    fault: Fault,
) -> (String, Fault) {
    if !path.iter().any(|name| is_secret(name)) {
        return (Shown(Some(catalog)).text(value, ty), fault);
    }
    let Fault { text, hint } = fault;
    let text = text.replace(&Shown(None).text(value, None), HIDDEN);
    (HIDDEN.to_owned(), Fault { text, hint })
}

fn is_secret(name: &str) -> bool {
    const SECRET: [&str; 4] = ["password", "token", "account", "secret"];
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|secret| name.contains(secret))
}

/// Values on one line, as graphql-js shows them: two levels, ten items per list, and a limited length.
struct Shown<'a>(Option<&'a Catalog>);

/// Levels of objects and lists that are shown.
const MOST_LEVELS: usize = 2;
/// Items of one list, and fields of one object, that are shown.
const MOST_ITEMS: usize = 10;
/// Characters of one value that are shown.
const MOST_CHARACTERS: usize = 500;

impl Shown<'_> {
    fn text(&self, value: &Literal, ty: Option<&str>) -> String {
        let mut text = String::new();
        self.write(&mut text, value, ty, 0);
        match text.char_indices().nth(MOST_CHARACTERS) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }

    fn write(&self, text: &mut String, value: &Literal, ty: Option<&str>, level: usize) {
        // The rest would be cut off anyway.
        if text.len() > 4 * MOST_CHARACTERS {
            return;
        }
        match value {
            Literal::List(items) if items.is_empty() => text.push_str("[]"),
            Literal::List(_) if level == MOST_LEVELS => text.push_str("[Array]"),
            Literal::List(items) => {
                text.push('[');
                for (place, item) in items.iter().take(MOST_ITEMS).enumerate() {
                    text.push_str(if place == 0 { "" } else { ", " });
                    self.write(text, item, ty, level + 1);
                }
                text.push_str(&more(items.len(), "item"));
                text.push(']');
            }
            Literal::Object(fields) if fields.is_empty() => text.push_str("{}"),
            Literal::Object(_) if level == MOST_LEVELS => text.push_str("[Object]"),
            Literal::Object(fields) => {
                let kind = ty.and_then(|ty| self.0?.input(ty));
                let known = match kind {
                    Some(InputKind::Object { fields, .. }) => Some(fields),
                    _ => None,
                };
                // An unknown field may be a password with a misspelled name.
                let guarded = known.is_some_and(|known| known.keys().any(|name| is_secret(name)));
                text.push_str("{ ");
                for (place, (name, value)) in fields.iter().take(MOST_ITEMS).enumerate() {
                    text.push_str(if place == 0 { "" } else { ", " });
                    text.push_str(&shorten(name));
                    text.push_str(": ");
                    let slot = known.and_then(|known| known.get(name.as_str()));
                    if is_secret(name) || guarded && slot.is_none() {
                        text.push_str(HIDDEN);
                    } else {
                        let ty = slot.map(|slot| slot.name());
                        self.write(text, value, ty, level + 1);
                    }
                }
                text.push_str(&more(fields.len(), "field"));
                text.push_str(" }");
            }
            Literal::String(given) => {
                text.push_str(&serde_json::Value::from(shorten(given)).to_string());
            }
            Literal::Variable(name) => text.push_str(&format!("${}", shorten(name))),
            Literal::Enum(name) => text.push_str(&shorten(name)),
            other => text.push_str(&shorten(&other.to_string())),
        }
    }
}

/// The number of items that are not shown.
fn more(count: usize, what: &str) -> String {
    match count.saturating_sub(MOST_ITEMS) {
        0 => String::new(),
        1 => format!(", ... 1 more {what}"),
        more => format!(", ... {more} more {what}s"),
    }
}

/// The names that resemble what was written, best first.
fn did_you_mean<'a>(what: &str, written: &str, known: impl Iterator<Item = &'a str>) -> String {
    // A name is at most this long; what is longer resembles nothing.
    if written.is_empty() || written.len() > 64 {
        return String::new();
    }
    let lower = written.to_lowercase();
    let threshold = written.chars().count() * 2 / 5 + 1;
    let mut near: Vec<(usize, &str)> = known
        .map(|name| (strsim::osa_distance(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= threshold)
        .collect();
    near.sort_unstable();
    let best = near.first().map_or(0, |(distance, _)| *distance);
    near.retain(|(distance, _)| *distance <= best + 1);
    let names: Vec<String> = near
        .iter()
        .take(MOST_SUGGESTIONS)
        .map(|(_, name)| format!("\"{name}\""))
        .collect();
    match names.as_slice() {
        [] => String::new(),
        [only] => format!(" Did you mean {what}{only}?"),
        [first @ .., last] => format!(" Did you mean {what}{} or {last}?", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_choice_names_the_value_the_enum_and_what_it_may_be() {
        let stages = names(&["OPEN", "WON", "LOST"]);
        let fault = choice("Stage", &Value::from("WN"), &stages, true);
        assert_eq!(
            Words::Open.fault(fault.clone()),
            "Value \"WN\" does not exist in \"Stage\" enum. Did you mean the enum value \"WON\"? \
             Use one of: OPEN, WON, LOST."
        );
        assert_eq!(
            Words::Reserved.fault(fault),
            "Value \"WN\" does not exist in \"Stage\" enum."
        );
        assert_eq!(
            Words::Reserved.fault(choice("Stage", &Value::from("WON"), &stages, false)),
            "Enum \"Stage\" cannot represent non-enum value: \"WON\"."
        );
    }

    #[test]
    fn a_number_that_is_none_and_one_that_is_too_large_read_differently() {
        let says = |value: Value| Words::Open.fault(scalar("Int", &value, ""));
        assert_eq!(
            says(Value::from("5")),
            "Int cannot represent non-integer value: \"5\"."
        );
        assert_eq!(
            says(Value::from(2_147_483_648_i64)),
            "Int cannot represent non 32-bit signed integer value: 2147483648."
        );
    }

    #[test]
    fn values_are_shown_as_graphql_js_shows_them_and_no_longer_than_a_few_lines() {
        for (value, expected) in [
            (value!("a\nb\"c"), r#""a\nb\"c""#),
            (value!([]), "[]"),
            (value!({}), "{}"),
            (
                value!({"a": [1, {"b": true}], "c": null}),
                "{ a: [1, [Object]], c: null }",
            ),
            (value!([[[[1]]]]), "[[[Array]]]"),
            (
                value!({"a": {"b": {"c": {"d": 1}, "e": {}}}}),
                "{ a: { b: [Object] } }",
            ),
            (
                value!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
                "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 1 more item]",
            ),
            (
                value!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
                "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 2 more items]",
            ),
            (
                value!({"password": 1, "in": {"apiToken": ["x"]}}),
                "{ password: (not shown), in: { apiToken: (not shown) } }",
            ),
        ] {
            assert_eq!(shown(&value), expected);
        }
        let long = Value::List(vec![Value::from("€".repeat(5_000)); 1_000]);
        assert_eq!(shown(&long).chars().count(), MOST_CHARACTERS + 1);
    }

    #[test]
    fn secrets_are_not_shown_whatever_they_are_called_by_mistake() {
        let sdl = "type Query { a(in: In): Int } input In { email: String, password: String, more: More } \
                   input More { note: String } schema { query: Query }";
        let catalog = Catalog::from_sdl(sdl).unwrap();
        let says = |value: Value, path: &[&str], ty: &str| {
            let fault = scalar("String", &value, "");
            let (shown, fault) = told(&catalog, &names(path), &value.into_value(), Some(ty), fault);
            format!("{shown}; {}", Words::Open.fault(fault))
        };
        assert_eq!(
            says(
                value!({"email": "a@b.c", "pasword": "x", "more": {"nte": 1}}),
                &["in"],
                "In"
            )
            .split_once(';')
            .unwrap()
            .0,
            "{ email: \"a@b.c\", pasword: (not shown), more: { nte: 1 } }"
        );
        for secret in ["password", "newPassword", "refreshToken", "accountNumber"] {
            let said = says(Value::from(4711), &["in", secret], "String");
            assert!(!said.contains("4711"), "{secret}: {said}");
        }
        assert!(says(Value::from(4711), &["in", "name"], "String").contains("4711"));
    }

    #[test]
    fn suggestions_are_few_and_near() {
        let known = ["deal", "deals", "dealer", "partner"];
        assert_eq!(
            did_you_mean("", "deels", known.into_iter()),
            " Did you mean \"deals\" or \"deal\"?"
        );
        assert_eq!(did_you_mean("", "zzzzzz", known.into_iter()), "");
        assert_eq!(did_you_mean("", "", known.into_iter()), "");
    }
}
