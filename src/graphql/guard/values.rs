//! Holds every value of an operation to the type of its place, before anything runs.
//!
//! The library checks much of this itself, but not all: a variable of another type passes, an argument with an omitted
//! variable in it is not looked at, an `Int` beyond 32 bits and a number for an input object are only noticed when their
//! field is reached. The first mutation of a request would then have run before the second one's fault is seen.
//! A variable's value is checked once, however often the variable is used. All errors are reported together, up to the
//! limit of one response.

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
    catalog::{Catalog, InputKind, Slot, named},
    wording::{self, Fault},
};
use crate::{
    error::place,
    graphql::{
        refusal::{Cause, MOST_ERRORS, Refusal},
        scalars,
    },
};

/// Checks the values of one operation.
///
/// # Errors
///
/// All errors in document order, up to the limit of one response: `BAD_USER_INPUT` for an invalid value,
/// `GRAPHQL_VALIDATION_FAILED` for a variable of the wrong type and a duplicate argument. `TOO_COMPLEX` alone for too
/// many or too large variables.
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
        refusals: Vec::new(),
    };
    match values.operation(operation, variables) {
        Ok(()) | Err(Stop::Enough) => match Refusal::all(values.refusals) {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        },
        Err(Stop::Refused(refusal)) => Err(refusal),
    }
}

/// Why the check ends before the end of the document.
enum Stop {
    /// The limit of errors in one response is reached.
    Enough,
    /// This error is reported alone.
    Refused(Refusal),
}

type Checked = Result<(), Stop>;

/// An invalid part of a value: its path within the value, the part itself, and the error.
type Found = (Vec<String>, Fault);

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
    refusals: Vec<Refusal>,
}

impl<'a> Values<'a> {
    fn operation(&mut self, operation: &'a OperationDefinition, variables: &Variables) -> Checked {
        for definition in &operation.variable_definitions {
            if let Some(declared) = self.declare(definition, variables)? {
                let name = definition.node.name.node.as_str();
                self.declared.insert(name, declared);
            }
        }
        for definition in &operation.variable_definitions {
            self.no_directives(&definition.node.directives)?;
        }
        self.directives(&operation.directives)?;
        let catalog = self.catalog;
        let root = match operation.ty {
            OperationType::Query => &catalog.query,
            OperationType::Mutation => &catalog.mutation,
            OperationType::Subscription => &catalog.subscription,
        };
        self.selection(root, &operation.selection_set)
    }

    /// Records an error; fails when the limit is reached.
    fn report(&mut self, cause: Cause, message: String, at: Pos) -> Checked {
        self.refusals.push(Refusal::new(cause, message).at(at));
        // One more than the limit, so that the response says that there are more.
        if self.refusals.len() > MOST_ERRORS {
            return Err(Stop::Enough);
        }
        Ok(())
    }

    fn invalid(&mut self, message: String, at: Pos) -> Checked {
        self.report(Cause::ValidationFailed, message, at)
    }

    /// A variable; nothing when its type does not exist.
    fn declare(
        &mut self,
        definition: &'a Positioned<VariableDefinition>,
        variables: &Variables,
    ) -> Result<Option<Declared<'a>>, Stop> {
        let (name, ty) = (&definition.node.name.node, &definition.node.var_type.node);
        let at = definition.pos;
        let type_name = named(ty);
        if self.catalog.input(type_name).is_none() && !BUILT_IN.contains(&type_name) {
            let known = self.catalog.input_names().chain(BUILT_IN);
            let message = self.words.unknown_type(type_name, known);
            self.invalid(message, at)?;
            return Ok(None);
        }
        let default = definition.node.default_value.as_ref();
        if let Some(default) = default {
            let what = format!("The default of variable \"${name}\"");
            self.constant(&what, name, ty, &default.node, false, at)?;
        }
        let given = variables.get(name);
        if !ty.nullable && given.is_none() && default.is_none() {
            let message =
                format!("Variable \"${name}\" of required type \"{ty}\" was not provided.");
            self.report(Cause::BadUserInput, message, at)?;
        } else if !ty.nullable && given == Some(&ConstValue::Null) {
            let message =
                format!("Variable \"${name}\" of non-null type \"{ty}\" must not be null.");
            self.report(Cause::BadUserInput, message, at)?;
        } else if let Some(value) = given {
            let what = format!("Variable \"${name}\"");
            self.constant(&what, name, ty, value, true, at)?;
        }
        Ok(Some(Declared {
            ty,
            default: default.is_some_and(|default| default.node != ConstValue::Null),
            given: given.is_some() || default.is_some(),
            null: ty.nullable && given == Some(&ConstValue::Null),
            size: given.map_or(1, size),
        }))
    }

    /// Reports the errors in a value without variables. `what` is its name in messages; its path begins with `name`.
    fn constant(
        &mut self,
        what: &str,
        name: &str,
        ty: &Type,
        value: &ConstValue,
        json: bool,
        at: Pos,
    ) -> Checked {
        let mut found = Vec::new();
        self.takes(ty, value, json, &mut vec![name.to_owned()], &mut found);
        for (path, fault) in found {
            let (inner, ty) = self.part(value, ty, path.get(1..).unwrap_or_default());
            let inner = inner.clone().into_value();
            let message = self.wrong(what, &path, &inner, ty, fault);
            self.report(Cause::BadUserInput, message, at)?;
        }
        Ok(())
    }

    /// The message for an invalid value.
    fn wrong(
        &self,
        what: &str,
        path: &[String],
        value: &Value,
        ty: Option<&str>,
        fault: Fault,
    ) -> String {
        let (value, fault) = wording::told(self.catalog, path, value, ty, fault);
        let place = if path.len() > 1 {
            format!(" at \"{}\"", place(path))
        } else {
            String::new()
        };
        let fault = self.words.fault(fault);
        format!("{what} got invalid value {value}{place}; {fault}")
    }

    /// The part of a value that a path leads to, and the name of its type.
    fn part<'v>(
        &'v self,
        value: &'v ConstValue,
        ty: &'v Type,
        path: &[String],
    ) -> (&'v ConstValue, Option<&'v str>) {
        let whole = (value, Some(named(ty)));
        path.iter().fold(whole, |(value, ty), part| match value {
            ConstValue::Object(fields) => (
                fields.get(part.as_str()).unwrap_or(&ConstValue::Null),
                match ty.and_then(|ty| self.catalog.input(ty)) {
                    Some(InputKind::Object { fields, .. }) => {
                        fields.get(part).map(|slot| named(&slot.ty))
                    }
                    _ => None,
                },
            ),
            ConstValue::List(items) => {
                let item = part.parse::<usize>().ok();
                let item = item.and_then(|item| items.get(item));
                (item.unwrap_or(&ConstValue::Null), ty)
            }
            other => (other, ty),
        })
    }

    fn selection(&mut self, parent: &str, set: &'a Positioned<SelectionSet>) -> Checked {
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
        &mut self,
        parent: &str,
        field: &str,
        directives: &[Positioned<Directive>],
    ) -> Checked {
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
        self.invalid(message, found.pos)
    }

    /// The type of a fragment must be one of the schema.
    fn condition(&mut self, on: &Positioned<Name>) -> Checked {
        let name = on.node.as_str();
        if self.catalog.get(name).is_some() {
            return Ok(());
        }
        let message = self.words.unknown_type(name, self.catalog.type_names());
        self.invalid(message, on.pos)
    }

    /// No directive of the schema is allowed on a variable definition, and the library does not check this.
    fn no_directives(&mut self, directives: &[Positioned<Directive>]) -> Checked {
        for directive in directives {
            let name = directive.node.name.node.as_str();
            let message = match self.catalog.directive(name) {
                Some(_) => format!("Directive \"@{name}\" may not be used on VARIABLE_DEFINITION."),
                None => format!("Unknown directive \"@{name}\"."),
            };
            self.invalid(message, directive.pos)?;
        }
        Ok(())
    }

    fn directives(&mut self, directives: &'a [Positioned<Directive>]) -> Checked {
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
    ) -> Checked {
        let mut names = HashSet::new();
        for (name, value) in given {
            let at = name.pos;
            let name = name.node.as_str();
            if !names.insert(name) {
                let message = format!("There can be only one argument named \"{name}\".");
                self.invalid(message, at)?;
            } else if let Some(slot) = slots.get(name) {
                // The library reports missing arguments.
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
    ) -> Checked {
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
                let owner = named(&slot.ty);
                if let Some(InputKind::Object {
                    fields: slots,
                    one_of,
                }) = self.catalog.input(owner)
                {
                    let given = |name: &str| match fields.get(name) {
                        Some(Value::Variable(variable)) => self.given(variable),
                        given => given.is_some(),
                    };
                    let null = |name: &str| fields.get(name) == Some(&Value::Null);
                    for fault in shape(owner, slots, *one_of, fields.keys(), given, null) {
                        self.refuse(path, value, Some(owner), fault, at)?;
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
        let mut found = Vec::new();
        self.takes(&slot.ty, &constant, false, path, &mut found);
        for (whole, fault) in found {
            let below = whole.get(path.len()..).unwrap_or_default();
            let (inner, ty) = self.part(&constant, &slot.ty, below);
            let (inner, ty) = (inner.clone().into_value(), ty.map(str::to_owned));
            self.refuse(&whole, &inner, ty.as_deref(), fault, at)?;
        }
        Ok(())
    }

    /// Whether a variable in a field of an input leads to a value there.
    fn given(&self, name: &str) -> bool {
        self.declared
            .get(name)
            .is_none_or(|declared| declared.given)
    }

    fn variable(&mut self, slot: &Slot, name: &str, path: &[String], at: Pos) -> Checked {
        // A variable that is not declared is the library's to report.
        let Some(declared) = self.declared.get(name) else {
            return Ok(());
        };
        self.used = self.used.saturating_add(declared.size);
        if self.used > self.limits.values_used {
            let message = "Large variables are used in too many places.";
            return Err(Stop::Refused(
                Refusal::new(Cause::TooComplex, message).at(at),
            ));
        }
        let defaulted = declared.default || slot.default;
        if !fits(declared.ty, &slot.ty, defaulted) {
            let message = format!(
                "Variable \"${name}\" of type \"{}\" used in position expecting type \"{}\".",
                declared.ty, slot.ty
            );
            return self.invalid(message, at);
        }
        if declared.null && !slot.ty.nullable {
            let fault = wording::null(&slot.ty, false);
            return self.refuse(path, &Value::Null, None, fault, at);
        }
        Ok(())
    }

    fn refuse(
        &mut self,
        path: &[String],
        value: &Value,
        ty: Option<&str>,
        fault: Fault,
        at: Pos,
    ) -> Checked {
        let argument = path.first().map_or("", String::as_str);
        let what = format!("Argument \"{argument}\"");
        let message = self.wrong(&what, path, value, ty, fault);
        self.report(Cause::BadUserInput, message, at)
    }

    /// Finds the errors in a value without variables, up to the limit of one response. `json`: the value came as JSON,
    /// where enum values are strings.
    fn takes(
        &self,
        ty: &Type,
        value: &ConstValue,
        json: bool,
        path: &mut Vec<String>,
        found: &mut Vec<Found>,
    ) {
        if found.len() > MOST_ERRORS {
            return;
        }
        if *value == ConstValue::Null {
            if !ty.nullable {
                found.push((path.clone(), wording::null(ty, json)));
            }
            return;
        }
        let name = match (&ty.base, value) {
            (BaseType::List(inner), ConstValue::List(items)) => {
                for (place, item) in items.iter().enumerate() {
                    path.push(place.to_string());
                    self.takes(inner, item, json, path, found);
                    path.pop();
                }
                return;
            }
            (BaseType::List(inner), single) => return self.takes(inner, single, json, path, found),
            (BaseType::Named(name), _) => name.as_str(),
        };
        if let (Some(InputKind::Object { fields, one_of }), ConstValue::Object(given)) =
            (self.catalog.input(name), value)
        {
            let is_given = |name: &str| given.contains_key(name);
            let is_null = |name: &str| given.get(name) == Some(&ConstValue::Null);
            let faults = shape(name, fields, *one_of, given.keys(), is_given, is_null);
            found.extend(faults.into_iter().map(|fault| (path.clone(), fault)));
            for (name, value) in given {
                if let Some(slot) = fields.get(name.as_str()) {
                    path.push(name.to_string());
                    self.takes(&slot.ty, value, json, path, found);
                    path.pop();
                }
            }
            return;
        }
        if let Some(fault) = self.leaf(name, value, json) {
            found.push((path.clone(), fault));
        }
    }

    /// The error in a scalar or enum value, or in a value where one is expected.
    fn leaf(&self, name: &str, value: &ConstValue, json: bool) -> Option<Fault> {
        // PostgreSQL cannot hold it, so no text may have it. An id with it is one that nothing has.
        if let ("String", ConstValue::String(text)) = (name, value)
            && text.contains('\0')
        {
            return Some(Fault::new("A text must not contain U+0000."));
        }
        match (self.catalog.input(name), value) {
            (Some(InputKind::Enum(names)), ConstValue::Enum(given))
                if names.iter().any(|name| name == given.as_str()) =>
            {
                None
            }
            (Some(InputKind::Enum(names)), ConstValue::String(given))
                if json && names.contains(given) =>
            {
                None
            }
            (Some(InputKind::Enum(names)), value) => {
                Some(wording::choice(name, value, names, json))
            }
            (Some(InputKind::Object { .. }), _) => Some(wording::object(name)),
            (_, value) if scalar(name, value) => None,
            (Some(InputKind::Scalar(description)), value) => {
                Some(wording::scalar(name, value, description))
            }
            (None, value) => Some(wording::scalar(name, value, "")),
        }
    }
}

/// The scalars that a printed schema does not declare.
const BUILT_IN: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

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

/// The errors in the fields of an input object: unknown fields, missing required fields, and other than one field for a
/// OneOf input.
fn shape<'k>(
    owner: &str,
    slots: &HashMap<String, Slot>,
    one_of: bool,
    names: impl ExactSizeIterator<Item = &'k Name>,
    given: impl Fn(&str) -> bool,
    null: impl Fn(&str) -> bool,
) -> Vec<Fault> {
    let count = names.len();
    let mut faults = Vec::new();
    for name in names {
        if !slots.contains_key(name.as_str()) {
            faults.push(wording::unknown_field(owner, name, slots.keys()));
        } else if one_of && count == 1 && null(name) {
            faults.push(wording::null_one_of(name));
        }
        if faults.len() > MOST_ERRORS {
            return faults;
        }
    }
    let missing = slots
        .iter()
        .filter(|(name, slot)| !slot.ty.nullable && !slot.default && !given(name));
    let mut missing: Vec<_> = missing.collect();
    missing.sort_by_key(|(name, _)| name.as_str());
    faults.extend(missing.into_iter().map(|(name, slot)| {
        Fault::new(format!(
            "Field \"{owner}.{name}\" of required type \"{}\" was not provided.",
            slot.ty
        ))
    }));
    if one_of && count != 1 {
        faults.push(wording::one_of(owner));
    }
    faults
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
