//! Ids of others, and what is no id at all, wherever one can be put: the answer is the one that an id of nothing gets,
//! for every caller.

use async_graphql::parser::types::{BaseType, Type};
use ensemble::{
    access::Actor,
    platform::ids::{self, TypedId},
};
use serde_json::{Map, Value, json};

use super::{
    arguments::by_name,
    dump,
    fields::open,
    http::{Ask, Http, Reply, token},
    sdl::{Sdl, named},
    world::{Column, World},
};
use crate::{cases, support::TestApp};

cases!(an_id_of_another_answers_like_one_that_never_was);

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

/// Whether an id of every kind has its place here.
fn takes_any_kind(operation: &str, place: &Place) -> bool {
    operation == "node" || matches!(place.text().as_str(), "ids" | "filter.subjectId")
}

/// The kind of object that is meant here, by the name of the place where no example stands.
fn kind<'v>(operation: &str, place: &Place, given: Option<&'v str>) -> &'v str {
    match place.0.last().unwrap().0.as_str() {
        "partnerId" | "ownerPartnerId" => "partner",
        "customerId" => "customer",
        "parentId" if operation.starts_with("customer") => "customer",
        "parentId" => "partner",
        "programId" => "program",
        "dealId" | "subjectId" | "ids" => "deal",
        "correctsId" => "touchpoint",
        "runId" => "payoutrun",
        "actorId" => "user",
        _ => {
            let given =
                given.unwrap_or_else(|| panic!("{operation}: no example for {}", place.text()));
            given.split_once('_').unwrap().0
        }
    }
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
    let rest = format!("{} {rest}", world.directive(root, name));
    let document = world
        .sdl
        .document(root, name, arguments.as_object().unwrap(), &rest);
    let asked = match &column.actor {
        Actor::Anonymous => Ask::anonymous(&document, arguments.clone()),
        actor => Ask::bearing(&token(&world.t, actor), &document, arguments.clone()),
    };
    http.send(asked).await
}

async fn an_id_of_another_answers_like_one_that_never_was(t: TestApp) {
    let world = World::build(&t).await;
    let http = Http::of(&t.app);
    let before = dump::everything(&t).await;
    let (mut tried, mut hidden_ones, mut different) = (0, 0, Vec::new());
    for column in &world.columns {
        let read = open(&world, column).await.1;
        for (name, given) in by_name(&world, column) {
            let root = world.root_of(name);
            let given = own_words(&world, column, given);
            for place in places(&world.sdl, root, name) {
                let kind = kind(name, &place, place.read(&given));
                let never = format!("{kind}_{}", fresh(&t));
                let hidden = world.ids.values().find(|id| {
                    id.split_once('_').is_some_and(|(prefix, _)| prefix == kind)
                        && !read.contains(*id)
                });
                hidden_ones += usize::from(hidden.is_some());
                let mut malformed = vec!["nonsense"];
                if !takes_any_kind(name, &place) {
                    malformed.push(world.id(if kind == "deal" {
                        "payout.owner"
                    } else {
                        "castellan"
                    }));
                }
                // Text is read before anybody is looked at, so that the odd ones need one caller only.
                if column.head == "part.adm" {
                    malformed.extend(["", "deal_", "' OR 1=1 --", "\u{0}"]);
                }
                let first = ask(
                    &world,
                    &http,
                    column,
                    root,
                    name,
                    &place.put(&given, &never),
                )
                .await;
                assert!(
                    !first.text.contains("INTERNAL"),
                    "{name}({}): {first:?}",
                    place.text()
                );
                for value in hidden.into_iter().map(String::as_str).chain(malformed) {
                    tried += 1;
                    let arguments = place.put(&given, value);
                    let reply = ask(&world, &http, column, root, name, &arguments).await;
                    if reply != first {
                        let (head, place) = (column.head, place.text());
                        different.push(format!(
                            "{head}: {name}({place}) {value:?}: {reply:?}\n    instead of {first:?}"
                        ));
                    }
                }
            }
        }
    }
    dump::assert_same(&before, &dump::everything(&t).await);
    assert!(tried > 3_000, "only {tried} ids were tried");
    assert!(
        hidden_ones > 500,
        "only {hidden_ones} ids of others were tried"
    );
    assert!(
        different.is_empty(),
        "{} of {tried} differ:\n{}",
        different.len(),
        different.join("\n")
    );
}

/// The arguments with whatever is the caller's own to say put right, so that the id is what is looked at.
fn own_words(world: &World, column: &Column, given: Map<String, Value>) -> Map<String, Value> {
    let Some(own) = column.partner else {
        return given;
    };
    let text = Value::Object(given).to_string();
    let text = text.replace(world.id("northwind"), &own.text());
    serde_json::from_str(&text).unwrap()
}

/// The body of an id that nothing has.
fn fresh(t: &TestApp) -> String {
    use ensemble::entity::ids::DealId;
    DealId::of(ids::mint(t.app.clock().now()))
        .text()
        .split_once('_')
        .unwrap()
        .1
        .to_owned()
}
