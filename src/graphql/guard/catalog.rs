//! What the guard must know of the schema: which fields lead to objects, lists and connections, and what their arguments
//! take.
//!
//! A plain list is priced by the size that the schema declares with `@listSize`. One without a declaration counts as
//! 20 items and is reported by [`Catalog::unsized_lists`], so that a test can insist on a declaration.

use std::collections::HashMap;

use async_graphql::{
    Value as ConstValue,
    parser::{
        self, parse_schema,
        types::{
            BaseType, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind,
            TypeSystemDefinition,
        },
    },
};

/// The size of a plain list that declares none.
pub const DEFAULT_LIST_SIZE: u64 = 20;

/// What selecting a field brings up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A scalar or an enum value, or a list of them.
    Leaf,
    /// One object.
    Object,
    /// A list of objects, with the size that it is priced as.
    List(u64),
    /// A page of a list that can grow.
    Connection,
}

/// One field of the schema as the guard sees it.
#[derive(Clone, Debug)]
pub struct FieldCost {
    /// The named type the field leads to.
    pub target: String,
    /// What selecting it brings up.
    pub shape: Shape,
    /// The points it costs itself, where the schema declares them.
    pub weight: Option<u64>,
    /// The list arguments that set the size of a list.
    pub slicing: Vec<String>,
    /// What its arguments take.
    pub arguments: HashMap<String, Slot>,
}

/// A place for a value: an argument or a field of an input.
#[derive(Clone, Debug)]
pub struct Slot {
    /// What it takes.
    pub ty: Type,
    /// Whether it has a value of its own when none is given.
    pub default: bool,
}

impl Slot {
    /// The name of its type without list wrappers.
    #[must_use]
    pub fn name(&self) -> &str {
        named(&self.ty)
    }
}

/// The name of a type without list wrappers.
#[must_use]
pub fn named(ty: &Type) -> &str {
    let mut ty = ty;
    loop {
        match &ty.base {
            BaseType::Named(name) => return name,
            // A single value is coerced to a list of one.
            BaseType::List(inner) => ty = inner,
        }
    }
}

/// A type of values.
#[derive(Clone, Debug)]
pub enum InputKind {
    /// A scalar, with what its description says that it takes.
    Scalar(String),
    /// One of these names, in their order.
    Enum(Vec<String>),
    /// An object of these fields; exactly one of them when `one_of`.
    Object {
        /// Its fields.
        fields: HashMap<String, Slot>,
        /// Whether exactly one field must be given.
        one_of: bool,
    },
}

/// One object, interface or union of the schema as the guard sees it.
#[derive(Clone, Debug, Default)]
pub struct TypeCost {
    /// Whether the type is a page of items.
    pub connection: bool,
    fields: HashMap<String, FieldCost>,
}

impl TypeCost {
    /// The field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldCost> {
        self.fields.get(name)
    }
}

/// The priced schema.
#[derive(Clone, Debug)]
pub struct Catalog {
    types: HashMap<String, TypeCost>,
    inputs: HashMap<String, InputKind>,
    directives: HashMap<String, HashMap<String, Slot>>,
    unsized_lists: Vec<String>,
    /// Name of the query root.
    pub query: String,
    /// Name of the mutation root.
    pub mutation: String,
    /// Name of the subscription root.
    pub subscription: String,
}

/// The introspection types, which a printed schema leaves out. `types` counts as one item: a document is priced by
/// what it asks of each type.
const INTROSPECTION: &str = r#"
type __Schema { types: [__Type] @listSize(assumedSize: 1) queryType: __Type mutationType: __Type
  subscriptionType: __Type directives: [__Directive] @listSize(assumedSize: 8) }
type __Type { fields: [__Field] @listSize(assumedSize: 15) interfaces: [__Type] @listSize(assumedSize: 2)
  possibleTypes: [__Type] @listSize(assumedSize: 5) enumValues: [__EnumValue] @listSize(assumedSize: 8)
  inputFields: [__InputValue] @listSize(assumedSize: 8) ofType: __Type }
type __Field { args: [__InputValue] @listSize(assumedSize: 3) type: __Type }
type __InputValue { type: __Type }
type __EnumValue { name: String }
type __Directive { args: [__InputValue] @listSize(assumedSize: 2) }
"#;

impl Catalog {
    /// Reads a printed schema.
    ///
    /// # Errors
    ///
    /// When the text is not a schema.
    pub fn from_sdl(sdl: &str) -> Result<Self, parser::Error> {
        let mut catalog = Self {
            types: HashMap::new(),
            inputs: HashMap::new(),
            directives: HashMap::new(),
            unsized_lists: Vec::new(),
            query: "Query".to_owned(),
            mutation: "Mutation".to_owned(),
            subscription: "Subscription".to_owned(),
        };
        let mut definitions = parse_schema(sdl)?.definitions;
        definitions.extend(parse_schema(INTROSPECTION)?.definitions);
        for definition in &definitions {
            match definition {
                TypeSystemDefinition::Type(definition) => catalog.declare(&definition.node),
                TypeSystemDefinition::Schema(schema) => {
                    let roots = [
                        (&mut catalog.query, &schema.node.query),
                        (&mut catalog.mutation, &schema.node.mutation),
                        (&mut catalog.subscription, &schema.node.subscription),
                    ];
                    for (name, root) in roots {
                        if let Some(root) = root {
                            *name = root.node.to_string();
                        }
                    }
                }
                TypeSystemDefinition::Directive(directive) => {
                    let directive = &directive.node;
                    let arguments = slots(&directive.arguments);
                    catalog
                        .directives
                        .insert(directive.name.node.to_string(), arguments);
                }
            }
        }
        // Fields are priced only now, when it is known which names are composite.
        for definition in &definitions {
            if let TypeSystemDefinition::Type(definition) = definition {
                catalog.price(&definition.node);
            }
        }
        Ok(catalog)
    }

    /// The composite type of that name; `None` for scalars, enums and unknown names.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&TypeCost> {
        self.types.get(name)
    }

    /// The type of values of that name; `None` for what is no input.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<&InputKind> {
        self.inputs.get(name)
    }

    /// The names of all types of values that a schema declares.
    pub fn input_names(&self) -> impl Iterator<Item = &str> {
        self.inputs.keys().map(String::as_str)
    }

    /// The names of all composite types.
    pub fn type_names(&self) -> impl Iterator<Item = &str> {
        self.types.keys().map(String::as_str)
    }

    /// The arguments of the directive of that name.
    #[must_use]
    pub fn directive(&self, name: &str) -> Option<&HashMap<String, Slot>> {
        self.directives.get(name)
    }

    /// `Type.field` of every plain list of objects that declares no size.
    #[must_use]
    pub fn unsized_lists(&self) -> &[String] {
        &self.unsized_lists
    }

    fn declare(&mut self, definition: &TypeDefinition) {
        if fields_of(&definition.kind).is_some() {
            let name = definition.name.node.to_string();
            let connection = name.ends_with("Connection");
            self.types.entry(name).or_default().connection = connection;
        } else if let Some(input) = input_of(definition) {
            self.inputs.insert(definition.name.node.to_string(), input);
        }
    }

    fn price(&mut self, definition: &TypeDefinition) {
        let owner = definition.name.node.as_str();
        for field in fields_of(&definition.kind)
            .into_iter()
            .flatten()
            .map(|field| &field.node)
        {
            let (target, list) = unwrap(&field.ty.node);
            let shape = self.shape(owner, field, target, list);
            let cost = FieldCost {
                target: target.to_owned(),
                shape,
                weight: declared(field, "cost", "weight").and_then(number),
                slicing: declared(field, "listSize", "slicingArguments")
                    .map_or_else(Vec::new, names),
                arguments: slots(&field.arguments),
            };
            if let Some(known) = self.types.get_mut(owner) {
                known.fields.insert(field.name.node.to_string(), cost);
            }
        }
    }

    fn shape(&mut self, owner: &str, field: &FieldDefinition, target: &str, list: bool) -> Shape {
        let Some(known) = self.types.get(target) else {
            return Shape::Leaf;
        };
        match (list, known.connection) {
            (false, true) => Shape::Connection,
            (false, false) => Shape::Object,
            (true, _) => {
                let size = declared(field, "listSize", "assumedSize").and_then(number);
                let paged = self.types.get(owner).is_some_and(|owner| owner.connection);
                if size.is_none() && !paged {
                    self.unsized_lists
                        .push(format!("{owner}.{}", field.name.node));
                }
                Shape::List(size.unwrap_or(DEFAULT_LIST_SIZE))
            }
        }
    }
}

type Fields = [async_graphql::Positioned<FieldDefinition>];

fn fields_of(kind: &TypeKind) -> Option<&Fields> {
    match kind {
        TypeKind::Object(object) => Some(&object.fields),
        TypeKind::Interface(interface) => Some(&interface.fields),
        TypeKind::Union(_) => Some(&[]),
        TypeKind::Scalar | TypeKind::Enum(_) | TypeKind::InputObject(_) => None,
    }
}

fn input_of(definition: &TypeDefinition) -> Option<InputKind> {
    match &definition.kind {
        TypeKind::Scalar => {
            let description = definition.description.as_ref();
            Some(InputKind::Scalar(
                description.map_or_else(String::new, |text| text.node.clone()),
            ))
        }
        TypeKind::Enum(values) => {
            let names = values
                .values
                .iter()
                .map(|value| value.node.value.node.to_string());
            Some(InputKind::Enum(names.collect()))
        }
        TypeKind::InputObject(input) => Some(InputKind::Object {
            fields: slots(&input.fields),
            one_of: definition
                .directives
                .iter()
                .any(|directive| directive.node.name.node == "oneOf"),
        }),
        TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_) => None,
    }
}

fn slots(definitions: &[async_graphql::Positioned<InputValueDefinition>]) -> HashMap<String, Slot> {
    let slot = |definition: &InputValueDefinition| Slot {
        ty: definition.ty.node.clone(),
        default: definition.default_value.is_some(),
    };
    definitions
        .iter()
        .map(|definition| {
            (
                definition.node.name.node.to_string(),
                slot(&definition.node),
            )
        })
        .collect()
}

fn unwrap(mut ty: &Type) -> (&str, bool) {
    let mut list = false;
    loop {
        match &ty.base {
            BaseType::Named(name) => return (name, list),
            BaseType::List(inner) => {
                list = true;
                ty = inner;
            }
        }
    }
}

/// An argument of a directive on a field of the schema.
fn declared<'a>(
    field: &'a FieldDefinition,
    directive: &str,
    argument: &str,
) -> Option<&'a ConstValue> {
    let mut found = field.directives.iter().map(|found| &found.node);
    let found = found.find(|found| found.name.node == directive)?;
    Some(&found.get_argument(argument)?.node)
}

fn number(value: &ConstValue) -> Option<u64> {
    match value {
        ConstValue::Number(number) => number.as_u64(),
        ConstValue::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn names(value: &ConstValue) -> Vec<String> {
    let ConstValue::List(items) = value else {
        return Vec::new();
    };
    let text = |item: &ConstValue| match item {
        ConstValue::String(text) => Some(text.clone()),
        _ => None,
    };
    items.iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDL: &str = r#"
        type Query { deals(first: Int): DealConnection! deal: Deal tags: [Tag!]! @listSize(assumedSize: 7)
          "At most 1,000." loose: [Tag] text: String @cost(weight: "40") }
        type DealConnection { edges: [DealEdge!]! nodes: [Deal!]! totalCount: Int! }
        type DealEdge { node: Deal! } type Deal { id: ID! stages: [Stage!]! } enum Stage { OPEN }
        type Tag { name: String } schema { query: Query }"#;

    #[test]
    fn fields_are_leaves_objects_lists_or_connections() {
        let catalog = Catalog::from_sdl(SDL).unwrap();
        let shape =
            |owner: &str, field: &str| catalog.get(owner).unwrap().field(field).unwrap().shape;
        assert_eq!(shape("Query", "deals"), Shape::Connection);
        assert_eq!(shape("Query", "deal"), Shape::Object);
        assert_eq!(shape("Query", "tags"), Shape::List(7));
        assert_eq!(shape("Query", "loose"), Shape::List(DEFAULT_LIST_SIZE));
        assert_eq!(shape("Deal", "stages"), Shape::Leaf);
    }

    #[test]
    fn a_list_without_a_declared_size_can_be_found() {
        assert_eq!(
            Catalog::from_sdl(SDL).unwrap().unsized_lists(),
            ["Query.loose"]
        );
    }
}
