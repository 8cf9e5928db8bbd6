//! The schema as portal developers meet it: committed, described, bounded.

use async_graphql::parser::{
    parse_schema,
    types::{TypeKind, TypeSystemDefinition},
};
use ensemble::graphql::{
    guard::{Guard, Limits},
    sdl,
};

use crate::{cases, support::TestApp};

cases!(
    the_committed_schema_is_the_served_one,
    everything_is_described,
    every_plain_list_has_a_bound,
    the_catalogue_of_codes_is_complete
);

async fn the_committed_schema_is_the_served_one(_: TestApp) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == sdl(),
        "schema.graphql differs; write it anew: cargo run -- schema > schema.graphql"
    );
}

async fn everything_is_described(_: TestApp) {
    let mut bare = Vec::new();
    for definition in parse_schema(sdl()).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let definition = definition.node;
        let name = definition.name.node.to_string();
        // The library's own names for the roots need no words.
        if definition.description.is_none()
            && !["Query", "Mutation", "Subscription"].contains(&name.as_str())
        {
            bare.push(name.clone());
        }
        let fields = match definition.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            TypeKind::InputObject(input) => {
                bare.extend(
                    input
                        .fields
                        .iter()
                        .filter(|f| f.node.description.is_none())
                        .map(|f| format!("{name}.{}", f.node.name.node)),
                );
                Vec::new()
            }
            TypeKind::Enum(values) => {
                bare.extend(
                    values
                        .values
                        .iter()
                        .filter(|v| v.node.description.is_none())
                        .map(|v| format!("{name}.{}", v.node.value.node)),
                );
                Vec::new()
            }
            _ => Vec::new(),
        };
        for field in fields {
            let field = field.node;
            if field.description.is_none() {
                bare.push(format!("{name}.{}", field.name.node));
            }
            for argument in field
                .arguments
                .iter()
                .filter(|argument| argument.node.description.is_none())
            {
                bare.push(format!(
                    "{name}.{}({}:)",
                    field.name.node, argument.node.name.node
                ));
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

async fn every_plain_list_has_a_bound(_: TestApp) {
    let guard = Guard::new(&sdl(), Limits::default()).unwrap();
    assert_eq!(
        guard.catalog().unbounded_lists(),
        &[] as &[String],
        "say \"At most N\" in the description"
    );
}

async fn the_catalogue_of_codes_is_complete(_: TestApp) {
    use ensemble::{error::Code, graphql::refusal::Cause};
    use sea_orm::Iterable;

    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).unwrap();
    let documented: std::collections::BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|code| {
            code.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
        .collect();
    let served: std::collections::BTreeSet<&str> = Code::iter()
        .map(Code::as_str)
        .chain(Cause::ALL.iter().map(|cause| cause.code()))
        .collect();
    assert_eq!(documented, served);
}
