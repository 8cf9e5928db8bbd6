//! The root of a mutation: each response key is executed once.
//!
//! The specification merges fields of one response key with the same name and arguments, and refuses others. The library
//! would execute every one of them, so what merges is written as one field before it runs.

use std::collections::HashSet;

use async_graphql::{
    Name, Positioned, Value as ConstValue, Variables,
    parser::types::{
        Directive, DocumentOperations, ExecutableDocument, Field, InlineFragment,
        OperationDefinition, Selection, SelectionSet,
    },
};
use async_graphql_value::Value;

use crate::graphql::refusal::{Cause, Refusal};

/// A field at the root, with what the fragments around it demand.
#[derive(Clone)]
pub struct Root<'a> {
    /// The field.
    pub field: &'a Positioned<Field>,
    /// The `@skip` and `@include` of each fragment around it, the outermost first.
    around: Vec<Vec<Positioned<Directive>>>,
}

/// The root fields, fragments written out; only called when they are known to be few.
pub fn roots<'a>(document: &'a ExecutableDocument, set: &'a SelectionSet) -> Vec<Root<'a>> {
    let mut roots = Vec::new();
    collect(document, set, &[], &mut roots);
    roots
}

fn collect<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    around: &[Vec<Positioned<Directive>>],
    roots: &mut Vec<Root<'a>>,
) {
    let within = |directives: &[Positioned<Directive>]| {
        let mut around = around.to_vec();
        around.push(conditions(directives).cloned().collect());
        around
    };
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => roots.push(Root {
                field,
                around: around.to_vec(),
            }),
            Selection::InlineFragment(inline) => {
                let inner = &inline.node.selection_set.node;
                collect(document, inner, &within(&inline.node.directives), roots);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    let inner = &fragment.node.selection_set.node;
                    collect(document, inner, &within(&spread.node.directives), roots);
                }
            }
        }
    }
}

/// Refuses root fields of one response key that do not merge.
///
/// # Errors
///
/// `GRAPHQL_VALIDATION_FAILED`.
pub fn check(roots: &[Root<'_>]) -> Result<(), Refusal> {
    for (place, root) in roots.iter().enumerate() {
        let key = &root.field.node.response_key().node;
        let earlier = roots[..place]
            .iter()
            .find(|earlier| earlier.field.node.response_key().node == *key);
        if let Some(earlier) = earlier
            && !merge(&earlier.field.node, &root.field.node)
        {
            let message = format!(
                "Fields \"{key}\" conflict because they have different names, arguments or directives. Use different \
                 aliases on the fields to execute both."
            );
            return Err(Refusal::new(Cause::ValidationFailed, message).at(root
                .field
                .node
                .name
                .pos));
        }
    }
    Ok(())
}

/// Whether two fields of one response key are one field of the answer.
fn merge(one: &Field, other: &Field) -> bool {
    let mut arguments: [Vec<_>; 2] = [one, other].map(|field| field.arguments.iter().collect());
    for arguments in &mut arguments {
        arguments.sort_by(|(one, _), (other, _)| one.node.cmp(&other.node));
    }
    let [one_arguments, other_arguments] = arguments;
    let others = |field: &Field| {
        let directives = field.directives.iter();
        let others = directives.filter(|directive| !is_condition(directive));
        others
            .map(|directive| {
                (
                    directive.node.name.clone(),
                    directive.node.arguments.clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    one.name == other.name && one_arguments == other_arguments && others(one) == others(other)
}

/// The document with the repeated root fields of one operation merged; nothing when no field is repeated.
#[must_use]
pub fn merged(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
) -> Option<ExecutableDocument> {
    let roots = roots(document, &operation.selection_set.node);
    let mut keys = HashSet::new();
    let repeated = !roots
        .iter()
        .all(|root| keys.insert(root.field.node.response_key().node.as_str()));
    if !repeated {
        return None;
    }
    let mut items: Vec<Positioned<Selection>> = Vec::new();
    let mut done = HashSet::new();
    for root in &roots {
        let key = root.field.node.response_key().node.as_str();
        if !done.insert(key) {
            continue;
        }
        let same = |root: &&Root<'_>| root.field.node.response_key().node.as_str() == key;
        let group: Vec<_> = roots.iter().filter(same).collect();
        let runs = group.iter().any(|root| root.runs(operation, variables));
        if group.len() == 1 || !runs {
            // Where none of them runs they keep their conditions, and so run as little as before.
            items.extend(group.iter().map(|root| root.wrapped(root.field.clone())));
            continue;
        }
        let mut field = root.field.clone();
        field
            .node
            .directives
            .retain(|directive| !is_condition(directive));
        field.node.selection_set.node.items = group.iter().flat_map(|root| root.below()).collect();
        let at = field.pos;
        items.push(Positioned::new(Selection::Field(field), at));
    }
    let mut operation = operation.clone();
    operation.selection_set.node.items = items;
    let mut kept = HashSet::new();
    spread(document, &operation.selection_set.node, &mut kept);
    let fragments = document.fragments.iter();
    let fragments = fragments
        .filter(|(name, _)| kept.contains(*name))
        .map(|(name, fragment)| (name.clone(), fragment.clone()))
        .collect();
    let operations = match &document.operations {
        DocumentOperations::Single(single) => {
            DocumentOperations::Single(Positioned::new(operation, single.pos))
        }
        DocumentOperations::Multiple(operations) => {
            let chosen = operations
                .iter()
                .find(|(_, known)| known.node.selection_set.pos == operation.selection_set.pos);
            let chosen = chosen
                .map(|(name, known)| (name.clone(), Positioned::new(operation.clone(), known.pos)));
            DocumentOperations::Multiple(chosen.into_iter().collect())
        }
    };
    Some(ExecutableDocument {
        operations,
        fragments,
    })
}

impl Root<'_> {
    /// The levels of conditions on the field, its own last.
    fn levels(&self) -> Vec<Vec<Positioned<Directive>>> {
        let mut levels = self.around.clone();
        levels.push(conditions(&self.field.node.directives).cloned().collect());
        levels.retain(|level| !level.is_empty());
        levels
    }

    fn runs(&self, operation: &OperationDefinition, variables: &Variables) -> bool {
        self.levels().iter().flatten().all(|condition| {
            let given = condition.node.get_argument("if");
            let value = given.map(|given| value(operation, variables, &given.node));
            let wanted = condition.node.name.node == "include";
            value == Some(ConstValue::Boolean(wanted))
        })
    }

    /// The field inside what the fragments around it demanded.
    fn wrapped(&self, field: Positioned<Field>) -> Positioned<Selection> {
        let at = field.pos;
        let around = self.around.iter().filter(|level| !level.is_empty());
        around.rev().fold(
            Positioned::new(Selection::Field(field), at),
            |inner, level| conditional(vec![inner], level),
        )
    }

    /// What is selected below the field, under the conditions on it.
    fn below(&self) -> Vec<Positioned<Selection>> {
        let items = self.field.node.selection_set.node.items.clone();
        if items.is_empty() {
            return items;
        }
        self.levels()
            .iter()
            .rev()
            .fold(items, |inner, level| vec![conditional(inner, level)])
    }
}

fn conditional(
    items: Vec<Positioned<Selection>>,
    conditions: &[Positioned<Directive>],
) -> Positioned<Selection> {
    let at = items.first().map(|item| item.pos).unwrap_or_default();
    let inline = InlineFragment {
        type_condition: None,
        directives: conditions.to_vec(),
        selection_set: Positioned::new(SelectionSet { items }, at),
    };
    Positioned::new(Selection::InlineFragment(Positioned::new(inline, at)), at)
}

fn is_condition(directive: &Positioned<Directive>) -> bool {
    matches!(directive.node.name.node.as_str(), "skip" | "include")
}

fn conditions(
    directives: &[Positioned<Directive>],
) -> impl Iterator<Item = &Positioned<Directive>> {
    directives
        .iter()
        .filter(|directive| is_condition(directive))
}

fn value(operation: &OperationDefinition, variables: &Variables, given: &Value) -> ConstValue {
    let known = |name: Name| {
        let given = variables.get(&name).cloned();
        let mut definitions = operation.variable_definitions.iter();
        let default = definitions
            .find(|definition| definition.node.name.node == name)
            .and_then(|definition| Some(definition.node.default_value.as_ref()?.node.clone()));
        Ok::<_, std::convert::Infallible>(given.or(default).unwrap_or_default())
    };
    let Ok(value) = given.clone().into_const_with(known);
    value
}

/// The names of all fragments that a selection uses.
fn spread(document: &ExecutableDocument, set: &SelectionSet, kept: &mut HashSet<Name>) {
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => spread(document, &field.node.selection_set.node, kept),
            Selection::InlineFragment(inline) => {
                spread(document, &inline.node.selection_set.node, kept);
            }
            Selection::FragmentSpread(found) => {
                let name = &found.node.fragment_name.node;
                if let Some(fragment) = document.fragments.get(name)
                    && kept.insert(name.clone())
                {
                    spread(document, &fragment.node.selection_set.node, kept);
                }
            }
        }
    }
}
