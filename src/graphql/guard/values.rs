//! Holds every value of an operation to the type of its place, before anything runs.
//!
//! The library checks much of this itself, but not all: a variable of another type passes, an argument with an omitted
//! variable in it is not looked at, an `Int` beyond 32 bits and a number for an input object are only noticed when their
//! field is reached. The first mutation of a request would then have run before the second one's fault is seen.
//! A variable's value is checked once, however often the variable stands.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Pos, Positioned, Value as ConstValue, Variables,
    parser::types::{
        BaseType, Directive, ExecutableDocument, OperationDefinition, OperationType, Selection,
        SelectionSet, Type, VariableDefinition,
    },
};
use async_graphql_value::Value;

use super::{
    Limits,
    catalog::{Catalog, InputKind, Slot},
    shorten,
};
use crate::graphql::{
    refusal::{Cause, Refusal},
    scalars,
};

/// Checks the values of one operation.
///
/// # Errors
///
/// `BAD_USER_INPUT` for a value that its place does not take, `GRAPHQL_VALIDATION_FAILED` for a variable where its type
/// does not fit and an argument given twice, `TOO_COMPLEX` for too many or too large variables.
pub fn check(
    catalog: &Catalog,
    limits: &Limits,
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), Refusal> {
    let too_complex = |message: String| Err(Refusal::new(Cause::TooComplex, message));
    if operation.variable_definitions.len() > limits.variables {
        return too_complex(format!(
            "the operation has more than {} variables",
            limits.variables
        ));
    }
    let size = variables.values().map(size).fold(0, usize::saturating_add);
    if size > limits.values {
        return too_complex(format!(
            "the variables have a size of {size}, at most {} are allowed",
            limits.values
        ));
    }
    let mut values = Values {
        catalog,
        limits,
        document,
        declared: HashMap::new(),
        seen: HashSet::new(),
        used: 0,
    };
    for definition in &operation.variable_definitions {
        let declared = values.declare(definition, variables)?;
        values
            .declared
            .insert(definition.node.name.node.as_str(), declared);
    }
    for definition in &operation.variable_definitions {
        values.directives(&definition.node.directives)?;
    }
    values.directives(&operation.directives)?;
    let root = match operation.ty {
        OperationType::Query => &catalog.query,
        OperationType::Mutation => &catalog.mutation,
        OperationType::Subscription => &catalog.subscription,
    };
    values.selection(root, &operation.selection_set)
}

/// 1 for each value and for every 256 bytes of text.
fn size(value: &ConstValue) -> usize {
    match value {
        ConstValue::String(text) => 1 + text.len() / 256,
        ConstValue::List(items) => items.iter().map(size).fold(1, usize::saturating_add),
        ConstValue::Object(fields) => fields
            .iter()
            .map(|(name, value)| size(value).saturating_add(name.len() / 256))
            .fold(1, usize::saturating_add),
        _ => 1,
    }
}

/// A variable as its operation declares it.
struct Declared<'a> {
    ty: &'a Type,
    /// Whether it has a default that is not null.
    default: bool,
    /// Whether it has any value.
    given: bool,
    /// Whether null was given.
    null: bool,
    size: usize,
}

struct Values<'a> {
    catalog: &'a Catalog,
    limits: &'a Limits,
    document: &'a ExecutableDocument,
    declared: HashMap<&'a str, Declared<'a>>,
    /// Fragments that were checked already.
    seen: HashSet<&'a str>,
    used: usize,
}

/// What is wrong with a value, without its place.
type Fault = String;

impl<'a> Values<'a> {
    fn declare(
        &self,
        definition: &'a Positioned<VariableDefinition>,
        variables: &Variables,
    ) -> Result<Declared<'a>, Refusal> {
        let (name, ty) = (&definition.node.name.node, &definition.node.var_type.node);
        let bad =
            |message: String| Err(Refusal::new(Cause::BadUserInput, message).at(definition.pos));
        let default = definition.node.default_value.as_ref();
        if let Some(default) = default
            && let Err((path, fault)) = self.takes(ty, &default.node, false)
        {
            return bad(format!(
                "the default of variable \"${name}\"{path}: {fault}"
            ));
        }
        let given = variables.get(name);
        let missing = given.is_none() && default.is_none();
        if !ty.nullable && (missing || given == Some(&ConstValue::Null)) {
            return bad(format!("variable \"${name}\" of type \"{ty}\" is required"));
        }
        if let Some(value) = given
            && let Err((path, fault)) = self.takes(ty, value, true)
        {
            return bad(format!("variable \"${name}\"{path}: {fault}"));
        }
        Ok(Declared {
            ty,
            default: default.is_some_and(|default| default.node != ConstValue::Null),
            given: given.is_some() || default.is_some(),
            null: given == Some(&ConstValue::Null),
            size: given.map_or(1, size),
        })
    }

    fn selection(
        &mut self,
        parent: &str,
        set: &'a Positioned<SelectionSet>,
    ) -> Result<(), Refusal> {
        let catalog = self.catalog;
        for item in &set.node.items {
            self.directives(item.node.directives())?;
            match &item.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let known = catalog
                        .get(parent)
                        .and_then(|parent| parent.field(&field.name.node));
                    // A field that is not there is the library's to report.
                    if let Some(known) = known {
                        self.arguments(&field.arguments, &known.arguments)?;
                        self.selection(&known.target, &field.selection_set)?;
                    } else {
                        let target = match field.name.node.as_str() {
                            "__schema" => "__Schema",
                            "__type" => "__Type",
                            _ => "",
                        };
                        self.selection(target, &field.selection_set)?;
                    }
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let parent = on.map_or(parent, |on| on.node.on.node.as_str());
                    self.selection(parent, &inline.node.selection_set)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    let Some(fragment) = self.document.fragments.get(name) else {
                        continue;
                    };
                    if self.seen.insert(name) {
                        let fragment = &fragment.node;
                        self.directives(&fragment.directives)?;
                        let on = fragment.type_condition.node.on.node.as_str();
                        self.selection(on, &fragment.selection_set)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn directives(&mut self, directives: &'a [Positioned<Directive>]) -> Result<(), Refusal> {
        let catalog = self.catalog;
        for directive in directives {
            let directive = &directive.node;
            if let Some(slots) = catalog.directive(&directive.name.node) {
                self.arguments(&directive.arguments, slots)?;
            }
        }
        Ok(())
    }

    fn arguments(
        &mut self,
        given: &'a [(Positioned<Name>, Positioned<Value>)],
        slots: &'a HashMap<String, Slot>,
    ) -> Result<(), Refusal> {
        let mut names = HashSet::new();
        for (name, value) in given {
            let at = name.pos;
            let name = name.node.as_str();
            if !names.insert(name) {
                let message = format!("argument \"{name}\" is given twice");
                return Err(Refusal::new(Cause::ValidationFailed, message).at(at));
            }
            // An argument that is not there is the library's to report.
            if let Some(slot) = slots.get(name) {
                self.literal(slot, &value.node, &mut vec![name.to_owned()], at)?;
            }
        }
        Ok(())
    }

    /// A value as the document has it, variables in it or not.
    fn literal(
        &mut self,
        slot: &Slot,
        value: &'a Value,
        path: &mut Vec<String>,
        at: Pos,
    ) -> Result<(), Refusal> {
        match value {
            Value::Variable(name) => return self.variable(slot, name, path, at),
            Value::List(items) => {
                if let BaseType::List(inner) = &slot.ty.base {
                    let slot = Slot {
                        ty: inner.as_ref().clone(),
                        default: false,
                    };
                    for (place, item) in items.iter().enumerate() {
                        path.push(place.to_string());
                        self.literal(&slot, item, path, at)?;
                        path.pop();
                    }
                    return Ok(());
                }
            }
            Value::Object(fields) => {
                let kind = self.catalog.input(named(&slot.ty));
                if let Some(InputKind::Object {
                    fields: slots,
                    one_of,
                }) = kind
                {
                    let given = |name: &str| match fields.get(name) {
                        Some(Value::Variable(variable)) => self.given(variable),
                        given => given.is_some(),
                    };
                    shape(slots, *one_of, fields.keys(), given)
                        .map_err(|fault| refuse(path, &fault, at))?;
                    if *one_of && fields.values().any(|value| *value == Value::Null) {
                        return Err(refuse(path, "exactly one field must be given", at));
                    }
                    for (name, value) in fields {
                        if let Some(slot) = slots.get(name.as_str()) {
                            path.push(name.to_string());
                            self.literal(slot, value, path, at)?;
                            path.pop();
                        }
                    }
                    return Ok(());
                }
            }
            _ => {}
        }
        let Some(constant) = value.clone().into_const() else {
            return Ok(());
        };
        self.takes(&slot.ty, &constant, false)
            .map_err(|(below, fault)| {
                path.extend(below.strip_prefix('.').map(str::to_owned));
                refuse(path, &fault, at)
            })
    }

    /// Whether a variable in a field of an input leads to a value there.
    fn given(&self, name: &str) -> bool {
        self.declared
            .get(name)
            .is_none_or(|declared| declared.given)
    }

    fn variable(
        &mut self,
        slot: &Slot,
        name: &str,
        path: &[String],
        at: Pos,
    ) -> Result<(), Refusal> {
        // A variable that is not declared is the library's to report.
        let Some(declared) = self.declared.get(name) else {
            return Ok(());
        };
        self.used = self.used.saturating_add(declared.size);
        if self.used > self.limits.values_used {
            return Err(Refusal::new(
                Cause::TooComplex,
                "large variables stand in too many places",
            )
            .at(at));
        }
        let defaulted = declared.default || slot.default;
        if !fits(declared.ty, &slot.ty, defaulted) {
            let message = format!(
                "variable \"${name}\" of type \"{}\" stands where \"{}\" is expected",
                declared.ty, slot.ty
            );
            return Err(Refusal::new(Cause::ValidationFailed, message).at(at));
        }
        if declared.null && !slot.ty.nullable {
            return Err(refuse(path, "null is not taken here", at));
        }
        Ok(())
    }

    /// A value without variables; `json` says that it came as JSON, where enum values are text.
    fn takes(&self, ty: &Type, value: &ConstValue, json: bool) -> Result<(), (String, Fault)> {
        let here = |fault: Fault| Err((String::new(), fault));
        let below = |place: &dyn std::fmt::Display| {
            let place = place.to_string();
            move |(path, fault): (String, Fault)| (format!(".{place}{path}"), fault)
        };
        if *value == ConstValue::Null {
            return if ty.nullable {
                Ok(())
            } else {
                here(format!("expected type \"{ty}\", found null"))
            };
        }
        let name = match &ty.base {
            BaseType::List(inner) => {
                return match value {
                    ConstValue::List(items) => {
                        items.iter().enumerate().try_for_each(|(place, item)| {
                            self.takes(inner, item, json).map_err(below(&place))
                        })
                    }
                    single => self.takes(inner, single, json),
                };
            }
            BaseType::Named(name) => name.as_str(),
        };
        // PostgreSQL cannot hold it, so no text may have it. An id with it is one that nothing has.
        if let ("String", ConstValue::String(text)) = (name, value)
            && text.contains('\0')
        {
            return here("a text must not contain U+0000".to_owned());
        }
        let wrong = || here(format!("expected type \"{name}\""));
        match (self.catalog.input(name), value) {
            (Some(InputKind::Object { fields, one_of }), ConstValue::Object(given)) => {
                shape(fields, *one_of, given.keys(), |name| {
                    given.contains_key(name)
                })
                .map_err(|fault| (String::new(), fault))?;
                if *one_of && given.values().any(|value| *value == ConstValue::Null) {
                    return here("exactly one field must be given".to_owned());
                }
                given
                    .iter()
                    .try_for_each(|(name, value)| match fields.get(name.as_str()) {
                        Some(slot) => self.takes(&slot.ty, value, json).map_err(below(name)),
                        None => Ok(()),
                    })
            }
            (Some(InputKind::Enum(names)), ConstValue::Enum(given))
                if names.contains(given.as_str()) =>
            {
                Ok(())
            }
            (Some(InputKind::Enum(names)), ConstValue::String(given))
                if json && names.contains(given) =>
            {
                Ok(())
            }
            (Some(InputKind::Enum(_) | InputKind::Object { .. }), _) => wrong(),
            (Some(InputKind::Scalar) | None, value) => {
                if scalar(name, value) {
                    Ok(())
                } else {
                    wrong()
                }
            }
        }
    }
}

/// Whether a scalar takes a value; one that is not known takes any.
fn scalar(name: &str, value: &ConstValue) -> bool {
    match name {
        "Int" => matches!(value, ConstValue::Number(number)
            if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok())),
        "Float" => matches!(value, ConstValue::Number(number)
            if number.as_f64().is_some_and(f64::is_finite)),
        "String" => matches!(value, ConstValue::String(_)),
        "Boolean" => matches!(value, ConstValue::Boolean(_)),
        "ID" => match value {
            ConstValue::String(_) => true,
            ConstValue::Number(number) => number.is_i64() || number.is_u64(),
            _ => false,
        },
        name => scalars::takes(name, value).unwrap_or(true),
    }
}

/// The fields of an input: known, the necessary ones there, one of them where it must be one.
fn shape<'k>(
    slots: &HashMap<String, Slot>,
    one_of: bool,
    names: impl ExactSizeIterator<Item = &'k Name>,
    given: impl Fn(&str) -> bool,
) -> Result<(), Fault> {
    if one_of && names.len() != 1 {
        return Err("exactly one field must be given".to_owned());
    }
    for name in names {
        if !slots.contains_key(name.as_str()) {
            return Err(format!("there is no field \"{}\"", shorten(name)));
        }
    }
    let mut missing: Vec<&str> = slots
        .iter()
        .filter(|(name, slot)| !slot.ty.nullable && !slot.default && !given(name))
        .map(|(name, _)| name.as_str())
        .collect();
    missing.sort_unstable();
    match missing.first() {
        Some(name) => Err(format!("field \"{name}\" is required")),
        None => Ok(()),
    }
}

/// The name of a type, lists taken off.
fn named(ty: &Type) -> &str {
    let mut ty = ty;
    loop {
        match &ty.base {
            BaseType::Named(name) => return name,
            // A single value stands for a list of one.
            BaseType::List(inner) => ty = inner,
        }
    }
}

/// Whether values of one type may stand where another is expected; a default on either side takes the place of null.
fn fits(variable: &Type, place: &Type, defaulted: bool) -> bool {
    if !place.nullable && variable.nullable && !defaulted {
        return false;
    }
    match (&variable.base, &place.base) {
        (BaseType::Named(variable), BaseType::Named(place)) => variable == place,
        (BaseType::List(variable), BaseType::List(place)) => fits(variable, place, false),
        // A single value stands for a list of one only when it is written out.
        _ => false,
    }
}

fn refuse(path: &[String], fault: &str, at: Pos) -> Refusal {
    let message = format!("Invalid value for argument \"{}\": {fault}", path.join("."));
    Refusal::new(Cause::BadUserInput, message).at(at)
}
