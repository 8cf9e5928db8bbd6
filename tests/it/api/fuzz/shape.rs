//! Holds an answer to what its document asked for and the schema promises.

use std::collections::BTreeMap;

use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeKind};
use serde_json::Value;

use super::{
    Types,
    document::{Document, Selected, named},
};

type Outcome = Result<(), String>;

/// Whether the data of an answer has exactly the shape of its document.
pub fn check(types: &Types, document: &Document, answer: &Value) -> Outcome {
    let data = &answer["data"];
    let errors = answer["errors"].as_array().map_or(0, Vec::len);
    if data.is_null() {
        return if errors > 0 {
            Ok(())
        } else {
            Err("no data and no error".to_owned())
        };
    }
    let checker = Checker { types, errors };
    checker.object(
        document.root,
        &document.items.iter().collect::<Vec<_>>(),
        data,
        "data",
    )
}

struct Checker<'a> {
    types: &'a Types,
    errors: usize,
}

impl Checker<'_> {
    fn object(&self, ty: &str, items: &[&Selected], value: &Value, path: &str) -> Outcome {
        let Some(object) = value.as_object() else {
            return Err(format!("{path} is no object"));
        };
        // An interface tells by its name which object it is, if that was asked for; else by the keys that it has.
        let candidates = self.types.objects(ty);
        let mut faults = Vec::new();
        for candidate in &candidates {
            let mut expected = BTreeMap::new();
            collect(candidate, items, &mut expected);
            let same = expected.len() == object.len()
                && expected.keys().all(|key| object.contains_key(*key));
            if !same {
                faults.push(format!(
                    "{path} has {:?} where {candidate} has {:?}",
                    object.keys().collect::<Vec<_>>(),
                    expected.keys().collect::<Vec<_>>()
                ));
                continue;
            }
            match self.fields(candidate, &expected, value, path) {
                Ok(()) => return Ok(()),
                Err(fault) => faults.push(fault),
            }
        }
        Err(faults.join("\n"))
    }

    fn fields(
        &self,
        object: &str,
        expected: &BTreeMap<&str, (&str, Vec<&Selected>)>,
        value: &Value,
        path: &str,
    ) -> Outcome {
        for (key, (name, items)) in expected {
            let value = &value[*key];
            let path = format!("{path}.{key}");
            if *name == "__typename" {
                if value != object {
                    return Err(format!("{path} is {value}, not {object}"));
                }
                continue;
            }
            let field = self
                .field(object, name)
                .ok_or_else(|| format!("{object} has no {name}"))?;
            self.value(&field.ty.node, items, value, &path)?;
        }
        Ok(())
    }

    fn field(&self, object: &str, name: &str) -> Option<&FieldDefinition> {
        let Some(TypeKind::Object(object)) = self.types.kind(object) else {
            return None;
        };
        let mut fields = object.fields.iter().map(|field| &field.node);
        fields.find(|field| field.name.node == name)
    }

    fn value(&self, ty: &Type, items: &[&Selected], value: &Value, path: &str) -> Outcome {
        if value.is_null() {
            return if ty.nullable {
                Ok(())
            } else {
                Err(format!("{path} is null, with {} errors", self.errors))
            };
        }
        match &ty.base {
            BaseType::List(inner) => {
                let list = value
                    .as_array()
                    .ok_or_else(|| format!("{path} is no list"))?;
                let mut places = list.iter().enumerate();
                places.try_for_each(|(at, item)| {
                    self.value(inner, items, item, &format!("{path}.{at}"))
                })
            }
            BaseType::Named(_) => {
                let name = named(ty);
                let fits = match self.types.kind(name) {
                    Some(TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_)) => {
                        return self.object(name, items, value, path);
                    }
                    Some(TypeKind::Enum(values)) => values
                        .values
                        .iter()
                        .any(|known| value == known.node.value.node.as_str()),
                    _ => scalar(name, value),
                };
                if fits {
                    Ok(())
                } else {
                    Err(format!("{path} is {value}, no {name}"))
                }
            }
        }
    }
}

/// The fields that are due for an object of this type, by their keys.
fn collect<'s>(
    object: &str,
    items: &[&'s Selected],
    expected: &mut BTreeMap<&'s str, (&'s str, Vec<&'s Selected>)>,
) {
    for item in items {
        match item {
            Selected::Field { key, name, items } => {
                let entry = expected.entry(key).or_insert_with(|| (name, Vec::new()));
                entry.1.extend(items);
            }
            Selected::On { ty, items } if ty == object => {
                collect(object, &items.iter().collect::<Vec<_>>(), expected);
            }
            Selected::On { .. } => {}
        }
    }
}

/// Every scalar of the API's own but `JSON` is text, in the form that its inputs take.
fn scalar(name: &str, value: &Value) -> bool {
    match name {
        "Int" => value
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok()),
        "Float" => value.is_f64(),
        "Boolean" => value.is_boolean(),
        "String" | "ID" => value.is_string(),
        "JSON" => true,
        own => {
            let text = value.as_str().map(async_graphql::Value::from);
            text.is_some_and(|text| ensemble::graphql::scalars::takes(own, &text) != Some(false))
        }
    }
}
