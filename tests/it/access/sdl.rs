//! The printed schema as a table, so that a test can walk all of it and miss nothing that is added later.

use std::collections::BTreeMap;

use async_graphql::parser::{
    parse_schema,
    types::{
        BaseType, FieldDefinition, InputValueDefinition, Type, TypeKind, TypeSystemDefinition,
    },
};
use serde_json::{Map, Value};

/// Every type of the API.
pub struct Sdl(BTreeMap<String, TypeKind>);

/// The name inside all lists and exclamation marks.
pub fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(item) => named(item),
    }
}

impl Sdl {
    pub fn read() -> Self {
        let document = parse_schema(ensemble::schema::sdl()).unwrap();
        let types = document.definitions.into_iter().filter_map(|definition| {
            let TypeSystemDefinition::Type(definition) = definition else {
                return None;
            };
            let definition = definition.node;
            Some((definition.name.node.to_string(), definition.kind))
        });
        Self(types.collect())
    }

    /// The object types, by name.
    pub fn objects(&self) -> impl Iterator<Item = &str> {
        let objects = self
            .0
            .iter()
            .filter(|(_, kind)| matches!(kind, TypeKind::Object(_)));
        objects.map(|(name, _)| name.as_str())
    }

    /// The fields of an object or interface; none for a leaf.
    pub fn fields(&self, name: &str) -> Vec<&FieldDefinition> {
        let fields = match self.0.get(name) {
            Some(TypeKind::Object(object)) => &object.fields,
            Some(TypeKind::Interface(interface)) => &interface.fields,
            _ => return Vec::new(),
        };
        fields.iter().map(|field| &field.node).collect()
    }

    pub fn field(&self, parent: &str, name: &str) -> &FieldDefinition {
        let fields = self.fields(parent);
        let found = fields.into_iter().find(|field| field.name.node == name);
        found.unwrap_or_else(|| panic!("no field {parent}.{name}"))
    }

    /// The fields of an input object; none for anything else.
    pub fn inputs(&self, name: &str) -> Vec<&InputValueDefinition> {
        match self.0.get(name) {
            Some(TypeKind::InputObject(input)) => input.fields.iter().map(|f| &f.node).collect(),
            _ => Vec::new(),
        }
    }

    /// The values of an enum; none for anything else.
    pub fn values(&self, name: &str) -> Vec<&str> {
        match self.0.get(name) {
            Some(TypeKind::Enum(values)) => {
                let values = values.values.iter();
                values.map(|value| value.node.value.node.as_str()).collect()
            }
            _ => Vec::new(),
        }
    }

    pub fn is_leaf(&self, name: &str) -> bool {
        matches!(
            self.0.get(name),
            None | Some(TypeKind::Scalar | TypeKind::Enum(_))
        )
    }

    /// Whether objects of the type are found by `node(id:)`.
    pub fn is_node(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(TypeKind::Object(object)) => object.implements.iter().any(|i| i.node == "Node"),
            _ => false,
        }
    }

    /// Whether a query answers with an object of the type, or with a list of them.
    pub fn is_opened_at_the_root(&self, name: &str) -> bool {
        self.fields("Query").iter().any(|field| {
            let inner = named(&field.ty.node);
            inner.strip_suffix("Connection").unwrap_or(inner) == name
        })
    }

    /// A document with one root field, its arguments declared as variables.
    pub fn document(
        &self,
        root: &str,
        name: &str,
        arguments: &Map<String, Value>,
        rest: &str,
    ) -> String {
        let given = self
            .field(root, name)
            .arguments
            .iter()
            .map(|argument| &argument.node);
        let given: Vec<_> = given
            .filter(|argument| arguments.contains_key(argument.name.node.as_str()))
            .collect();
        assert_eq!(
            given.len(),
            arguments.len(),
            "{name} has other arguments: {arguments:?}"
        );
        let declared: Vec<_> = given
            .iter()
            .map(|a| format!("${}: {}", a.name.node, a.ty.node))
            .collect();
        let passed: Vec<_> = given
            .iter()
            .map(|a| format!("{0}: ${0}", a.name.node))
            .collect();
        let [declared, passed] = [declared, passed].map(|list| match list.as_slice() {
            [] => String::new(),
            list => format!("({})", list.join(", ")),
        });
        format!(
            "{}{declared} {{ {name}{passed} {rest} }}",
            root.to_lowercase()
        )
    }
}
