//! Measures a document as if every fragment were written out, without writing it out: each fragment is measured once.
//!
//! All sums saturate, so that no document can wrap a counter around.

use std::{collections::HashMap, convert::Infallible};

use async_graphql::{
    Name, Pos, Positioned, Value, Variables,
    parser::types::{
        Directive, ExecutableDocument, Field, FragmentSpread, OperationDefinition, OperationType,
        Selection, SelectionSet, VariableDefinition,
    },
};

use super::{
    Limits, Words,
    catalog::{Catalog, Shape, TypeCost},
    price, wording,
};
use crate::graphql::refusal::{Cause, Refusal};

/// What a selection comes to, fragments written out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// Fields at this level.
    pub breadth: u64,
    /// Fields at all levels.
    pub fields: u64,
    /// Fields with an alias.
    pub aliases: u64,
    /// Levels of fields.
    pub depth: u64,
    /// Levels of fields and fragments: what whoever walks the document recurses.
    pub nesting: u64,
    /// Points, lists and pages multiplied.
    pub cost: u64,
    /// Points that each item of the enclosing page adds.
    pub per_item: u64,
    /// Objects of the schema's own description, weighed.
    pub introspection: u64,
}

impl Sums {
    fn join(self, other: Self) -> Self {
        Self {
            breadth: self.breadth.saturating_add(other.breadth),
            fields: self.fields.saturating_add(other.fields),
            aliases: self.aliases.saturating_add(other.aliases),
            depth: self.depth.max(other.depth),
            nesting: self.nesting.max(other.nesting),
            cost: self.cost.saturating_add(other.cost),
            per_item: self.per_item.saturating_add(other.per_item),
            introspection: self.introspection.saturating_add(other.introspection),
        }
    }
}

/// One walk over a document, for one set of variables.
pub struct Walk<'a> {
    catalog: &'a Catalog,
    limits: &'a Limits,
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    definitions: &'a [Positioned<VariableDefinition>],
    /// `None` while the fragment is being measured: meeting it again then is a cycle.
    fragments: HashMap<&'a str, Option<Sums>>,
    directives: usize,
}

impl<'a> Walk<'a> {
    /// A walk that knows these variables; without an operation's definitions, pages have their default size.
    pub fn new(
        catalog: &'a Catalog,
        limits: &'a Limits,
        document: &'a ExecutableDocument,
        variables: &'a Variables,
    ) -> Self {
        Self {
            catalog,
            limits,
            document,
            variables,
            definitions: &[],
            fragments: HashMap::new(),
            directives: 0,
        }
    }

    /// Measures every fragment, used or not, since the library's own checks will visit them all.
    pub fn fragments(&mut self) -> Result<(), Refusal> {
        for (name, fragment) in &self.document.fragments {
            self.fragment(name, fragment.pos, 0)?;
        }
        Ok(())
    }

    /// Measures one operation.
    pub fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Sums, Refusal> {
        self.definitions = &operation.variable_definitions;
        self.count(&operation.directives, operation.selection_set.pos)?;
        for definition in self.definitions {
            self.count(&definition.node.directives, definition.pos)?;
        }
        let root = match operation.ty {
            OperationType::Query => &self.catalog.query,
            OperationType::Mutation => &self.catalog.mutation,
            OperationType::Subscription => &self.catalog.subscription,
        };
        let scope = Scope {
            parent: self.catalog.get(root),
            mutation: operation.ty == OperationType::Mutation,
        };
        self.selection(&operation.selection_set, scope, 0)
    }

    fn selection(
        &mut self,
        set: &'a Positioned<SelectionSet>,
        scope: Scope<'a>,
        level: u64,
    ) -> Result<Sums, Refusal> {
        if level > self.limits.nesting {
            return Err(self.too_deep(set.pos));
        }
        let mut sums = Sums::default();
        for item in &set.node.items {
            self.count(item.node.directives(), item.pos)?;
            let part = match &item.node {
                Selection::Field(field) => self.field(field, scope, level)?,
                Selection::FragmentSpread(spread) => self.spread(spread, level)?,
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let scope = on.map_or(scope, |on| self.scope_on(&on.node.on.node));
                    nested(self.selection(&inline.node.selection_set, scope, level + 1)?)
                }
            };
            sums = sums.join(part);
            self.bound(&sums, item.pos)?;
        }
        Ok(sums)
    }

    fn spread(
        &mut self,
        spread: &'a Positioned<FragmentSpread>,
        level: u64,
    ) -> Result<Sums, Refusal> {
        Ok(nested(self.fragment(
            &spread.node.fragment_name.node,
            spread.pos,
            level + 1,
        )?))
    }

    fn fragment(&mut self, name: &'a Name, from: Pos, level: u64) -> Result<Sums, Refusal> {
        match self.fragments.get(name.as_str()) {
            Some(Some(sums)) => return Ok(*sums),
            Some(None) => {
                let message = format!("fragment \"{name}\" spreads itself");
                return Err(Refusal::new(Cause::ValidationFailed, message).at(from));
            }
            None => {}
        }
        // A fragment that is not there is the library's to report.
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Sums::default());
        };
        self.fragments.insert(name, None);
        self.count(&fragment.node.directives, fragment.pos)?;
        let scope = self.scope_on(&fragment.node.type_condition.node.on.node);
        let sums = self.selection(&fragment.node.selection_set, scope, level)?;
        self.fragments.insert(name, Some(sums));
        Ok(sums)
    }

    fn field(
        &mut self,
        field: &'a Positioned<Field>,
        scope: Scope<'a>,
        level: u64,
    ) -> Result<Sums, Refusal> {
        let name = field.node.name.node.as_str();
        let known = scope.parent.and_then(|parent| parent.field(name));
        let target = match name {
            "__schema" => Some("__Schema"),
            "__type" => Some("__Type"),
            _ => known.map(|known| known.target.as_str()),
        };
        let below = Scope {
            parent: target.and_then(|target| self.catalog.get(target)),
            mutation: false,
        };
        let child = self.selection(&field.node.selection_set, below, level + 1)?;
        let inside = child
            .cost
            .saturating_add(self.page(&field.node)?.saturating_mul(child.per_item));
        let mut sums = Sums {
            breadth: 1,
            fields: child.fields.saturating_add(1),
            aliases: child
                .aliases
                .saturating_add(u64::from(field.node.alias.is_some())),
            depth: child.depth + 1,
            nesting: child.nesting + 1,
            introspection: child.introspection,
            ..Sums::default()
        };
        let weight = known.and_then(|known| known.weight);
        let object = weight.unwrap_or(price::OBJECT).saturating_add(inside);
        let item = price::OBJECT.saturating_add(inside);
        let leaf = if field.node.selection_set.node.items.is_empty() {
            Shape::Leaf
        } else {
            Shape::Object
        };
        match known.map_or(leaf, |known| known.shape) {
            _ if matches!(name, "__schema" | "__type") => {
                sums.cost = price::INTROSPECTION;
                sums.introspection = sums.introspection.saturating_add(inside);
            }
            _ if scope.mutation && name != "__typename" => {
                sums.cost = weight.unwrap_or(price::MUTATION).saturating_add(inside)
            }
            Shape::Leaf => sums.cost = weight.unwrap_or(0),
            Shape::Object => sums.cost = object,
            // An edge only wraps its node; the page pays for each of them.
            Shape::List(_) if scope.paged() => {
                let edge = target.is_some_and(|target| target.ends_with("Edge"));
                sums.per_item = if edge { inside } else { item };
            }
            Shape::List(assumed) => {
                let slicing = known.map_or(&[][..], |known| &known.slicing);
                let items = self
                    .items(&field.node, assumed, slicing)
                    .saturating_mul(item);
                sums.cost = weight.unwrap_or(0).saturating_add(items);
            }
            Shape::Connection => {
                sums.cost = weight.unwrap_or(price::CONNECTION).saturating_add(inside);
            }
        }
        Ok(sums)
    }

    /// The size of the page a field asks for. Sizes over the maximum are the resolver's to refuse and count as the
    /// maximum; what is not even an `Int` is refused here, before anything multiplies it.
    fn page(&self, field: &Field) -> Result<u64, Refusal> {
        let mut page = None;
        for name in ["first", "last"] {
            let Some(argument) = field.get_argument(name) else {
                continue;
            };
            let Ok(value) = argument
                .node
                .clone()
                .into_const_with(|name| self.variable(&name));
            if let Value::Number(number) = &value {
                let Some(size) = number.as_i64().and_then(|size| i32::try_from(size).ok()) else {
                    let fault = Words::Open.fault(wording::scalar("Int", &value, ""));
                    let message =
                        format!("Argument \"{name}\" got invalid value {number}; {fault}");
                    return Err(Refusal::new(Cause::BadUserInput, message).at(argument.pos));
                };
                page = page.max(Some(u64::try_from(size).unwrap_or(0)));
            }
        }
        Ok(page.unwrap_or(self.limits.page).min(self.limits.page_max))
    }

    /// The size of a list: the assumed one, or that of a longer list argument that sets it.
    fn items(&self, field: &Field, assumed: u64, slicing: &[String]) -> u64 {
        let given = slicing.iter().filter_map(|name| {
            let argument = field.get_argument(name)?.node.clone();
            let Ok(value) = argument.into_const_with(|name| self.variable(&name));
            match value {
                Value::List(items) => u64::try_from(items.len()).ok(),
                _ => None,
            }
        });
        given.max().unwrap_or(assumed).max(assumed)
    }

    fn variable(&self, name: &Name) -> Result<Value, Infallible> {
        let given = self.variables.get(name);
        let default = || {
            let definition = self
                .definitions
                .iter()
                .find(|definition| definition.node.name.node == *name)?;
            Some(&definition.node.default_value.as_ref()?.node)
        };
        Ok(given.or_else(default).cloned().unwrap_or_default())
    }

    fn scope_on(&self, on: &str) -> Scope<'a> {
        Scope {
            parent: self.catalog.get(on),
            mutation: on == self.catalog.mutation,
        }
    }

    fn count(&mut self, directives: &[Positioned<Directive>], at: Pos) -> Result<(), Refusal> {
        self.directives = self.directives.saturating_add(directives.len());
        if directives.len() > self.limits.directives_each
            || self.directives > self.limits.directives
        {
            return Err(Refusal::new(Cause::TooComplex, "too many directives").at(at));
        }
        Ok(())
    }

    /// Checked after every part, so that a hostile document is refused at the first part that is too large.
    fn bound(&self, sums: &Sums, at: Pos) -> Result<(), Refusal> {
        let limits = self.limits;
        let checks = [
            (sums.fields, limits.fields, "fields, fragments written out"),
            (sums.aliases, limits.aliases, "aliases"),
            (sums.depth, limits.depth, "levels of fields"),
            (
                sums.introspection,
                limits.introspection,
                "points of introspection",
            ),
        ];
        for (value, limit, what) in checks {
            if value > limit {
                let message = format!("the document has more than {limit} {what}");
                return Err(Refusal::new(Cause::TooComplex, message).at(at));
            }
        }
        if sums.nesting > limits.nesting {
            Err(self.too_deep(at))
        } else {
            Ok(())
        }
    }

    fn too_deep(&self, at: Pos) -> Refusal {
        let message = format!(
            "fields and fragments nest deeper than {} levels",
            self.limits.nesting
        );
        Refusal::new(Cause::TooComplex, message).at(at)
    }
}

fn nested(sums: Sums) -> Sums {
    Sums {
        nesting: sums.nesting + 1,
        ..sums
    }
}

/// Where a selection stands: the type its fields belong to.
#[derive(Clone, Copy)]
struct Scope<'a> {
    parent: Option<&'a TypeCost>,
    mutation: bool,
}

impl Scope<'_> {
    fn paged(self) -> bool {
        self.parent.is_some_and(|parent| parent.connection)
    }
}
