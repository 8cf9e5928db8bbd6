//! Makes random documents that fit the schema.

use std::{collections::BTreeMap, fmt::Write};

use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeKind,
};
use serde_json::{Map, Value, json};

use super::{Dice, Types};

/// What is selected at one place.
pub enum Selected {
    /// A field under its response key.
    Field {
        key: String,
        name: String,
        items: Vec<Selected>,
    },
    /// Fields for objects of one type.
    On { ty: String, items: Vec<Selected> },
}

/// A document with what it asks for.
pub struct Document {
    pub text: String,
    pub variables: Value,
    pub root: &'static str,
    pub items: Vec<Selected>,
    /// `Type.field` of all that it asks for.
    pub touched: Vec<String>,
}

/// Ids and cursors that answers told.
#[derive(Default)]
pub struct Ids {
    by_prefix: BTreeMap<String, Vec<String>>,
    cursors: Vec<String>,
}

impl Ids {
    pub fn count(&self) -> usize {
        self.by_prefix.values().map(Vec::len).sum()
    }

    /// Remembers the ids and cursors of an answer, some hundreds of each type.
    pub fn learn(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value.as_str() {
                        Some(id)
                            if id.is_ascii()
                                && id.len() > 27
                                && id[id.len() - 27..].starts_with('_') =>
                        {
                            let ids = self
                                .by_prefix
                                .entry(id[..id.len() - 27].to_owned())
                                .or_default();
                            if ids.len() < 300 && !ids.iter().any(|known| known == id) {
                                ids.push(id.to_owned());
                            }
                        }
                        Some(cursor) if key.ends_with("ursor") && self.cursors.len() < 300 => {
                            self.cursors.push(cursor.to_owned());
                        }
                        _ => self.learn(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            _ => {}
        }
    }

    /// An id, most of the time of the type that the name of its place speaks of.
    fn pick(&self, place: &str, parent: &str, dice: &mut Dice) -> String {
        let place = place.to_lowercase();
        let wanted = place.trim_end_matches("ids").trim_end_matches("id");
        let parent = parent.to_lowercase();
        let fits = |prefix: &&String| {
            let prefix = prefix.replace('_', "");
            if wanted.is_empty() {
                parent.contains(&prefix)
            } else {
                prefix.contains(wanted) || wanted.contains(&prefix)
            }
        };
        let prefixes: Vec<&String> = self.by_prefix.keys().collect();
        let fitting: Vec<&String> = prefixes.iter().copied().filter(fits).collect();
        let from = if fitting.is_empty() || dice.chance(10) {
            &prefixes
        } else {
            &fitting
        };
        match from.is_empty() || dice.chance(3) {
            true => "deal_00000000000000000000000000".to_owned(),
            false => {
                let prefix = *dice.pick(from);
                dice.pick(&self.by_prefix[prefix]).clone()
            }
        }
    }
}

/// A value that can be written as a literal and as JSON.
enum Made {
    Plain(Value),
    Enum(String),
    List(Vec<Made>),
    Object(Vec<(String, Made)>),
    /// A variable that stands here.
    Variable(String),
}

impl Made {
    fn json(&self) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Enum(name) => name.clone().into(),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), value.json()))
                .collect::<Map<_, _>>()
                .into(),
            Self::Variable(_) => Value::Null,
        }
    }

    fn write(&self, text: &mut String) {
        match self {
            // JSON escapes are GraphQL's too.
            Self::Plain(value) => text.push_str(&value.to_string()),
            Self::Enum(name) => text.push_str(name),
            Self::List(items) => {
                text.push('[');
                for item in items {
                    item.write(text);
                    text.push(' ');
                }
                text.push(']');
            }
            Self::Object(fields) => {
                text.push('{');
                for (name, value) in fields {
                    let _ = write!(text, "{name}: ");
                    value.write(text);
                    text.push(' ');
                }
                text.push('}');
            }
            Self::Variable(name) => {
                let _ = write!(text, "${name}");
            }
        }
    }
}

/// Makes one document.
pub struct Maker<'a> {
    types: &'a Types,
    ids: &'a Ids,
    dice: &'a mut Dice,
    fields: usize,
    keys: usize,
    head: String,
    variables: Map<String, Value>,
    fragments: String,
    touched: Vec<String>,
}

/// Sign-in mutations stand alone, and are no subject here.
const ALONE: [&str; 6] = [
    "login",
    "tokenRefresh",
    "invitationAccept",
    "passwordResetRequest",
    "passwordReset",
    "logout",
];

impl<'a> Maker<'a> {
    pub fn new(types: &'a Types, ids: &'a Ids, dice: &'a mut Dice) -> Self {
        Self {
            types,
            ids,
            dice,
            fields: 0,
            keys: 0,
            head: String::new(),
            variables: Map::new(),
            fragments: String::new(),
            touched: Vec::new(),
        }
    }

    pub fn document(mut self) -> Document {
        let mutation = self.dice.chance(35);
        let (keyword, root) = if mutation {
            ("mutation", "Mutation")
        } else {
            ("query", "Query")
        };
        let most = 1 + self.dice.roll(3);
        let (items, body) = self.selection(root, 0, most, false);
        let head = match self.head.is_empty() {
            true => String::new(),
            false => format!("({})", self.head),
        };
        Document {
            text: format!("{keyword} Random{head} {body}{}", self.fragments),
            variables: self.variables.into(),
            root,
            items,
            touched: self.touched,
        }
    }

    fn selection(
        &mut self,
        ty: &str,
        depth: usize,
        most: usize,
        apart: bool,
    ) -> (Vec<Selected>, String) {
        let mut items = Vec::new();
        let mut text = "{ ".to_owned();
        if self.dice.chance(20) {
            self.typename(&mut items, &mut text);
        }
        let (fields, interface) = match self.types.kind(ty) {
            Some(TypeKind::Object(object)) => (&*object.fields, false),
            Some(TypeKind::Interface(interface)) => (&*interface.fields, true),
            _ => (&[] as &[_], true),
        };
        let mut left: Vec<&FieldDefinition> = fields.iter().map(|field| &field.node).collect();
        let mut group = Group::default();
        for _ in 0..most {
            if left.is_empty() || self.fields > 60 {
                break;
            }
            let field = left.remove(self.dice.roll(left.len()));
            if ty == "Mutation" && ALONE.contains(&field.name.node.as_str()) {
                continue;
            }
            let Some((selected, part)) = self.field(ty, field, depth, apart) else {
                continue;
            };
            // Directly, in an inline fragment or in a named one; what is skipped stands among the rest.
            match self.dice.roll(10) {
                0 | 1 => {
                    let on = if self.dice.chance(50) {
                        format!("... on {ty} ")
                    } else {
                        "... ".to_owned()
                    };
                    let _ = write!(text, "{on}{{ {part} }} ");
                    items.push(selected);
                }
                2 | 3 => group.push(selected, &part),
                4 => {
                    let (skip, run) = *self.dice.pick(&[
                        ("@skip(if: false)", true),
                        ("@include(if: true)", true),
                        ("@skip(if: true)", false),
                        ("@include(if: false)", false),
                    ]);
                    let _ = write!(text, "... {skip} {{ {part} }} ");
                    if run {
                        items.push(selected);
                    }
                }
                _ => {
                    let _ = write!(text, "{part} ");
                    items.push(selected);
                }
            }
        }
        if !group.items.is_empty() {
            self.keys += 1;
            let _ = write!(text, "...f{} ", self.keys);
            let _ = write!(
                self.fragments,
                " fragment f{} on {ty} {{ {} }}",
                self.keys, group.text
            );
            items.append(&mut group.items);
        }
        if interface {
            let objects: Vec<String> = self
                .types
                .objects(ty)
                .into_iter()
                .map(str::to_owned)
                .collect();
            for _ in 0..1 + self.dice.roll(3) {
                let object = self.dice.pick(&objects).clone();
                let (below, part) = self.selection(&object, depth + 1, 3, true);
                // Two objects may have a field of one name and different types: each gets a key of its own.
                let _ = write!(text, "... on {object} {part} ");
                items.push(Selected::On {
                    ty: object,
                    items: below,
                });
            }
        }
        if text == "{ "
            || !items
                .iter()
                .any(|item| matches!(item, Selected::Field { .. }))
        {
            self.typename(&mut items, &mut text);
        }
        text.push('}');
        (items, text)
    }

    fn typename(&mut self, items: &mut Vec<Selected>, text: &mut String) {
        if items
            .iter()
            .any(|item| matches!(item, Selected::Field { key, .. } if key == "__typename"))
        {
            return;
        }
        text.push_str("__typename ");
        items.push(Selected::Field {
            key: "__typename".to_owned(),
            name: "__typename".to_owned(),
            items: Vec::new(),
        });
    }

    fn field(
        &mut self,
        parent: &str,
        field: &FieldDefinition,
        depth: usize,
        apart: bool,
    ) -> Option<(Selected, String)> {
        let name = field.name.node.to_string();
        let target = named(&field.ty.node);
        let composite = matches!(
            self.types.kind(target),
            Some(TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_))
        );
        if composite && depth >= 7 || apart && self.keys >= 45 {
            return None;
        }
        self.fields += 1;
        self.touched.push(format!("{parent}.{name}"));
        let mut text = String::new();
        let key = if apart || self.keys < 40 && self.dice.chance(10) {
            self.keys += 1;
            let key = format!("k{}", self.keys);
            let _ = write!(text, "{key}: ");
            key
        } else {
            name.clone()
        };
        text.push_str(&name);
        self.arguments(&name, &field.arguments, &mut text);
        if parent == "Mutation" && self.dice.chance(60) {
            let _ = write!(text, " @idempotent(key: \"k{}\")", self.dice.roll(500));
        }
        let items = if composite {
            let most = 1 + self.dice.roll(5);
            let (items, below) = self.selection(target, depth + 1, most, false);
            let _ = write!(text, " {below}");
            items
        } else {
            Vec::new()
        };
        Some((Selected::Field { key, name, items }, text))
    }

    fn arguments(
        &mut self,
        parent: &str,
        arguments: &[async_graphql::Positioned<InputValueDefinition>],
        text: &mut String,
    ) {
        let mut given = Vec::new();
        for argument in arguments {
            let argument = &argument.node;
            let needed = !argument.ty.node.nullable && argument.default_value.is_none();
            let name = argument.name.node.as_str();
            // Paging both ways at once, or by random cursors, is refused so often that it would hide the rest.
            let percent = match name {
                "first" => 60,
                "last" | "after" | "before" => 6,
                _ => 35,
            };
            if !needed && !self.dice.chance(percent) {
                continue;
            }
            let value = if self.dice.chance(30) {
                self.variable(&argument.ty.node, name, parent)
            } else {
                self.value(&argument.ty.node, name, parent, 0, true)
            };
            given.push((name.to_owned(), value));
        }
        if given.is_empty() {
            return;
        }
        text.push('(');
        for (name, value) in given {
            let _ = write!(text, "{name}: ");
            value.write(text);
            text.push(' ');
        }
        text.push(')');
    }

    fn variable(&mut self, ty: &Type, place: &str, parent: &str) -> Made {
        let name = format!("v{}", self.variables.len() + self.head.len());
        let value = self.value(ty, place, parent, 1, false);
        let _ = write!(self.head, "${name}: {ty} ");
        // A nullable variable may be left out.
        if !(ty.nullable && self.dice.chance(20)) {
            self.variables.insert(name.clone(), value.json());
        }
        Made::Variable(name)
    }

    fn value(
        &mut self,
        ty: &Type,
        place: &str,
        parent: &str,
        depth: usize,
        variables: bool,
    ) -> Made {
        if ty.nullable && self.dice.chance(5) {
            return Made::Plain(Value::Null);
        }
        if variables && depth > 0 && self.dice.chance(8) {
            return self.variable(ty, place, parent);
        }
        let name = match &ty.base {
            BaseType::List(inner) => {
                let count = self.dice.roll(4);
                return Made::List(
                    (0..count)
                        .map(|_| self.value(inner, place, parent, depth + 1, variables))
                        .collect(),
                );
            }
            BaseType::Named(name) => name.as_str(),
        };
        match self.types.kind(name) {
            Some(TypeKind::Enum(values)) => {
                let value = self.dice.roll(values.values.len());
                Made::Enum(values.values[value].node.value.node.to_string())
            }
            Some(TypeKind::InputObject(input)) => {
                let mut fields = Vec::new();
                let one = self
                    .types
                    .one_of(name)
                    .then(|| self.dice.roll(input.fields.len()));
                for (at, field) in input.fields.iter().enumerate() {
                    let field = &field.node;
                    let needed = !field.ty.node.nullable && field.default_value.is_none();
                    let likely = if depth > 4 { 0 } else { 40 };
                    if one.map_or_else(|| needed || self.dice.chance(likely), |one| one == at) {
                        let place = field.name.node.as_str();
                        let mut ty = field.ty.node.clone();
                        // The one field may not be null.
                        ty.nullable &= one.is_none();
                        let value = self.value(&ty, place, name, depth + 1, variables);
                        fields.push((place.to_owned(), value));
                    }
                }
                Made::Object(fields)
            }
            _ => Made::Plain(self.leaf(name, place, parent)),
        }
    }

    fn leaf(&mut self, scalar: &str, place: &str, parent: &str) -> Value {
        let dice = &mut *self.dice;
        match scalar {
            "ID" => self.ids.pick(place, parent, dice).into(),
            "Int" if ["first", "last"].contains(&place) => {
                (*dice.pick(&[0, 1, 2, 3, 5, 5, 10, 100, 101, -1])).into()
            }
            "Int" => (*dice.pick(&[
                0,
                1,
                2,
                3,
                5,
                12,
                90,
                365,
                1_000_000,
                -1,
                i32::MAX,
                i32::MIN,
            ]))
            .into(),
            "Boolean" => dice.chance(50).into(),
            "Float" => json!(0.5),
            "Decimal" => (*dice.pick(&[
                "0",
                "1",
                "10.00",
                "12.5",
                "33.3333",
                "100",
                "100000.00",
                "-3",
                "0.0000001",
                "99999999999999999999",
                "-0",
            ]))
            .into(),
            "Date" => (*dice.pick(&[
                "2026-01-01",
                "2026-02-28",
                "2026-03-31",
                "2026-12-31",
                "2024-02-29",
                "0001-01-01",
                "9999-12-31",
            ]))
            .into(),
            "DateTime" => (*dice.pick(&[
                "2026-01-01T00:00:00Z",
                "2026-03-01T09:00:00.123456Z",
                "2026-12-31T23:59:59+14:00",
                "0000-01-01T00:00:00Z",
                "9999-12-31T23:59:59Z",
            ]))
            .into(),
            "CurrencyCode" => (*dice.pick(&["USD", "EUR", "JPY", "KWD", "XXX", "ZZZ"])).into(),
            "CountryCode" => (*dice.pick(&["DE", "US", "JP", "GB"])).into(),
            "EmailAddress" => format!("someone{}@people.example", dice.roll(50)).into(),
            "BigInt" => (*dice.pick(&["0", "1", "-1", "9223372036854775807"])).into(),
            _ if ["after", "before"].contains(&place)
                && !self.ids.cursors.is_empty()
                && dice.chance(80) =>
            {
                dice.pick(&self.ids.cursors).clone().into()
            }
            _ => self.word().into(),
        }
    }

    fn word(&mut self) -> String {
        let dice = &mut *self.dice;
        match dice.roll(12) {
            0 => String::new(),
            1 => " ".to_owned(),
            2 => "x".repeat(1 + dice.roll(5_000)),
            3 => "Grüße 漢字 \u{1f4a5} \u{200f}e\u{301}".to_owned(),
            4 => "\u{1}\n\t\"\\ '; DROP TABLE deal; -- % _ [".to_owned(),
            5 => "=HYPERLINK(\"x\")".to_owned(),
            6 => format!("https://site{}.example/path", dice.roll(50)),
            7 => format!("site{}.example", dice.roll(50)),
            8 => format!("someone{}@people.example", dice.roll(50)),
            9 => (*dice.pick(&[
                "hardware",
                "software",
                "QUALIFIED",
                "PROPOSAL",
                "en",
                "de",
                "Europe/Berlin",
                "SOURCED",
                "100",
                "2026-03-01",
            ]))
            .to_owned(),
            _ => format!("Name {}", dice.roll(1_000)),
        }
    }
}

#[derive(Default)]
struct Group {
    items: Vec<Selected>,
    text: String,
}

impl Group {
    fn push(&mut self, selected: Selected, part: &str) {
        self.items.push(selected);
        let _ = write!(self.text, "{part} ");
    }
}

/// The name of the type below lists and marks.
pub fn named(ty: &Type) -> &str {
    let mut ty = ty;
    loop {
        match &ty.base {
            BaseType::Named(name) => return name,
            BaseType::List(inner) => ty = inner,
        }
    }
}
