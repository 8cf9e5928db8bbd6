//! What is wrong with a value, in the words that clients know from graphql-js: the value, its type and the choices.
//!
//! Choices and suggestions describe the schema. Callers who may not read the schema get the errors without them.

use async_graphql::{Value, parser::types::Type};

use super::shorten;

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

/// Null where a value is needed.
pub fn null(ty: &Type) -> Fault {
    Fault::new(format!("Expected value of type \"{ty}\", found null."))
}

/// Something else where an input object is needed.
pub fn object(name: &str) -> Fault {
    Fault::new(format!("Expected type \"{name}\" to be an object."))
}

/// An input that takes exactly one of its fields.
pub fn one_of(name: &str) -> Fault {
    Fault::new(format!(
        "Exactly one field must be given for OneOf type \"{name}\", and it must not be null."
    ))
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

/// A value that an enum does not have.
pub fn choice(name: &str, value: &Value, names: &[String], json: bool) -> Fault {
    let (given, text) = match value {
        Value::Enum(given) => (given.as_str(), None),
        Value::String(given) if json => (given.as_str(), None),
        Value::String(given) => (
            given.as_str(),
            Some(format!(
                "Enum \"{name}\" cannot represent non-enum value: {}.",
                shown(value)
            )),
        ),
        _ => (
            "",
            Some(format!(
                "Enum \"{name}\" cannot represent non-enum value: {}.",
                shown(value)
            )),
        ),
    };
    let text = text.unwrap_or_else(|| {
        format!(
            "Value \"{}\" does not exist in \"{name}\" enum.",
            shorten(given)
        )
    });
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

/// A value as an error repeats it: no more than a line, and of lists and objects only the brackets.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "{…}".to_owned(),
        Value::List(_) => "[…]".to_owned(),
        Value::String(text) => format!("{:?}", shorten(text)),
        Value::Enum(name) => shorten(name),
        other => shorten(&other.to_string()),
    }
}

/// What is shown in place of a value that an error must not repeat.
const HIDDEN: &str = "(not shown)";

/// The value at a path as its error repeats it, and the error. What may be a secret is in neither.
pub fn told(path: &[String], value: Option<&Value>, fault: Fault) -> (String, Fault) {
    let shown = value.map_or_else(|| "{…}".to_owned(), shown);
    if !is_secret(path) {
        return (shown, fault);
    }
    let Fault { text, hint } = fault;
    let text = text.replace(&shown, HIDDEN);
    (HIDDEN.to_owned(), Fault { text, hint })
}

fn is_secret(path: &[String]) -> bool {
    const SECRET: [&str; 4] = ["password", "token", "account", "secret"];
    path.iter().any(|name| {
        let name = name.to_ascii_lowercase();
        SECRET.iter().any(|secret| name.contains(secret))
    })
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
    fn values_are_shown_on_one_line_and_secrets_not_at_all() {
        assert_eq!(shown(&Value::from("a\nb")), "\"a\\nb\"");
        assert!(shown(&Value::from("x".repeat(5_000))).len() < 250);
        assert_eq!(shown(&Value::List(vec![])), "[…]");
        let value = Value::from(4711);
        let tells = |path: &[&str]| {
            let fault = scalar("String", &value, "");
            let (shown, fault) = told(&names(path), Some(&value), fault);
            format!("{shown}: {}", Words::Open.fault(fault)).contains("4711")
        };
        assert!(tells(&["input", "name"]));
        for secret in ["password", "newPassword", "refreshToken", "accountNumber"] {
            assert!(!tells(&["input", secret]), "{secret}");
        }
    }

    #[test]
    fn suggestions_are_few_and_near() {
        let known = ["deal", "deals", "dealer", "partner"];
        assert_eq!(
            did_you_mean("", "deels", known.into_iter()),
            " Did you mean \"deals\", \"deal\" or \"dealer\"?"
        );
        assert_eq!(did_you_mean("", "zzzzzz", known.into_iter()), "");
        assert_eq!(did_you_mean("", "", known.into_iter()), "");
    }
}
