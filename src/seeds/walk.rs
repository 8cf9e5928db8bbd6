//! The walk from sign-in to a paid partner: `seeds/story.json`, which the README prints and the start page plays.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Player, Step};
use crate::error::Result;

const STORY: &str = include_str!("../../seeds/story.json");

/// The walk.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Walk {
    /// The customer of the first walk, and others for those after it.
    pub customers: Vec<Customer>,
    /// What happens, in order.
    pub steps: Vec<WalkStep>,
}

/// A company that nobody has registered yet.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Its name.
    pub name: String,
    /// Its domain.
    pub domain: String,
}

/// One step of the walk, for readers: one or more operations that belong together.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WalkStep {
    /// What happens.
    pub title: String,
    /// More about it; operations and codes are in backticks.
    pub text: String,
    /// The operations.
    pub acts: Vec<Step>,
}

/// A value in the answer of a step.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Its name.
    pub label: String,
    /// Where it is: keys and positions below `data`, and `key=value` for the first item of a list that has this value.
    pub at: String,
    /// How it reads when everything went as told, or nothing when it differs each time.
    #[serde(default)]
    pub shows: Option<String>,
    /// What follows the value.
    #[serde(default)]
    pub unit: Option<String>,
}

/// The walk of the README and the start page.
///
/// # Errors
/// The file is not readable; a test reads it.
pub fn walk() -> Result<Walk> {
    Ok(serde_json::from_str(STORY)?)
}

impl Customer {
    /// The names under which the steps refer to it, and their values: its name, the address of its site, and another
    /// spelling of its domain.
    #[must_use]
    pub fn values(&self) -> [(&'static str, String); 3] {
        [
            ("customer", self.name.clone()),
            ("site", format!("https://www.{}/", self.domain)),
            ("spelling", format!("{}.", self.domain.to_uppercase())),
        ]
    }
}

impl Player {
    /// Lets the steps that follow be about this customer.
    pub fn meet(&mut self, customer: &Customer) {
        for (name, value) in customer.values() {
            self.saved.insert(name.to_owned(), value.into());
        }
    }
}

impl Figure {
    /// The value as a reader sees it: an amount as `1,428.57 USD`.
    #[must_use]
    pub fn read(&self, data: &Value) -> Option<String> {
        let value = self.at.split('/').try_fold(data, |value, part| {
            if let Some((key, wanted)) = part.split_once('=') {
                let found = |item: &&Value| {
                    let inner = key.split('.').try_fold(*item, |item, key| item.get(key));
                    inner.and_then(Value::as_str) == Some(wanted)
                };
                return value.as_array()?.iter().find(found);
            }
            match part.parse::<usize>() {
                Ok(position) => value.get(position),
                Err(_) => value.get(part),
            }
        })?;
        let text = match (value.get("amount"), value.get("currency")) {
            (Some(amount), Some(currency)) => {
                format!("{} {}", grouped(amount.as_str()?), currency.as_str()?)
            }
            _ => value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        };
        Some(match &self.unit {
            Some(unit) => format!("{text} {unit}"),
            None => text,
        })
    }
}

/// A decimal number with a comma for every three digits before the point.
fn grouped(number: &str) -> String {
    let whole = number.split('.').next().unwrap_or_default();
    let rest = &number[whole.len()..];
    let digits = whole.trim_start_matches('-').len();
    let mut text = String::new();
    for (at, digit) in whole.trim_start_matches('-').chars().enumerate() {
        if at > 0 && (digits - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let sign = if whole.starts_with('-') { "-" } else { "" };
    format!("{sign}{text}{rest}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn figure(at: &str, unit: Option<&str>) -> Figure {
        Figure {
            label: String::new(),
            at: at.to_owned(),
            shows: None,
            unit: unit.map(str::to_owned),
        }
    }

    #[test]
    fn a_figure_is_found_by_key_position_or_value() {
        let data = json!({"rows": [
            {"of": {"name": "A"}, "amount": {"amount": "-1234567.50", "currency": "USD"}},
            {"of": {"name": "B/C"}, "share": "28.5714", "amount": {"amount": "100.00", "currency": "USD"}},
        ], "count": 2});
        for (at, unit, read) in [
            ("rows/of.name=A/amount", None, Some("-1,234,567.50 USD")),
            ("rows/1/amount", None, Some("100.00 USD")),
            ("rows/1/share", Some("%"), Some("28.5714 %")),
            ("count", None, Some("2")),
            ("rows/2/amount", None, None),
            ("rows/of.name=D/amount", None, None),
            ("nothing", None, None),
        ] {
            assert_eq!(figure(at, unit).read(&data).as_deref(), read, "{at}");
        }
    }

    #[test]
    fn every_step_names_an_operation_that_exists_and_only_what_was_saved_before() {
        let walk = walk().unwrap();
        let mut known: Vec<String> = walk.customers[0]
            .values()
            .map(|(name, _)| name.to_owned())
            .to_vec();
        for act in walk.steps.iter().flat_map(|step| &step.acts) {
            assert!(crate::seeds::operation(&act.run).is_some(), "{}", act.run);
            let with = serde_json::to_string(&act.with).unwrap();
            for name in with
                .split("\"$")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
            {
                let counted = name.starts_with("date:") || name.starts_with("time:");
                assert!(counted || known.iter().any(|known| known == name), "{name}");
            }
            known.extend(act.save.keys().cloned());
        }
    }
}
