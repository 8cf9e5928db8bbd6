//! Cursors of others, in every list of the schema, for every partner's people: a cursor is a place in a list, and opens
//! nothing that its bearer does not see in that list without it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    dump,
    fields::open,
    sdl::{Sdl, named},
    world::{Column, World},
};
use crate::{
    cases,
    support::{Answer, TestApp},
};

cases!(cursors_of_other_lists_and_callers_open_nothing);

/// How many objects of a kind are asked for one of their lists.
const OBJECTS: usize = 3;
/// How many rows of others are tried in a list.
const ROWS: usize = 8;

/// A list that takes cursors.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct List {
    /// The object below which it stands: `Query`, `Partner`.
    parent: String,
    field: String,
    /// What it lists.
    row: String,
}

fn lists(sdl: &Sdl) -> Vec<List> {
    let mut found = Vec::new();
    for parent in sdl.objects() {
        for field in sdl.fields(parent) {
            if field.arguments.iter().any(|a| a.node.name.node == "after") {
                let edges = sdl.field(named(&field.ty.node), "edges");
                let node = sdl.field(named(&edges.ty.node), "node");
                // A statement has words of its own for the rows of two other lists.
                let row = match named(&node.ty.node) {
                    "StatementLine" => "Accrual",
                    "StatementPayment" => "Payout",
                    row => row,
                };
                found.push(List {
                    parent: parent.to_owned(),
                    field: field.name.node.to_string(),
                    row: row.to_owned(),
                });
            }
        }
    }
    found
}

impl List {
    /// The documents that ask objects for this list which the caller reads, one for each object where it has an id.
    fn documents(&self, sdl: &Sdl, read: &BTreeSet<String>) -> Vec<String> {
        let here = format!(
            "{}(after: $after, before: $before, first: $first, last: $last) {{ edges {{ cursor }} }}",
            self.field
        );
        let below = |parent: &str, rest: &str| {
            let prefix = format!("{}_", parent.to_lowercase());
            let ids = read.iter().filter(|text| text.starts_with(&prefix));
            let node = |id| format!("node(id: \"{id}\") {{ ... on {parent} {{ {rest} }} }}");
            ids.take(OBJECTS).map(node).collect()
        };
        let roads: Vec<String> = match self.parent.as_str() {
            "Query" => vec![here],
            "DealForecast" => vec![format!("dealForecast(groupBy: PARTNER) {{ {here} }}")],
            "LedgerAccount" => vec![format!(
                "ledgerAccounts(first: 100) {{ nodes {{ {here} }} }}"
            )],
            "PartnerStatement" => {
                let period = "periodStart: \"2025-09-01\", periodEnd: \"2026-03-31\"";
                below("Partner", &format!("statement({period}) {{ {here} }}"))
            }
            "Enrollment" => below("Partner", &format!("enrollments {{ {here} }}")),
            parent if sdl.is_node(parent) => below(parent, &here),
            parent => panic!("say how one comes to a {parent}"),
        };
        let variables = "$after: String, $before: String, $first: Int, $last: Int";
        let whole = |road| format!("query({variables}) {{ {road} }}");
        roads.into_iter().map(whole).collect()
    }

    /// Whether a cursor of the other list can be one of this list, too: rows of a kind are put in the same order below
    /// objects as in the list of all.
    fn may_open(&self, other: &Self) -> bool {
        self == other
            || self.row == other.row && (self.parent != "Query" || other.parent != "Query")
    }
}

async fn ask(world: &World, column: &Column, document: &str, variables: Value) -> Answer {
    world.t.ask_as(&column.actor, document, variables).await
}

/// Every cursor in an answer.
fn cursors(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(cursor) if name == "cursor" => BTreeSet::from([cursor.to_owned()]),
                _ => cursors(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(cursors).collect(),
        _ => BTreeSet::new(),
    }
}

/// The codes of an answer's errors.
fn codes(answer: &Answer) -> BTreeSet<&str> {
    let errors = answer.json["errors"].as_array().into_iter().flatten();
    errors
        .map(|error| error["extensions"]["code"].as_str().unwrap())
        .collect()
}

async fn cursors_of_other_lists_and_callers_open_nothing(t: TestApp) {
    let world = World::build(&t).await;
    let lists = lists(&world.sdl);
    assert!(lists.len() > 25, "only {} lists", lists.len());
    // The administrator's cursors are those of everybody.
    let admin = world.column("ADM");
    let read = open(&world, admin).await.1;
    let mut known: BTreeMap<&List, BTreeSet<String>> = BTreeMap::new();
    for list in &lists {
        let all = known.entry(list).or_default();
        for document in list.documents(&world.sdl, &read) {
            let answer = ask(&world, admin, &document, json!({"first": 100})).await;
            assert_eq!(codes(&answer), BTreeSet::new(), "{document}");
            all.extend(cursors(&answer.json["data"]));
        }
    }
    let before = dump::everything(&t).await;
    let (mut foreign, mut refused) = (BTreeMap::new(), 0);
    for column in world.columns.iter().filter(|column| column.is_partner()) {
        let read = open(&world, column).await.1;
        for list in &lists {
            for (n, document) in list.documents(&world.sdl, &read).iter().enumerate() {
                let whole = ask(&world, column, document, json!({"first": 100})).await;
                let own = cursors(&whole.json["data"]);
                // Below a list without rows there is nothing to be asked.
                if codes(&whole).is_empty() && !whole.json.to_string().contains("\"edges\"") {
                    continue;
                }
                let mut tried = Vec::new();
                for (other, all) in &known {
                    let may_open = list.may_open(other);
                    let strange = all
                        .iter()
                        .filter(|cursor| !may_open || !own.contains(*cursor));
                    // One of each other list will do, once.
                    let enough = match may_open {
                        true => ROWS,
                        false if n == 0 && column.head.ends_with(".adm") => 1,
                        false => 0,
                    };
                    tried.extend(
                        strange
                            .take(enough)
                            .map(|cursor| (cursor.as_str(), may_open)),
                    );
                }
                let nonsense = ["nonsense", "", "bnVsbA==", "' OR 1=1 --"];
                if n == 0 {
                    tried.extend(nonsense.map(|cursor| (cursor, false)));
                }
                for (cursor, may_open) in tried {
                    for (side, count) in [("after", "first"), ("before", "last")] {
                        let answer =
                            ask(&world, column, document, json!({side: cursor, count: 100})).await;
                        let (head, codes) = (column.head, codes(&answer));
                        let opened = cursors(&answer.json["data"]);
                        assert!(
                            opened.is_subset(&own),
                            "{head}: {document} {side} {cursor}: {:#}",
                            answer.json
                        );
                        let not_one_of_it = codes == BTreeSet::from(["INVALID_CURSOR"]);
                        if !self::codes(&whole).is_empty() {
                            // Who may not read a list is told so, whatever the cursor.
                            assert_eq!(codes, self::codes(&whole), "{head}: {document}");
                        } else if may_open {
                            assert!(
                                codes.is_empty() || not_one_of_it,
                                "{head}: {document} {codes:?}"
                            );
                            *foreign.entry((&list.parent, &list.field)).or_insert(0) += 1;
                        } else {
                            assert!(
                                not_one_of_it,
                                "{head}: {document} {side} {cursor}: {codes:?}"
                            );
                            refused += 1;
                        }
                    }
                }
            }
        }
    }
    dump::assert_same(&before, &dump::everything(&t).await);
    assert!(refused > 1_000, "only {refused} cursors of other lists");
    let tried: usize = foreign.values().sum();
    assert!(foreign.len() > 12 && tried > 1_000, "{foreign:?}");
}
