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
    Limits, Words,
    catalog::{Catalog, InputKind, Slot},
    wording::{self, Fault},
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
    words: Words,
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
        words,
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
    words: Words,
    document: &'a ExecutableDocument,
    declared: HashMap<&'a str, Declared<'a>>,
    /// Fragments that were checked already.
    seen: HashSet<&'a str>,
    used: usize,
}

impl<'a> Values<'a> {
    fn declare(
        &self,
        definition: &'a Positioned<VariableDefinition>,
        variables: &Variables,
    ) -> Result<Declared<'a>, Refusal> {
        let (name, ty) = (&definition.node.name.node, &definition.node.var_type.node);
        let bad =
            |message: String| Err(Refusal::new(Cause::BadUserInput, message).at(definition.pos));
        let type_name = named(ty);
        if self.catalog.input(type_name).is_none() && !BUILT_IN.contains(&type_name) {
            let known = self.catalog.input_names().chain(BUILT_IN);
            let message = self.words.unknown_type(type_name, known);
            return Err(Refusal::new(Cause::ValidationFailed, message).at(definition.pos));
        }
        let wrong = |what: &str, value: &ConstValue, (path, fault): (Vec<String>, Fault)| {
            let place = path
                .iter()
                .fold(name.to_string(), |place, part| format!("{place}.{part}"));
            let whole: Vec<String> = std::iter::once(name.to_string())
                .chain(path.clone())
                .collect();
            let (value, fault) = wording::told(&whole, Some(value_at(value, &path)), fault);
            let at = if path.is_empty() {
                String::new()
            } else {
                format!(" at \"{place}\"")
            };
            bad(format!(
                "{what} \"${name}\" got invalid value {value}{at}; {}",
                self.words.fault(fault)
            ))
        };
        let default = definition.node.default_value.as_ref();
        if let Some(default) = default
            && let Err(fault) = self.takes(ty, &default.node, false)
        {
            return wrong("The default of variable", &default.node, fault);
        }
        let given = variables.get(name);
        if !ty.nullable && given.is_none() && default.is_none() {
            return bad(format!(
                "Variable \"${name}\" of required type \"{ty}\" was not provided."
            ));
        }
        if !ty.nullable && given == Some(&ConstValue::Null) {
            return bad(format!(
                "Variable \"${name}\" of non-null type \"{ty}\" must not be null."
            ));
        }
        if let Some(value) = given
            && let Err(fault) = self.takes(ty, value, true)
        {
            return wrong("Variable", value, fault);
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
                    self.idempotency(parent, &field.name.node, &field.directives)?;
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
                    if let Some(on) = on {
                        self.condition(&on.node.on)?;
                    }
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
                        self.condition(&fragment.type_condition.node.on)?;
                        let on = fragment.type_condition.node.on.node.as_str();
                        self.selection(on, &fragment.selection_set)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A key anywhere but on a mutation that keeps keys would have no effect.
    fn idempotency(
        &self,
        parent: &str,
        field: &str,
        directives: &[Positioned<Directive>],
    ) -> Result<(), Refusal> {
        let mut found = directives.iter();
        let Some(found) = found.find(|directive| directive.node.name.node == "idempotent") else {
            return Ok(());
        };
        let message = if parent != self.catalog.mutation {
            "Directive \"@idempotent\" is only allowed on the root fields of a mutation.".to_owned()
        } else if self.limits.keyless.contains(field) {
            format!(
                "Directive \"@idempotent\" is not allowed on \"{field}\": tokens and passwords are not kept."
            )
        } else {
            return Ok(());
        };
        Err(Refusal::new(Cause::ValidationFailed, message).at(found.pos))
    }

    /// The type of a fragment must be one of the schema.
    fn condition(&self, on: &Positioned<Name>) -> Result<(), Refusal> {
        let name = on.node.as_str();
        if self.catalog.get(name).is_some() {
            return Ok(());
        }
        let message = self.words.unknown_type(name, self.catalog.type_names());
        Err(Refusal::new(Cause::ValidationFailed, message).at(on.pos))
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
                let message = format!("There can be only one argument named \"{name}\".");
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
                    let owner = named(&slot.ty);
                    shape(owner, slots, *one_of, fields.keys(), given)
                        .map_err(|fault| self.refuse(path, value, fault, at))?;
                    if *one_of && fields.values().any(|value| *value == Value::Null) {
                        return Err(self.refuse(path, value, wording::one_of(owner), at));
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
                let inner = value_at(&constant, &below).clone().into_value();
                path.extend(below);
                self.refuse(path, &inner, fault, at)
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
                "Large variables are used in too many places.",
            )
            .at(at));
        }
        let defaulted = declared.default || slot.default;
        if !fits(declared.ty, &slot.ty, defaulted) {
            let message = format!(
                "Variable \"${name}\" of type \"{}\" used in position expecting type \"{}\".",
                declared.ty, slot.ty
            );
            return Err(Refusal::new(Cause::ValidationFailed, message).at(at));
        }
        if declared.null && !slot.ty.nullable {
            return Err(self.refuse(path, &Value::Null, wording::null(&slot.ty), at));
        }
        Ok(())
    }

    fn refuse(&self, path: &[String], value: &Value, fault: Fault, at: Pos) -> Refusal {
        let argument = path.first().map_or("", String::as_str);
        let constant = value.clone().into_const();
        let (value, fault) = wording::told(path, constant.as_ref(), fault);
        let place = if path.len() > 1 {
            format!(" at \"{}\"", path.join("."))
        } else {
            String::new()
        };
        let fault = self.words.fault(fault);
        let message = format!("Argument \"{argument}\" got invalid value {value}{place}; {fault}");
        Refusal::new(Cause::BadUserInput, message).at(at)
    }

    /// A value without variables; `json` says that it came as JSON, where enum values are text. An error comes with the
    /// path below the value.
    fn takes(&self, ty: &Type, value: &ConstValue, json: bool) -> Result<(), (Vec<String>, Fault)> {
        let here = |fault: Fault| Err((Vec::new(), fault));
        let below = |place: &dyn std::fmt::Display| {
            let place = place.to_string();
            move |(mut path, fault): (Vec<String>, Fault)| {
                path.insert(0, place);
                (path, fault)
            }
        };
        if *value == ConstValue::Null {
            return if ty.nullable {
                Ok(())
            } else {
                here(wording::null(ty))
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
            return here(Fault::new("A text must not contain U+0000."));
        }
        match (self.catalog.input(name), value) {
            (Some(InputKind::Object { fields, one_of }), ConstValue::Object(given)) => {
                shape(name, fields, *one_of, given.keys(), |name| {
                    given.contains_key(name)
                })
                .map_err(|fault| (Vec::new(), fault))?;
                if *one_of && given.values().any(|value| *value == ConstValue::Null) {
                    return here(wording::one_of(name));
                }
                given
                    .iter()
                    .try_for_each(|(name, value)| match fields.get(name.as_str()) {
                        Some(slot) => self.takes(&slot.ty, value, json).map_err(below(name)),
                        None => Ok(()),
                    })
            }
            (Some(InputKind::Enum(names)), ConstValue::Enum(given))
                if names.iter().any(|name| name == given.as_str()) =>
            {
                Ok(())
            }
            (Some(InputKind::Enum(names)), ConstValue::String(given))
                if json && names.contains(given) =>
            {
                Ok(())
            }
            (Some(InputKind::Enum(names)), value) => {
                here(wording::choice(name, value, names, json))
            }
            (Some(InputKind::Object { .. }), _) => here(wording::object(name)),
            (Some(InputKind::Scalar(description)), value) => {
                if scalar(name, value) {
                    Ok(())
                } else {
                    here(wording::scalar(name, value, description))
                }
            }
            (None, value) => {
                if scalar(name, value) {
                    Ok(())
                } else {
                    here(wording::scalar(name, value, ""))
                }
            }
        }
    }
}

/// The scalars that a printed schema does not declare.
const BUILT_IN: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

/// The part of a value that a path leads to.
fn value_at<'v>(value: &'v ConstValue, path: &[String]) -> &'v ConstValue {
    path.iter().fold(value, |value, part| match value {
        ConstValue::Object(fields) => fields.get(part.as_str()).unwrap_or(&ConstValue::Null),
        ConstValue::List(items) => part
            .parse::<usize>()
            .ok()
            .and_then(|place| items.get(place))
            .unwrap_or(&ConstValue::Null),
        other => other,
    })
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
    owner: &str,
    slots: &HashMap<String, Slot>,
    one_of: bool,
    names: impl ExactSizeIterator<Item = &'k Name>,
    given: impl Fn(&str) -> bool,
) -> Result<(), Fault> {
    if one_of && names.len() != 1 {
        return Err(wording::one_of(owner));
    }
    for name in names {
        if !slots.contains_key(name.as_str()) {
            return Err(wording::unknown_field(owner, name, slots.keys()));
        }
    }
    let missing = slots
        .iter()
        .filter(|(name, slot)| !slot.ty.nullable && !slot.default && !given(name))
        .min_by_key(|(name, _)| name.as_str());
    match missing {
        Some((name, slot)) => Err(Fault::new(format!(
            "Field \"{owner}.{name}\" of required type \"{}\" was not provided.",
            slot.ty
        ))),
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
