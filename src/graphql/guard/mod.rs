//! Refuses hostile and oversized documents before anything is executed, and says what a request costs.
//!
//! The text is scanned, parsed once and measured; the parsed document is handed on to the executor. An object costs 1
//! point, a connection 2 and its items as often as the page is long, a plain list as often as its declared size, a
//! mutation 10; scalars are free. A field whose work differs declares its own points. Introspection costs a flat 50 and has a limit of its own.

pub mod catalog;
mod documents;
mod roots;
pub mod scan;
mod values;
mod walk;
mod wording;

#[cfg(test)]
mod tests;

use std::{collections::HashSet, sync::Arc};

use async_graphql::{
    Variables,
    parser::{
        self, parse_query,
        types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType},
    },
};

pub use self::wording::Words;
use self::{catalog::Catalog, documents::Documents, scan::TextLimits, walk::Walk};
use super::refusal::{Cause, Refusal};

/// Prices in points.
pub mod price {
    /// One object.
    pub const OBJECT: u64 = 1;
    /// A connection, before its items.
    pub const CONNECTION: u64 = 2;
    /// A mutation field, before what its payload selects.
    pub const MUTATION: u64 = 10;
    /// A look at the schema.
    pub const INTROSPECTION: u64 = 50;
    /// Every request, however little it selects, so that refused ones cannot be sent for nothing.
    pub const REQUEST: u64 = 1;
}

/// What one request may ask for.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The raw text.
    pub text: TextLimits,
    /// Fields, fragments written out.
    pub fields: u64,
    /// Aliases, fragments written out.
    pub aliases: u64,
    /// Levels of fields. The standard introspection query needs 15.
    pub depth: u64,
    /// Levels of fields and fragments together.
    pub nesting: u64,
    /// Fields at the root of an operation.
    pub root_fields: u64,
    /// Directives in the document.
    pub directives: usize,
    /// Directives in one place.
    pub directives_each: usize,
    /// Variables an operation declares.
    pub variables: usize,
    /// Size of the variables' values: 1 for each value and for every 256 bytes of text.
    pub values: usize,
    /// The same summed over the places where variables stand, since each of them has the value checked and copied.
    pub values_used: usize,
    /// Points.
    pub cost: u64,
    /// Weighed objects of introspection; the standard query comes to about 1,000 for each type.
    pub introspection: u64,
    /// Items of a page that names no size.
    pub page: u64,
    /// Items a page has at most.
    pub page_max: u64,
    /// Mutations that must be the only field of their request, such as signing in.
    pub alone: HashSet<String>,
    /// Mutations that take no idempotency key.
    pub keyless: HashSet<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text: TextLimits {
                bytes: 64 * 1024,
                nesting: 64,
                value_nesting: 16,
                name: 128,
            },
            fields: 2_000,
            aliases: 50,
            depth: 16,
            nesting: 64,
            root_fields: 20,
            directives: 200,
            directives_each: 8,
            variables: 200,
            values: 10_000,
            values_used: 50_000,
            cost: 10_000,
            introspection: 2_000,
            page: 25,
            page_max: 100,
            alone: HashSet::new(),
            keyless: HashSet::new(),
        }
    }
}

/// A document that may be executed.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The parsed document.
    pub document: Arc<ExecutableDocument>,
    /// What the chosen operation is.
    pub kind: OperationType,
    /// Its price in points.
    pub cost: u64,
}

/// The guard of one schema.
#[derive(Debug)]
pub struct Guard {
    catalog: Catalog,
    limits: Limits,
    documents: Documents,
}

impl Guard {
    /// A guard for the schema with this printed form.
    ///
    /// # Errors
    ///
    /// When `sdl` is not a schema.
    pub fn new(sdl: &str, limits: Limits) -> Result<Self, parser::Error> {
        Ok(Self {
            catalog: Catalog::from_sdl(sdl)?,
            limits,
            documents: Documents::default(),
        })
    }

    /// What the guard knows of the schema.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Checks a request. Nothing of the answer depends on anything but the arguments. `words` decides how much an error
    /// may say about the schema.
    ///
    /// # Errors
    ///
    /// `TOO_COMPLEX`, `GRAPHQL_VALIDATION_FAILED` (a syntax error, a fragment that spreads itself, fields of one key that do
    /// not merge at the mutation root, a variable where its type does not fit, `@idempotent` elsewhere than on a
    /// mutation), `BAD_USER_INPUT` (unknown operation, a value that its place does not take).
    pub fn check(
        &self,
        text: &str,
        operation: Option<&str>,
        variables: &Variables,
        words: Words,
    ) -> Result<Checked, Refusal> {
        let document = match self.documents.get(text) {
            Some(document) => document,
            None => self.read(text)?,
        };
        let chosen = choose(&document, operation)?;
        values::check(
            &self.catalog,
            &self.limits,
            &document,
            chosen,
            variables,
            words,
        )?;
        let sums =
            Walk::new(&self.catalog, &self.limits, &document, variables).operation(chosen)?;
        if sums.cost > self.limits.cost {
            let message = format!(
                "The request costs {} points; at most {} are allowed. Ask for fewer items (`first`) or fewer nested lists.",
                sums.cost, self.limits.cost
            );
            return Err(Refusal::new(Cause::TooComplex, message));
        }
        let (kind, cost) = (chosen.ty, sums.cost.max(price::REQUEST));
        let merged = (kind == OperationType::Mutation)
            .then(|| roots::merged(&document, chosen, variables))
            .flatten();
        let document = merged.map_or(document, Arc::new);
        Ok(Checked {
            document,
            kind,
            cost,
        })
    }

    /// Parses a document and checks all in it that does not depend on variables.
    fn read(&self, text: &str) -> Result<Arc<ExecutableDocument>, Refusal> {
        scan::scan(text, &self.limits.text)?;
        let document = Arc::new(parse_query(text).map_err(syntax)?);
        let none = Variables::default();
        let mut walk = Walk::new(&self.catalog, &self.limits, &document, &none);
        walk.fragments()?;
        for (_, operation) in document.operations.iter() {
            let breadth = walk.operation(&operation.node)?.breadth;
            self.check_root(&document, &operation.node, breadth)?;
        }
        self.documents.put(text, Arc::clone(&document));
        Ok(document)
    }

    fn check_root(
        &self,
        document: &ExecutableDocument,
        root: &OperationDefinition,
        breadth: u64,
    ) -> Result<(), Refusal> {
        let at = root.selection_set.pos;
        let most = if root.ty == OperationType::Subscription {
            1
        } else {
            self.limits.root_fields
        };
        if breadth > most {
            let message = format!("a {} may have at most {most} root fields", root.ty);
            return Err(Refusal::new(Cause::TooComplex, message).at(at));
        }
        if root.ty != OperationType::Mutation {
            return Ok(());
        }
        let roots = roots::roots(document, &root.selection_set.node);
        roots::check(&roots)?;
        let keys: HashSet<_> = roots
            .iter()
            .map(|root| root.field.node.response_key().node.as_str())
            .collect();
        let alone = roots.iter().find(|root| {
            self.limits
                .alone
                .contains(root.field.node.name.node.as_str())
        });
        match alone {
            Some(root) if keys.len() > 1 => {
                let name = &root.field.node.name;
                let message = format!("\"{}\" must be the only field of its request", name.node);
                Err(Refusal::new(Cause::TooComplex, message).at(name.pos))
            }
            _ => Ok(()),
        }
    }
}

fn choose<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, Refusal> {
    let refuse = |message: String| Err(Refusal::new(Cause::BadUserInput, message));
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(&operation.node),
        (DocumentOperations::Multiple(operations), Some(name)) if operations.contains_key(name) => {
            Ok(&operations[name].node)
        }
        (_, Some(name)) => refuse(format!(
            "the document has no operation named \"{}\"",
            shorten(name)
        )),
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.values();
            match (all.next(), all.next()) {
                (Some(only), None) => Ok(&only.node),
                _ => refuse(
                    "the document has several operations: name one in operationName".to_owned(),
                ),
            }
        }
    }
}

fn syntax(error: parser::Error) -> Refusal {
    if error == parser::Error::RecursionLimitExceeded {
        return Refusal::new(Cause::TooComplex, "the document nests too deeply");
    }
    let position = error.positions().next();
    // The parser draws a picture of the place, ending in "= expected …"; the place itself is told by the position.
    let text = error.to_string();
    let said = text
        .rsplit_once("= ")
        .map_or(text.as_str(), |(_, expected)| expected);
    Refusal {
        position,
        ..Refusal::new(
            Cause::ValidationFailed,
            format!("syntax error: {}", shorten(said.trim())),
        )
    }
}

/// No message repeats more than a line of what the client sent.
fn shorten(text: &str) -> String {
    text.chars().take(200).collect()
}
