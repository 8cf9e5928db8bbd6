//! Every list of the API, with everything below it: the number of statements does not depend on the number of rows.

use std::{collections::BTreeMap, fmt::Write as _};

use async_graphql::parser::{
    parse_schema,
    types::{BaseType, FieldDefinition, ServiceDocument, TypeKind, TypeSystemDefinition},
};
use serde_json::{Value, json};

use super::crowd;
use crate::{
    cases,
    support::{Person, TestApp},
};
use ensemble::entity::user::Role;

cases!(
    a_list_takes_as_many_statements_for_twelve_rows_as_for_two,
    a_page_of_deals_with_all_that_a_portal_shows_is_four_statements,
);

/// How many levels of objects below the rows are asked for.
const DEPTH: usize = 2;

/// The schema, for asking it for everything.
struct Everything(ServiceDocument);

impl Everything {
    fn of(t: &TestApp) -> Self {
        Self(parse_schema(t.api.sdl()).unwrap())
    }

    fn fields(&self, name: &str) -> Option<Vec<&FieldDefinition>> {
        self.0
            .definitions
            .iter()
            .find_map(|definition| match definition {
                TypeSystemDefinition::Type(kind) if kind.node.name.node == name => {
                    match &kind.node.kind {
                        TypeKind::Object(object) => {
                            Some(object.fields.iter().map(|field| &field.node).collect())
                        }
                        _ => None,
                    }
                }
                _ => None,
            })
    }

    /// Everything below an object, so many levels deep. Where nothing is left but objects, their ids.
    fn below(&self, name: &str, depth: usize, document: &mut String) {
        for field in self.fields(name).unwrap() {
            let kind = type_name(&field.ty.node.base);
            // A file is made for one partner at a time.
            if field.name.node == "csv" {
                continue;
            }
            match self.fields(&kind) {
                None => write!(document, " {}{}", field.name.node, arguments(field)).unwrap(),
                Some(_) if depth == 0 => {}
                Some(fields) => {
                    write!(document, " {}{} {{", field.name.node, arguments(field)).unwrap();
                    match fields.iter().find(|field| field.name.node == "nodes") {
                        Some(nodes) => {
                            document.push_str(" totalCount nodes {");
                            self.below(&type_name(&nodes.ty.node.base), depth - 1, document);
                            document.push_str(" __typename }");
                        }
                        None => self.below(&kind, depth - 1, document),
                    }
                    document.push_str(" __typename }");
                }
            }
        }
    }
}

fn type_name(base: &BaseType) -> String {
    match base {
        BaseType::Named(name) => name.to_string(),
        BaseType::List(inner) => type_name(&inner.base),
    }
}

/// What a field must be told.
fn arguments(field: &FieldDefinition) -> &'static str {
    let required =
        |argument: &&async_graphql::Positioned<
            async_graphql::parser::types::InputValueDefinition,
        >| { !argument.node.ty.node.nullable && argument.node.default_value.is_none() };
    match field.arguments.iter().filter(required).count() {
        0 if field
            .arguments
            .iter()
            .any(|argument| argument.node.name.node == "first") =>
        {
            "(first: 2)"
        }
        0 => "",
        1 => "(date: \"2026-03-31\")",
        _ => "(periodStart: \"2026-01-01\", periodEnd: \"2026-12-31\")",
    }
}

/// The statements that the first `first` rows take, and how many rows there were.
async fn statements(
    t: &TestApp,
    person: &Person,
    list: &str,
    below: &str,
    first: u32,
) -> (Vec<String>, usize) {
    let document = format!(
        "query($first: Int!) {{ {list}(first: $first) {{ totalCount nodes {{{below} }} }} }}"
    );
    t.statements();
    let answer = t.ask(person, &document, json!({ "first": first })).await;
    let sent = t.statements().into_iter().map(|statement| statement.sql);
    // A partner is refused some of it; the vendor's administrator nothing.
    if person.actor.is_vendor() {
        answer.at(list);
    }
    let rows = answer.json.pointer(&format!("/data/{list}/nodes"));
    (
        sent.collect(),
        rows.and_then(Value::as_array).map_or(0, Vec::len),
    )
}

async fn a_list_takes_as_many_statements_for_twelve_rows_as_for_two(t: TestApp) {
    crowd::gather(&t, 24).await;
    let schema = Everything::of(&t);
    let vendor = t.admin().await;
    let partner = t
        .person(Role::PartnerAdministrator, Some(crowd::partner(0)))
        .await;
    let mut asked = 0;
    for list in schema.fields("Query").unwrap() {
        let name = list.name.node.as_str();
        let connection = type_name(&list.ty.node.base);
        let Some(row) = connection.strip_suffix("Connection") else {
            continue;
        };
        asked += 1;
        // Level by level, so that a failure names the nearest field.
        for depth in 0..=DEPTH {
            let mut below = String::new();
            schema.below(row, depth, &mut below);
            for person in [&vendor, &partner] {
                let probe = t
                    .ask(
                        person,
                        &format!("{{ {name}(first: 1) {{ nodes {{ __typename }} }} }}"),
                        json!({}),
                    )
                    .await;
                if probe.json.get("errors").is_some() {
                    assert!(person.id != vendor.id, "{}", probe.json);
                    continue;
                }
                let (few, _) = statements(&t, person, name, &below, 2).await;
                let (many, rows) = statements(&t, person, name, &below, 12).await;
                if person.id == vendor.id {
                    assert_eq!(rows, 12, "{name}");
                }
                let place = format!("{name}, {depth} deep, as {}", person.email);
                assert_eq!(more(&few, &many), Vec::<String>::new(), "{place}");
                // Those of the list and of the fields below it, whatever is below them: a page and a count each.
                let fields = 1 + below.split_whitespace().count();
                assert!(many.len() <= 2 * fields, "{place}: {}", many.len());
            }
        }
    }
    assert_eq!(asked, 15, "a list was added or removed");
}

/// The statements of `many` that were sent more often than those of `few`, or more than once where the fewer rows had
/// nothing to ask for.
fn more(few: &[String], many: &[String]) -> Vec<String> {
    let (few, many) = (shapes(few), shapes(many));
    let more = many.into_iter().filter_map(|(shape, sent)| {
        let before = few.get(&shape).copied().unwrap_or_default();
        (sent > before.max(1)).then(|| format!("{before} -> {sent} x {shape}"))
    });
    more.collect()
}

/// How often each statement was sent, whatever the length of the lists in it.
fn shapes(sent: &[String]) -> BTreeMap<String, usize> {
    let mut shapes = BTreeMap::new();
    for sql in sent {
        let mut text = String::with_capacity(sql.len());
        let mut rest = sql.chars().peekable();
        while let Some(letter) = rest.next() {
            match letter {
                '$' | '?' => {
                    text.push('?');
                    while rest.next_if(char::is_ascii_digit).is_some() {}
                }
                _ => text.push(letter),
            }
        }
        for list in ["?, ", "(?), "] {
            let (two, one) = (list.repeat(2), list);
            while text.contains(&two) {
                text = text.replace(&two, one);
            }
        }
        text = text.replace("?, ?", "?").replace("(?), (?)", "(?)");
        // Of the branches of a union, one for each object, the first and the last.
        if let Some((first, others)) = text.split_once(" UNION ") {
            let last = others.rsplit(" UNION ").next().unwrap();
            text = format!("{first} UNION {last}");
        }
        *shapes.entry(text).or_insert(0) += 1;
    }
    shapes
}

async fn a_page_of_deals_with_all_that_a_portal_shows_is_four_statements(t: TestApp) {
    crowd::gather(&t, 24).await;
    let vendor = t.admin().await;
    let document = "{ deals(first: 20) { nodes { id number value { amount currency } partner { id displayName }
        participants { role status partner { id displayName } }
        accruals { nodes { id kind amount { amount currency } partner { id displayName } } } } } }";
    t.statements();
    let answer = t.ask(&vendor, document, Value::Null).await;
    assert_eq!(answer.count("deals/nodes"), 20);
    assert_eq!(answer.count("deals/nodes/19/participants"), 3);
    assert_eq!(answer.count("deals/nodes/19/accruals/nodes"), 3);
    // Deals, their participants, their accruals, the partners of all three.
    assert_eq!(t.statements().len(), 4);
}
