//! Every operation of the API as everybody: a committed table, and a run that knows when it lacks a row.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    arguments::arguments,
    dump,
    sdl::named,
    world::{Column, Side, World},
};
use crate::{cases, support::TestApp};
use ensemble::entity::user::Role;

cases!(every_operation_answers_each_caller_as_the_table_says,);

/// Mutations whose happy end lies beyond this world, with the refusal that shows that the door was open.
const BEYOND: [(&str, &str); 2] = [
    ("payoutRetry", "ILLEGAL_TRANSITION"),
    ("programVersionWithdraw", "ILLEGAL_TRANSITION"),
];

/// Lists of what the server did, by the field that tells the kind of a row: how many rows each kind has says who sees
/// what, where one number of hundreds would not.
const BY_KIND: [(&str, &str); 2] = [("auditEvents", "action"), ("jobs", "topic")];

/// Who goes first: whoever must be refused, so that a cell of somebody allowed is not the trace of another.
fn turn(column: &Column) -> (u8, u8) {
    let side = match column.side {
        Side::Nobody => 0,
        Side::Stranger => 1,
        Side::Declined => 2,
        Side::Removed => 3,
        Side::Participant => 4,
        Side::Owner => 5,
        Side::Vendor => 6,
    };
    let role = match column.role {
        Some(Role::PartnerMember | Role::Executive) => 0,
        Some(Role::PartnerManager | Role::Auditor) => 1,
        Some(Role::PartnerAdministrator | Role::Finance) => 2,
        Some(Role::AllianceManager) => 3,
        Some(Role::Administrator) | None => 4,
    };
    (side, role)
}

fn shape(world: &World, root: &str, name: &str) -> &'static str {
    if root == "Mutation" {
        return "{ userErrors { code } }";
    }
    let result = named(&world.sdl.field(root, name).ty.node).to_owned();
    if world
        .sdl
        .fields(&result)
        .iter()
        .any(|field| field.name.node == "nodes")
    {
        "{ totalCount }"
    } else {
        "{ __typename }"
    }
}

/// A cell: how many rows of a list (`ok` where they are counted by kind), `ok`, `null`, or the code of the refusal.
fn cell(root: &str, name: &str, json: &Value) -> String {
    if let Some(errors) = json["errors"].as_array() {
        let codes: BTreeSet<_> = errors
            .iter()
            .map(|error| error["extensions"]["code"].as_str().unwrap_or("?"))
            .collect();
        return short(&codes.into_iter().collect::<Vec<_>>().join("+"));
    }
    let value = &json["data"][name];
    if root == "Mutation" {
        let errors = value["userErrors"].as_array().unwrap();
        return match errors.as_slice() {
            [] => "ok".to_owned(),
            [first, ..] => short(first["code"].as_str().unwrap()),
        };
    }
    match (value, value.get("totalCount")) {
        (Value::Null, _) => "null".to_owned(),
        _ if BY_KIND.iter().any(|(list, _)| *list == name) => "ok".to_owned(),
        (Value::Array(rows), _) => rows.iter().filter(|row| !row.is_null()).count().to_string(),
        (_, Some(count)) => count.to_string(),
        _ => "ok".to_owned(),
    }
}

/// The three refusals that make up most of the table have one letter.
fn short(code: &str) -> String {
    match code {
        "FORBIDDEN" => "F",
        "NOT_FOUND" => "N",
        "UNAUTHENTICATED" => "U",
        other => other,
    }
    .to_owned()
}

pub fn table(head: &[&str], first: &str, rows: &[(String, Vec<String>)]) -> String {
    let mut lines = vec![
        format!("| {first} | {} |", head.join(" | ")),
        format!("|---|{}", "---|".repeat(head.len())),
    ];
    lines.extend(
        rows.iter()
            .map(|(name, cells)| format!("| {name} | {} |", cells.join(" | "))),
    );
    lines.join("\n")
}

async fn every_operation_answers_each_caller_as_the_table_says(t: TestApp) {
    let world = World::build(&t).await;
    let roots: BTreeMap<&str, Vec<String>> = ["Query", "Mutation"]
        .map(|root| {
            (
                root,
                world
                    .sdl
                    .fields(root)
                    .iter()
                    .map(|f| f.name.node.to_string())
                    .collect(),
            )
        })
        .into();
    let names: Vec<&str> = arguments(&world, &world.columns[0])
        .iter()
        .map(|(name, _)| *name)
        .collect();
    let called: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let served: BTreeSet<String> = roots.values().flatten().cloned().collect();
    assert_eq!(
        called, served,
        "an operation without a row, or a row without an operation"
    );

    let kinds = kinds_of_rows(&world).await;
    let mut odd = nobody_who_only_reads_writes(&world, &roots["Mutation"]).await;
    let mut order: Vec<usize> = (0..world.columns.len()).collect();
    order.sort_by_key(|place| turn(&world.columns[*place]));
    let mut cells: BTreeMap<(&str, usize), String> = BTreeMap::new();
    for name in &names {
        for place in &order {
            let column = &world.columns[*place];
            let all = arguments(&world, column);
            let given = &all.iter().find(|(other, _)| other == name).unwrap().1;
            let root = world.root_of(name);
            let answer = world
                .call(&column.actor, root, name, given, shape(&world, root, name))
                .await;
            cells.insert((*name, *place), cell(root, name, &answer.json));
        }
    }
    let heads: Vec<&str> = world.columns.iter().map(|column| column.head).collect();
    let mut parts = Vec::new();
    for root in ["Query", "Mutation"] {
        let rows: Vec<_> = roots[root]
            .iter()
            .map(|name| {
                (
                    name.clone(),
                    (0..heads.len())
                        .map(|place| cells[&(name.as_str(), place)].clone())
                        .collect::<Vec<_>>(),
                )
            })
            .collect();
        for (name, row) in &rows {
            let open = BEYOND
                .iter()
                .find(|(other, _)| other == name)
                .map_or("ok", |(_, code)| code);
            let passes =
                |cell: &String| cell == open || cell.parse::<u32>().is_ok_and(|rows| rows > 0);
            if !row.iter().any(passes) {
                odd.push(format!("nobody gets through to {name}: {row:?}"));
            }
        }
        parts.push(table(&heads, root, &rows));
    }
    parts.push(table(&heads, "Kind of row", &kinds));
    t.settle().await;
    insta::assert_snapshot!("operations", parts.join("\n\n"));
    assert_eq!(odd, Vec::<String>::new());
}

/// How many rows of each kind each caller sees in the lists of what the server did.
async fn kinds_of_rows(world: &World) -> Vec<(String, Vec<String>)> {
    let mut rows = Vec::new();
    for (list, kind) in BY_KIND {
        let mut answers = Vec::new();
        for column in &world.columns {
            answers.push(kinds(world, column, list, kind).await);
        }
        let all: BTreeSet<&String> = answers.iter().flatten().flat_map(BTreeMap::keys).collect();
        for name in all {
            let cells = answers.iter().map(|answer| match answer {
                Ok(counts) => counts.get(name).unwrap_or(&0).to_string(),
                Err(refusal) => refusal.clone(),
            });
            rows.push((format!("{list} {name}"), cells.collect()));
        }
    }
    rows
}

/// The rows of a list, counted by kind, or the refusal.
async fn kinds(
    world: &World,
    column: &Column,
    list: &str,
    kind: &str,
) -> Result<BTreeMap<String, usize>, String> {
    let rest = format!("{{ nodes {{ {kind} }} pageInfo {{ endCursor hasNextPage }} }}");
    let (mut counts, mut after) = (BTreeMap::new(), Value::Null);
    loop {
        let page = json!({"first": 100, "after": after});
        let answer = world.call(&column.actor, "Query", list, &page, &rest).await;
        if answer.json.get("errors").is_some() {
            return Err(cell("Query", list, &answer.json));
        }
        let page = &answer.json["data"][list];
        for row in page["nodes"].as_array().unwrap() {
            let name = row[kind].as_str().unwrap().to_owned();
            *counts.entry(name).or_default() += 1;
        }
        if page["pageInfo"]["hasNextPage"] != true {
            return Ok(counts);
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// Auditors and executives change nothing with any mutation, nor does anybody who did not sign in.
async fn nobody_who_only_reads_writes(world: &World, mutations: &[String]) -> Vec<String> {
    const DOORS: [&str; 6] = [
        "login",
        "tokenRefresh",
        "passwordResetRequest",
        "passwordReset",
        "invitationAccept",
        "logout",
    ];
    let mut odd = Vec::new();
    let before = dump::everything(&world.t).await;
    for column in &world.columns {
        let reads = matches!(column.role, None | Some(Role::Auditor | Role::Executive));
        for (name, given) in arguments(world, column) {
            if !reads || DOORS.contains(&name) || !mutations.iter().any(|mutation| mutation == name)
            {
                continue;
            }
            let answer = world
                .call(
                    &column.actor,
                    "Mutation",
                    name,
                    &given,
                    shape(world, "Mutation", name),
                )
                .await;
            let cell = cell("Mutation", name, &answer.json);
            // What an executive cannot read does not even exist for him.
            let refused = match column.role {
                None => cell == "U",
                Some(_) => cell == "F" || cell == "N",
            };
            if !refused {
                odd.push(format!("{name} as {}: {cell}", column.head));
            }
        }
    }
    dump::assert_same(&before, &dump::everything(&world.t).await);
    odd
}
