//! What the schema declares about the price of its fields.
//!
//! The names are those of the GraphQL Cost Directives specification, so that clients and gateways that know it can
//! estimate a query before they send it. The guard reads the same declarations from the printed schema. A declared size is
//! what such a list typically holds, not the most that it may hold: the most is enforced where the list is read.

use async_graphql::TypeDirective;

/// How many items a list is priced as.
#[TypeDirective(name = "listSize", location = "FieldDefinition")]
pub fn list_size(
    #[graphql(desc = "The size that is assumed, whatever the list holds.")] assumed_size: i32,
    #[graphql(
        desc = "List arguments that set the size: the longest of them counts where it is longer than the assumed size."
    )]
    slicing_arguments: Option<Vec<String>>,
) {
}

/// The points that a field costs itself, beside what is selected below it: 1 for an object, 2 for a connection, 0 for a
/// scalar, unless declared.
#[TypeDirective(name = "cost", location = "FieldDefinition")]
pub fn points(#[graphql(desc = "The points, as a whole number.")] weight: String) {}
