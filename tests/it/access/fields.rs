//! Every field of every object as everybody: a committed table, and a search for what belongs to others.

use std::collections::{BTreeMap, BTreeSet};

use ensemble::{
    entity::{
        accrual, deal, deal_participant, deal_registration, ids::PartnerId, partner,
        partner_statement, payment_details, payout, touchpoint, user,
    },
    platform::ids::TypedId,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Map, Value};

use super::{
    arguments::by_name,
    operations::table,
    sdl::{Sdl, named},
    world::{ACCOUNTS, Column, World},
};
use crate::{
    cases,
    support::{Answer, TestApp},
};

cases!(
    every_field_shows_each_caller_what_the_table_says,
    no_partner_reads_a_name_an_amount_or_an_id_of_another,
);

/// What a field with a required argument is given.
const GIVEN: [(&str, &str, &str); 3] = [
    ("statement", "periodStart", "\"2025-09-01\""),
    ("statement", "periodEnd", "\"2026-03-31\""),
    ("tierOn", "date", "\"2026-03-31\""),
];

/// Types that are the frame of lists and mutations; what is inside them has rows of its own.
fn is_frame(name: &str) -> bool {
    const ENDS: [&str; 3] = ["Connection", "Edge", "Payload"];
    const NAMES: [&str; 10] = [
        "Query",
        "Mutation",
        "PageInfo",
        "PlainError",
        "ConflictError",
        "ExtensionError",
        "AccrualReport",
        "CommissionException",
        "CommissionExceptions",
        "SharedAccount",
    ];
    NAMES.contains(&name) || ENDS.iter().any(|end| name.ends_with(end))
}

/// Everything below a type: an object with an id of its own is opened at the root, and shows its leaves elsewhere.
fn selection(sdl: &Sdl, name: &str, path: &mut Vec<String>) -> String {
    let below =
        |above: &String| sdl.is_node(above) || sdl.is_opened_at_the_root(name) && !is_frame(above);
    let nested = sdl.is_node(name) && path.iter().any(below);
    let again = path.iter().any(|above| above == name);
    path.push(name.to_owned());
    let mut fields = vec!["__typename".to_owned()];
    for field in sdl.fields(name) {
        let own = field.name.node.as_str();
        let inner = named(&field.ty.node);
        let required: Vec<_> = field
            .arguments
            .iter()
            .filter(|a| !a.node.ty.node.nullable && a.node.default_value.is_none())
            .map(|argument| {
                let given = GIVEN
                    .iter()
                    .find(|(f, a, _)| *f == own && *a == argument.node.name.node.as_str());
                let (_, argument, value) =
                    given.unwrap_or_else(|| panic!("{name}.{own} needs an argument"));
                format!("{argument}: {value}")
            })
            .collect();
        let passed = if required.is_empty() {
            String::new()
        } else {
            format!("({})", required.join(", "))
        };
        if sdl.is_leaf(inner) {
            fields.push(format!("{own}{passed}"));
        } else if nested || again {
            continue;
        } else if name.ends_with("Edge") {
            fields.push(format!("{own}{passed} {{ __typename }}"));
        } else {
            fields.push(format!("{own}{passed} {}", selection(sdl, inner, path)));
        }
    }
    path.pop();
    format!("{{ {} }}", fields.join(" "))
}

/// What was seen of each field: a value, nothing, or a refusal.
type Seen = BTreeMap<(String, String), BTreeSet<char>>;

fn look(sdl: &Sdl, parent: &str, value: &Value, seen: &mut Seen, leaves: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items
            .iter()
            .for_each(|item| look(sdl, parent, item, seen, leaves)),
        Value::Object(fields) if !sdl.fields(parent).is_empty() => {
            for (name, inner) in fields {
                if name == "__typename" {
                    continue;
                }
                let empty = inner.is_null() || inner.as_array().is_some_and(Vec::is_empty);
                let mark = if empty { '-' } else { 'x' };
                seen.entry((parent.to_owned(), name.clone()))
                    .or_default()
                    .insert(mark);
                look(
                    sdl,
                    named(&sdl.field(parent, name).ty.node),
                    inner,
                    seen,
                    leaves,
                );
            }
        }
        Value::Object(fields) => fields
            .values()
            .for_each(|inner| look(sdl, parent, inner, seen, leaves)),
        Value::String(text) => {
            leaves.insert(text.clone());
        }
        _ => {}
    }
}

/// Notes the field at which an error stands, by its path.
fn note(sdl: &Sdl, error: &Value, seen: &mut Seen) {
    let mut parent = "Query".to_owned();
    let mut last = None;
    for step in error["path"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
    {
        let ty = named(&sdl.field(&parent, step).ty.node).to_owned();
        last = Some((std::mem::replace(&mut parent, ty), step.to_owned()));
    }
    let code = error["extensions"]["code"].as_str().unwrap();
    let mark = match code {
        "FORBIDDEN" => 'F',
        "NOT_FOUND" => 'N',
        "UNAUTHENTICATED" => 'U',
        other => panic!("{other} at {error:#}"),
    };
    seen.entry(last.unwrap()).or_default().insert(mark);
}

/// A refused field is null, and its object stays.
fn assert_alone(head: &str, data: &Value, error: &Value) {
    let (last, above) = error["path"].as_array().unwrap().split_last().unwrap();
    if above.is_empty() {
        return;
    }
    let object = above.iter().fold(data, |value, step| match step {
        Value::String(name) => &value[name],
        place => &value[usize::try_from(place.as_u64().unwrap()).unwrap()],
    });
    let field = object.get(last.as_str().unwrap());
    assert_eq!(field, Some(&Value::Null), "{head}: {error:#}");
}

/// The answers to a query; of a list all of its pages, as large as fit into one request.
async fn pages(
    world: &World,
    column: &Column,
    name: &str,
    mut given: Map<String, Value>,
    rest: &str,
) -> Vec<Answer> {
    let field = world.sdl.field("Query", name);
    let paged = field
        .arguments
        .iter()
        .any(|argument| argument.node.name.node == "first");
    let ask = async |given: &Map<String, Value>| {
        let given = Value::Object(given.clone());
        world.call(&column.actor, "Query", name, &given, rest).await
    };
    if !paged {
        return vec![ask(&given).await];
    }
    let mut answers = Vec::new();
    for size in [100, 20, 4, 1] {
        given.insert("first".to_owned(), Value::from(size));
        let answer = ask(&given).await;
        if answer.json["errors"][0]["extensions"]["code"] != "TOO_COMPLEX" {
            answers.push(answer);
            break;
        }
    }
    while let Some(last) = answers.last() {
        let page = &last.json["data"][name]["pageInfo"];
        if page["hasNextPage"] != true {
            return answers;
        }
        given.insert("after".to_owned(), page["endCursor"].clone());
        let next = ask(&given).await;
        answers.push(next);
    }
    panic!("{name}: not even one fits into a request")
}

/// Opens everything that the column's caller can reach; also returns every text that came.
pub async fn open(world: &World, column: &Column) -> (Seen, BTreeSet<String>) {
    let (mut seen, mut leaves) = (Seen::new(), BTreeSet::new());
    let arguments = by_name(world, column);
    for field in world.sdl.fields("Query") {
        let name = field.name.node.as_str();
        let inner = named(&field.ty.node);
        if inner == "Node" {
            continue;
        }
        let rest = selection(&world.sdl, inner, &mut Vec::new());
        for answer in pages(world, column, name, arguments[name].clone(), &rest).await {
            if let Some(data) = answer.json.get("data") {
                look(&world.sdl, "Query", data, &mut seen, &mut leaves);
            }
            for error in answer.json["errors"].as_array().into_iter().flatten() {
                note(&world.sdl, error, &mut seen);
                assert_alone(column.head, &answer.json["data"], error);
            }
        }
    }
    (seen, leaves)
}

fn cell(seen: &Seen, parent: &str, name: &str) -> String {
    let marks = seen.get(&(parent.to_owned(), name.to_owned()));
    let Some(marks) = marks else {
        return String::new();
    };
    // A value somewhere says more than its absence elsewhere; a refusal is always told.
    let told = marks
        .iter()
        .filter(|mark| **mark != '-' || marks.len() == 1);
    let mut told: Vec<char> = told.copied().collect();
    told.sort_by_key(|mark| *mark != 'x');
    told.into_iter().collect()
}

async fn every_field_shows_each_caller_what_the_table_says(t: TestApp) {
    let world = World::build(&t).await;
    let mut seen = Vec::new();
    for column in &world.columns {
        seen.push(open(&world, column).await.0);
    }
    let (mut rows, mut unreached) = (Vec::new(), Vec::new());
    for parent in world.sdl.objects().filter(|name| !is_frame(name)) {
        for field in world.sdl.fields(parent) {
            let name = field.name.node.as_str();
            let cells: Vec<_> = seen.iter().map(|seen| cell(seen, parent, name)).collect();
            if cells.iter().all(String::is_empty) {
                unreached.push(format!("{parent}.{name}"));
            }
            rows.push((format!("{parent}.{name}"), cells));
        }
    }
    let heads: Vec<&str> = world.columns.iter().map(|column| column.head).collect();
    t.settle().await;
    insta::assert_snapshot!("fields", table(&heads, "Field", &rows));
    assert_eq!(unreached, Vec::<String>::new(), "nobody reaches these");
}

/// Texts that belong to one partner: its names, its people's addresses, the ids of its rows, its amounts.
async fn belongings(t: &TestApp) -> BTreeMap<PartnerId, BTreeSet<String>> {
    let db = t.app.db().reader();
    let mut all: BTreeMap<PartnerId, BTreeSet<String>> = BTreeMap::new();
    let mut add = |partner, text: String| {
        all.entry(partner).or_default().insert(text);
    };
    let amount = |minor: i64| format!("{}.{:02}", minor / 100, minor % 100);
    for row in partner::Entity::find().all(db).await.unwrap() {
        add(row.id, row.id.text());
        add(row.id, row.display_name);
        add(row.id, row.legal_name);
    }
    for row in user::Entity::find().all(db).await.unwrap() {
        if let Some(partner) = row.partner_id {
            add(partner, row.id.text());
            add(partner, row.email);
        }
    }
    for row in deal_registration::Entity::find().all(db).await.unwrap() {
        add(row.partner_id, row.id.text());
        add(row.partner_id, row.number);
    }
    let mut shared = BTreeSet::new();
    for row in deal_participant::Entity::find().all(db).await.unwrap() {
        shared.insert(row.deal_id);
        add(row.partner_id, row.id.text());
    }
    for row in deal::Entity::find().all(db).await.unwrap() {
        let Some(owner) = row.partner_id.filter(|_| !shared.contains(&row.id)) else {
            continue;
        };
        add(owner, row.id.text());
        add(owner, row.number);
        // The one with a value like no other.
        if row.currency.code() == "GBP" {
            add(owner, amount(row.value_minor));
        }
    }
    for row in payment_details::Entity::find().all(db).await.unwrap() {
        add(row.partner_id, row.id.text());
    }
    for row in touchpoint::Entity::find().all(db).await.unwrap() {
        add(row.partner_id, row.id.text());
        row.evidence
            .into_iter()
            .filter(|text| text.contains("Minutes of"))
            .for_each(|text| add(row.partner_id, text));
    }
    for row in accrual::Entity::find().all(db).await.unwrap() {
        add(row.partner_id, row.id.text());
        add(row.partner_id, amount(row.amount_minor));
    }
    for row in partner_statement::Entity::find().all(db).await.unwrap() {
        add(row.partner_id, row.id.text());
    }
    for row in payout::Entity::find().all(db).await.unwrap() {
        add(row.partner_id, row.id.text());
        add(row.partner_id, row.number);
        add(row.partner_id, amount(row.amount_minor));
    }
    all
}

/// Texts that belong to the vendor's people: their ids and addresses.
async fn staff(t: &TestApp) -> BTreeSet<String> {
    let people = user::Entity::find().filter(user::Column::PartnerId.is_null());
    let people = people.all(t.app.db().reader()).await.unwrap();
    let texts = people
        .into_iter()
        .flat_map(|row| [row.id.text(), row.email]);
    texts.collect()
}

async fn no_partner_reads_a_name_an_amount_or_an_id_of_another(t: TestApp) {
    let world = World::build(&t).await;
    let belongings = belongings(&t).await;
    let admin = open(&world, world.column("ADM")).await.1;
    assert!(
        ACCOUNTS
            .iter()
            .all(|(_, _, iban)| !admin.iter().any(|text| text.contains(iban))),
        "accounts are shown masked, even to administrators"
    );
    let staff = staff(&t).await;
    assert!(staff.iter().any(|text| admin.contains(text)));
    let mut leaks = BTreeSet::new();
    for column in world.columns.iter().filter(|column| column.is_partner()) {
        let own = column.partner.unwrap();
        let leaves = open(&world, column).await.1;
        let known = leaves.intersection(&staff);
        leaks.extend(known.map(|text| format!("{} reads {text:?} of the vendor", column.head)));
        assert!(
            leaves.contains(&own.text()),
            "{} does not even see itself",
            column.head
        );
        for (partner, texts) in &belongings {
            for text in texts
                .iter()
                .filter(|text| *partner != own && !belongings[&own].contains(*text))
            {
                if leaves.iter().any(|leaf| leaf.contains(text.as_str())) {
                    let whose = &world
                        .ids
                        .iter()
                        .find(|(_, id)| **id == partner.text())
                        .unwrap()
                        .0;
                    leaks.insert(format!("{} reads {text:?} of {whose}", column.head));
                }
            }
        }
    }
    // The search finds what there is to find: the vendor reads nearly all of it.
    let found =
        |texts: &BTreeSet<String>| texts.iter().filter(|text| admin.contains(*text)).count();
    let (all, read): (usize, usize) = belongings
        .values()
        .map(|texts| (texts.len(), found(texts)))
        .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    assert!(read * 10 > all * 8, "the vendor reads {read} of {all}");
    t.settle().await;
    assert_eq!(leaks, BTreeSet::new());
}
