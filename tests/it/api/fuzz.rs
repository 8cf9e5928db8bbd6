//! Random documents over the whole schema, valid ones and broken ones, as people of every role: whatever comes, the
//! answer has the shape that the schema promises, its codes are in the catalogue, and none of them is `INTERNAL`.
//!
//! `ENSEMBLE_TEST_FUZZ=5000` runs so many of each; without it a few hundred.

mod document;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::{
    parse_schema,
    types::{TypeDefinition, TypeKind, TypeSystemDefinition},
};
use ensemble::{
    access::Actor,
    entity::user::Role,
    error::Code,
    graphql::{budget::Buckets, refusal::Cause},
    seeds,
};
use sea_orm::{EntityTrait, Iterable};
use serde_json::{Value, json};

use super::{Door, token};
use crate::{
    cases,
    support::{Person, TestApp},
};
use document::{Document, Ids, Maker};

cases!(
    valid_documents_answer_in_the_shape_of_the_schema,
    broken_documents_are_refused_by_the_catalogue,
);

/// Random numbers that are the same in every run (splitmix64).
pub struct Dice(u64);

impl Dice {
    /// Less than `below`.
    pub fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(below.max(1)).unwrap()).unwrap()
    }

    /// True so many times of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.roll(items.len())]
    }
}

/// The types of the schema by name.
pub struct Types(BTreeMap<String, TypeDefinition>);

impl Types {
    fn read() -> Self {
        let definitions = parse_schema(ensemble::schema::sdl()).unwrap().definitions;
        let types = definitions
            .into_iter()
            .filter_map(|definition| match definition {
                TypeSystemDefinition::Type(definition) => {
                    Some((definition.node.name.node.to_string(), definition.node))
                }
                _ => None,
            });
        Self(types.collect())
    }

    /// The kind of the type of that name; the library's own scalars are not in the printed schema.
    pub fn kind(&self, name: &str) -> Option<&TypeKind> {
        self.0.get(name).map(|definition| &definition.kind)
    }

    /// Whether exactly one field of an input must be given.
    pub fn one_of(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|definition| {
            let mut directives = definition.directives.iter();
            directives.any(|directive| directive.node.name.node == "oneOf")
        })
    }

    /// The objects that an interface or an object may turn out to be.
    pub fn objects(&self, name: &str) -> Vec<&str> {
        match self.kind(name) {
            Some(TypeKind::Interface(_)) => self
                .0
                .iter()
                .filter(|(_, definition)| {
                    matches!(&definition.kind, TypeKind::Object(object)
                    if object.implements.iter().any(|interface| interface.node == name))
                })
                .map(|(name, _)| name.as_str())
                .collect(),
            Some(TypeKind::Union(union)) => union
                .members
                .iter()
                .map(|member| member.node.as_str())
                .collect(),
            Some(_) => vec![self.0.get_key_value(name).unwrap().0.as_str()],
            None => Vec::new(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told their length by the environment"
)]
fn rounds() -> usize {
    let told = std::env::var("ENSEMBLE_TEST_FUZZ").ok();
    told.and_then(|rounds| rounds.parse().ok()).unwrap_or(250)
}

/// Who asks: everybody of the demo by role, and somebody who did not sign in.
struct Cast {
    people: Vec<(Role, Option<ensemble::entity::ids::PartnerId>)>,
    tokens: BTreeMap<usize, String>,
}

impl Cast {
    async fn of_the_demo(t: &TestApp) -> Self {
        use ensemble::entity::user;
        let users = user::Entity::find().all(t.app.db().reader()).await.unwrap();
        let mut people: Vec<_> = users
            .iter()
            .map(|user| (user.role, user.partner_id))
            .collect();
        people.sort();
        people.dedup_by_key(|(role, _)| *role);
        assert_eq!(people.len(), Role::iter().count());
        Self {
            people,
            tokens: BTreeMap::new(),
        }
    }

    /// A token of the person with this number; one more than there are is nobody.
    async fn token(&mut self, t: &TestApp, number: usize) -> String {
        let Some((role, partner)) = self.people.get(number).copied() else {
            return String::new();
        };
        if let Some(token) = self.tokens.get(&number) {
            return token.clone();
        }
        let person: Person = t.person(role, partner).await;
        assert!(matches!(person.actor, Actor::User(_)));
        let signed = token(t, &person);
        self.tokens.insert(number, signed.clone());
        signed
    }
}

struct Run {
    t: TestApp,
    door: Door,
    types: Types,
    cast: Cast,
    ids: Ids,
    dice: Dice,
    catalogue: BTreeSet<&'static str>,
    codes: BTreeMap<String, usize>,
    answered: usize,
    touched: BTreeSet<String>,
}

impl Run {
    async fn start(t: &TestApp, seed: u64) -> Self {
        assert!(seeds::load(&t.app).await.unwrap());
        t.settle().await;
        let door = Door::open(t, |settings| {
            settings.budget = std::sync::Arc::new(Buckets::new(u64::MAX / 2_000, 1));
        });
        let mut run = Self {
            types: Types::read(),
            cast: Cast::of_the_demo(t).await,
            ids: Ids::default(),
            dice: Dice(seed),
            catalogue: Code::iter()
                .map(Code::as_str)
                .chain(Cause::ALL.iter().map(|cause| cause.code()))
                .collect(),
            codes: BTreeMap::new(),
            answered: 0,
            touched: BTreeSet::new(),
            t: t.clone(),
            door,
        };
        run.learn().await;
        run
    }

    /// Collects the ids of the demo from every list at the root.
    async fn learn(&mut self) {
        let admin = self
            .cast
            .people
            .iter()
            .position(|(role, _)| *role == Role::Administrator);
        let token = self.cast.token(&self.t, admin.unwrap()).await;
        let Some(TypeKind::Object(query)) = self.types.kind("Query") else {
            panic!("no query root");
        };
        let lists: Vec<String> = query
            .fields
            .iter()
            .filter(|field| field.node.ty.node.to_string().ends_with("Connection!"))
            .map(|field| field.node.name.node.to_string())
            .collect();
        for list in lists {
            let document =
                format!("{{ {list}(first: 50) {{ nodes {{ id }} pageInfo {{ endCursor }} }} }}");
            let answer = self.door.ask(&token, &document, json!({})).await;
            self.ids.learn(&answer.json);
        }
        assert!(self.ids.count() > 50, "the demo has ids");
    }

    /// Sends one document as somebody and holds the answer to what is promised of every answer.
    async fn send(&mut self, document: &str, variables: &Value) -> Value {
        let number = self.dice.roll(self.cast.people.len() + 1);
        let token = self.cast.token(&self.t, number).await;
        let body = json!({ "query": document, "variables": variables }).to_string();
        let answer = self.door.post(&token, body).await;
        let errors = answer.json["errors"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let tell = || {
            format!(
                "as {:?}: {document}\n{variables}\n{:.2000}",
                self.cast.people.get(number),
                answer.text
            )
        };
        assert!(answer.json.is_object(), "{}", tell());
        assert!(
            answer.json.get("data").is_some() || !errors.is_empty(),
            "{}",
            tell()
        );
        for error in &errors {
            let code = error["extensions"]["code"].as_str().unwrap_or_default();
            assert!(
                self.catalogue.contains(code),
                "{code} is in no catalogue: {}",
                tell()
            );
            assert!(code != "INTERNAL", "{}", tell());
            assert!(
                error["message"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{}",
                tell()
            );
            assert!(error["extensions"]["requestId"].is_string(), "{}", tell());
            assert!(error["extensions"]["retryable"].is_boolean(), "{}", tell());
        }
        if answer.status != 401 {
            assert!(
                answer.json["extensions"]["cost"]["requested"].is_u64(),
                "{}",
                tell()
            );
        }
        for error in &errors {
            let code = error["extensions"]["code"].as_str().unwrap_or_default();
            *self.codes.entry(code.to_owned()).or_default() += 1;
        }
        if answer.json.get("data").is_some() {
            self.answered += 1;
        }
        // Somebody ended this session or closed this account; another of the same role takes over.
        if answer.status == 401 {
            self.cast.tokens.remove(&number);
        }
        self.ids.learn(&answer.json);
        answer.json
    }

    fn told(&self, what: &str, rounds: usize) {
        eprintln!(
            "{what} on {:?}: {rounds} documents, {} answered with data, {} fields of the schema asked for, codes {:?}",
            self.t.app.db().backend(),
            self.answered,
            self.touched.len(),
            self.codes
        );
    }
}

async fn valid_documents_answer_in_the_shape_of_the_schema(t: TestApp) {
    let mut run = Run::start(&t, 1).await;
    let rounds = rounds();
    for _ in 0..rounds {
        let document = Maker::new(&run.types, &run.ids, &mut run.dice).document();
        run.touched.extend(document.touched.iter().cloned());
        let answer = run.send(&document.text, &document.variables).await;
        let refused = answer.get("data").is_none();
        if refused {
            let code = &answer["errors"][0]["extensions"]["code"];
            let allowed = ["TOO_COMPLEX", "UNAUTHENTICATED"];
            assert!(
                code.as_str().is_some_and(|code| allowed.contains(&code)),
                "a valid document was refused: {}\n{}\n{answer}",
                document.text,
                document.variables
            );
            continue;
        }
        if let Err(fault) = shape::check(&run.types, &document, &answer) {
            panic!(
                "{fault}\n{}\n{}\n{answer}",
                document.text, document.variables
            );
        }
    }
    run.told("valid", rounds);
    assert!(
        run.answered > rounds * 6 / 10,
        "only {} were answered",
        run.answered
    );
    t.settle().await;
}

async fn broken_documents_are_refused_by_the_catalogue(t: TestApp) {
    let mut run = Run::start(&t, 2).await;
    let rounds = rounds();
    for _ in 0..rounds {
        let Document {
            text, variables, ..
        } = Maker::new(&run.types, &run.ids, &mut run.dice).document();
        let text = broken(&text, &mut run.dice);
        let variables = if run.dice.chance(30) {
            spoiled(&variables, &mut run.dice)
        } else {
            variables
        };
        run.send(&text, &variables).await;
    }
    run.told("broken", rounds);
    let refused: usize = ["GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"]
        .iter()
        .filter_map(|code| run.codes.get(*code))
        .sum();
    assert!(refused > rounds / 3, "only {refused} faults were told");
    t.settle().await;
}

/// The text with one to three of its words taken out, doubled, exchanged or replaced.
fn broken(text: &str, dice: &mut Dice) -> String {
    let mut words: Vec<String> = Vec::new();
    for letter in text.chars() {
        let same = |word: &String| {
            let part = |letter: char| letter.is_alphanumeric() || letter == '_';
            word.chars().all(part) && part(letter)
        };
        match words.last_mut() {
            Some(word) if same(word) => word.push(letter),
            _ => words.push(letter.to_string()),
        }
    }
    let junk = [
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ":",
        "!",
        "$",
        "@",
        "...",
        "\"",
        "\"\"\"",
        "|",
        "&",
        "=",
        "null",
        "true",
        "on",
        "fragment",
        "query",
        "mutation",
        "subscription",
        "0",
        "-1",
        "1e400",
        "9223372036854775808",
        "\u{0}",
        "\u{feff}",
        "é",
        "💥",
        "#",
        "\\",
        "__typename",
        "id",
        "Query",
        "String",
        "$v",
        "@skip(if: 1)",
        "@include",
        "\"\\ud800\"",
    ];
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(words.len());
        match dice.roll(6) {
            0 => {
                words.remove(at);
            }
            1 => words.insert(at, words[at].clone()),
            2 => words[at] = (*dice.pick(&junk)).to_owned(),
            3 => words.insert(at, (*dice.pick(&junk)).to_owned()),
            4 => {
                let other = dice.roll(words.len());
                words.swap(at, other);
            }
            _ => words.truncate(at.max(1)),
        }
        if words.is_empty() {
            words.push(String::new());
        }
    }
    words.concat()
}

/// The variables with one value replaced by something of another type.
fn spoiled(variables: &Value, dice: &mut Dice) -> Value {
    let mut variables = variables.clone();
    if let Some(map) = variables.as_object_mut() {
        let junk = [
            json!(null),
            json!(1),
            json!(-1.5),
            json!(""),
            json!("x\u{0}y"),
            json!([]),
            json!([[null]]),
            json!({}),
            json!({ "a": {} }),
            json!(9_007_199_254_740_993_i64),
            json!(true),
        ];
        let names: Vec<String> = map.keys().cloned().collect();
        if !names.is_empty() {
            map.insert(dice.pick(&names).clone(), dice.pick(&junk).clone());
        }
    }
    variables
}
