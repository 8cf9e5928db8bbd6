//! Ids and cursors of others, wherever one can be put: the answer is the one that nonsense gets.

use std::collections::BTreeSet;

use async_graphql::parser::types::{BaseType, Type};
use ensemble::platform::ids;
use serde_json::{Map, Value, json};

use super::{
    dump,
    http::{Ask, Http, Reply, token},
    operations::by_name,
    sdl::{Sdl, named},
    world::{Column, World},
};
use crate::{cases, support::TestApp};

cases!(
    an_id_of_another_answers_like_one_that_never_was,
    cursors_of_other_lists_and_callers_open_nothing,
);

/// Everybody signed in reads these, so an id of them is nobody's secret.
const PUBLIC: [&str; 3] = ["program", "product", "plan"];

/// Where an id goes: names of arguments and fields, and whether a list stands around the value.
#[derive(Clone, Debug)]
struct Place(Vec<(String, bool)>);

impl Place {
    fn text(&self) -> String {
        self.0
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
            .join(".")
    }

    /// Puts a value here, making the objects on the way.
    fn put(&self, arguments: &Map<String, Value>, value: &str) -> Value {
        let mut all = Value::Object(arguments.clone());
        let mut here = &mut all;
        for (name, list) in &self.0 {
            if !here.is_object() {
                *here = json!({});
            }
            here = &mut here[name.as_str()];
            if *list {
                if !here.is_array() {
                    *here = json!([null]);
                }
                here = &mut here[0];
            }
        }
        *here = json!(value);
        all
    }

    fn read<'v>(&self, arguments: &'v Map<String, Value>) -> Option<&'v str> {
        let (first, rest) = self.0.split_first()?;
        let mut here = arguments.get(&first.0)?;
        here = if first.1 { here.get(0)? } else { here };
        for (name, list) in rest {
            here = here.get(name.as_str())?;
            here = if *list { here.get(0)? } else { here };
        }
        here.as_str()
    }
}

fn places(sdl: &Sdl, root: &str, operation: &str) -> Vec<Place> {
    let mut found = Vec::new();
    for argument in &sdl.field(root, operation).arguments {
        let argument = &argument.node;
        walk(
            sdl,
            argument.name.node.as_str(),
            &argument.ty.node,
            &mut Vec::new(),
            &mut Vec::new(),
            &mut found,
        );
    }
    found
}

fn walk(
    sdl: &Sdl,
    name: &str,
    ty: &Type,
    path: &mut Vec<(String, bool)>,
    above: &mut Vec<String>,
    found: &mut Vec<Place>,
) {
    let inner = named(ty).to_owned();
    path.push((name.to_owned(), matches!(ty.base, BaseType::List(_))));
    if inner == "ID" {
        found.push(Place(path.clone()));
    } else if above.iter().filter(|name| **name == inner).count() < 2 {
        above.push(inner.clone());
        for field in sdl.inputs(&inner) {
            walk(
                sdl,
                field.name.node.as_str(),
                &field.ty.node,
                path,
                above,
                found,
            );
        }
        above.pop();
    }
    path.pop();
}

/// Something of this kind that is not the partner's to see, by the name of the field where no example stands.
fn hidden<'w>(world: &'w World, operation: &str, place: &Place, given: Option<&str>) -> &'w str {
    let last = place.0.last().unwrap().0.as_str();
    let by_name = match last {
        "partnerId" | "ownerPartnerId" => Some("northwind"),
        "customerId" => Some("castellan customer"),
        "parentId" if operation.starts_with("customer") => Some("castellan customer"),
        "parentId" => Some("northwind"),
        "programId" => Some("program"),
        "dealId" | "subjectId" | "ids" => Some("castellan"),
        "correctsId" => Some("t.owner"),
        "runId" => Some("run.approve"),
        "actorId" => Some("own.mem"),
        _ => None,
    };
    if let Some(name) = by_name {
        return world.id(name);
    }
    let kind = given
        .unwrap_or_else(|| panic!("{operation}: no example for {}", place.text()))
        .split('_')
        .next()
        .unwrap();
    let own = world.id("bluefjord");
    let names = [
        "r.win",
        "castellan",
        "p.removed",
        "t.removed",
        "payout.owner",
        "run",
        "own.mem",
        "castellan customer",
        "northwind",
        "product",
        "program",
        "plan",
        "letter",
    ];
    let found = names
        .iter()
        .map(|name| world.id(name))
        .find(|id| *id != own && id.split('_').next() == Some(kind));
    found.unwrap_or_else(|| panic!("{operation}: nothing hidden of kind {kind}"))
}

async fn ask(
    world: &World,
    http: &Http,
    column: &Column,
    root: &str,
    name: &str,
    arguments: &Value,
) -> Reply {
    let rest = if root == "Mutation" {
        "{ userErrors { code message field } }"
    } else if world
        .sdl
        .fields(named(&world.sdl.field(root, name).ty.node))
        .iter()
        .any(|f| f.name.node == "nodes")
    {
        "{ totalCount edges { cursor } }"
    } else {
        "{ __typename }"
    };
    let rest = format!("{} {rest}", world.directive(root));
    let document = world
        .sdl
        .document(root, name, arguments.as_object().unwrap(), &rest);
    http.send(Ask::bearing(
        &token(&world.t, &column.actor),
        &document,
        arguments.clone(),
    ))
    .await
}

async fn an_id_of_another_answers_like_one_that_never_was(t: TestApp) {
    let world = World::build(&t).await;
    let http = Http::of(&t.app);
    let column = world.column("part.adm");
    let before = dump::everything(&t).await;
    let (mut tried, mut different) = (0, Vec::new());
    for (name, given) in by_name(&world, column) {
        let root = if world
            .sdl
            .fields("Query")
            .iter()
            .any(|f| f.name.node == name)
        {
            "Query"
        } else {
            "Mutation"
        };
        // Whatever is the caller's own to say is right, so that the id is what is looked at.
        let own = Value::Object(given)
            .to_string()
            .replace(world.id("northwind"), world.id("bluefjord"));
        let given: Map<String, Value> = serde_json::from_str(&own).unwrap();
        for place in places(&world.sdl, root, name) {
            let theirs = hidden(&world, name, &place, place.read(&given));
            let kind = theirs.split('_').next().unwrap();
            let never = theirs.replacen(&theirs[kind.len() + 1..], &fresh(&t), 1);
            let other_kind = if kind == "deal" {
                world.id("payout.owner")
            } else {
                world.id("castellan")
            };
            let malformed = [other_kind, "nonsense", "", "deal_", "' OR 1=1 --", "\u{0}"];
            let hidden = (!PUBLIC.contains(&kind)).then_some(theirs);
            let first = ask(
                &world,
                &http,
                column,
                root,
                name,
                &place.put(&given, &never),
            )
            .await;
            for value in hidden.into_iter().chain(malformed) {
                tried += 1;
                let arguments = place.put(&given, value);
                let reply = ask(&world, &http, column, root, name, &arguments).await;
                // What is no id of this kind may be refused before the caller's rights are looked at: its form is
                // no secret. An id of somebody else answers as one that nothing has, to the byte.
                let early =
                    value != theirs && reply.status == 200 && codes(&reply) == ["NOT_FOUND"];
                if reply != first && !early {
                    let place = place.text();
                    different.push(format!(
                        "{name}({place}) {value:?}: {reply:?}\n    instead of {first:?}"
                    ));
                }
            }
        }
    }
    dump::assert_same(&before, &dump::everything(&t).await);
    assert!(tried > 400, "only {tried} ids were tried");
    assert!(
        different.is_empty(),
        "{} of {tried} differ:\n{}",
        different.len(),
        different.join("\n")
    );
}

/// The codes of all refusals in an answer.
fn codes(reply: &Reply) -> Vec<String> {
    let json = reply.json();
    let code = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let mut codes: Vec<_> = json["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|error| code(&error["extensions"]["code"]))
        .collect();
    for payload in json["data"].as_object().into_iter().flat_map(Map::values) {
        codes.extend(
            payload["userErrors"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|error| code(&error["code"])),
        );
    }
    codes
}

/// The body of an id that nothing has.
fn fresh(t: &TestApp) -> String {
    use ensemble::{entity::ids::DealId, platform::ids::TypedId};
    DealId::of(ids::mint(t.app.clock().now()))
        .text()
        .split_once('_')
        .unwrap()
        .1
        .to_owned()
}

async fn cursors_of_other_lists_and_callers_open_nothing(t: TestApp) {
    let world = World::build(&t).await;
    let (admin, column) = (world.column("ADM"), world.column("part.adm"));
    let rest = "{ edges { cursor node { id } } }";
    let lists: Vec<String> = world
        .sdl
        .fields("Query")
        .iter()
        .filter(|field| {
            field
                .arguments
                .iter()
                .any(|argument| argument.node.name.node == "after")
        })
        .map(|field| field.name.node.to_string())
        .collect();
    assert!(lists.len() > 10, "{lists:?}");
    let mut cursors = Vec::new();
    for list in &lists {
        let answer = world
            .call(&admin.actor, "Query", list, &json!({"first": 100}), rest)
            .await;
        let edges = answer
            .at(&format!("{list}/edges"))
            .as_array()
            .unwrap()
            .clone();
        assert!(!edges.is_empty(), "the administrator sees no {list}");
        cursors.extend(
            edges
                .iter()
                .map(|edge| (list.clone(), edge["cursor"].as_str().unwrap().to_owned())),
        );
    }
    let before = dump::everything(&t).await;
    for list in &lists {
        let own = world
            .call(&column.actor, "Query", list, &json!({"first": 100}), rest)
            .await;
        let refused = own.json.get("errors").cloned();
        let own: BTreeSet<String> = rows(&own.json, list);
        let mut tried: Vec<(&str, &str)> = cursors
            .iter()
            .map(|(from, cursor)| (from.as_str(), cursor.as_str()))
            .collect();
        // One of each other list will do.
        let mut known = BTreeSet::new();
        tried.retain(|(from, _)| *from == list || known.insert(*from));
        tried.extend([
            ("nowhere", "nonsense"),
            ("nowhere", ""),
            ("nowhere", "bnVsbA=="),
            ("nowhere", "' OR 1=1 --"),
        ]);
        for (from, cursor) in tried {
            for (side, count) in [("after", "first"), ("before", "last")] {
                let arguments = json!({side: cursor, count: 100});
                let answer = world
                    .call(&column.actor, "Query", list, &arguments, rest)
                    .await;
                if let Some(refused) = &refused {
                    assert_eq!(
                        code(&Some(refused.clone())),
                        code(&answer.json.get("errors").cloned()),
                        "{list}"
                    );
                } else if from == list {
                    let seen = rows(&answer.json, list);
                    assert!(
                        answer.json.get("errors").is_none() && seen.is_subset(&own),
                        "{list} {side} {cursor}: {:#}",
                        answer.json
                    );
                } else {
                    assert_eq!(
                        answer.error(),
                        "INVALID_CURSOR",
                        "{list} {side} a cursor of {from}"
                    );
                }
            }
        }
    }
    dump::assert_same(&before, &dump::everything(&t).await);
}

fn code(errors: &Option<Value>) -> Option<&str> {
    errors.as_ref()?[0]["extensions"]["code"].as_str()
}

fn rows(json: &Value, list: &str) -> BTreeSet<String> {
    let edges = json["data"][list]["edges"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    edges
        .iter()
        .map(|edge| edge["node"]["id"].as_str().unwrap().to_owned())
        .collect()
}
