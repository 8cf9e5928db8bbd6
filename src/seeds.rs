//! The demo: a small ecosystem that came about the way a real one does.
//!
//! `seeds/demo.json` tells who did what and when; every step is an operation of the API, taken from
//! `seeds/demo.graphql`, executed as the person named, with the clock standing at that day. So the demo cannot
//! hold anything that the use cases would refuse, and shows history instead of a heap of rows made today.
//!
//! Each step is a unit of work of its own, so a load can be killed between two of them. The audit trail tells the next start:
//! it begins with the first person of the demo and does not name the last step. All steps are then played again as of the same
//! beginning, and those that were done answer under their keys what they answered before.

pub mod bulk;
mod start;
mod walk;

pub use start::{first_query, start_page};
pub use walk::{Customer, Figure, Walk, WalkStep, walk};

use std::collections::BTreeMap;

use async_graphql::{Request, Variables};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    access::{Actor, SignedIn},
    app::App,
    entity::{
        audit_event,
        ids::{PartnerId, SessionId},
        user::{self, Role},
    },
    error::{Error, Result},
    graphql::context::Caller,
    identity::admin,
    platform::{
        clock::{Clock, ManualClock},
        ids::{self, TypedId},
    },
    tx::Call,
};

/// The password of everybody in the demo. It opens demo data only: production never loads it.
pub const PASSWORD: &str = "ensemble-demo-2026";

const DOCUMENTS: &str = include_str!("../seeds/demo.graphql");
const SCRIPT: &str = include_str!("../seeds/demo.json");

/// What happened, in order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    people: Vec<Someone>,
    steps: Vec<Step>,
}

/// A person who signs in; partner people join when their partner is there.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Someone {
    name: String,
    email: String,
    role: Role,
    /// The name under which a step saved the partner's id.
    partner: Option<String>,
    #[serde(default = "english")]
    locale: String,
}

fn english() -> String {
    "en".to_owned()
}

/// One operation.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Who does it: an email address.
    #[serde(rename = "as")]
    pub by: String,
    /// How many days before the start of the demo; days of a step never lie after those of the next.
    #[serde(default)]
    pub days_ago: i64,
    /// The operation of the documents.
    pub run: String,
    /// Its variables; a text `$name` stands for what was saved under that name, `$date:-60` and `$time:-60` for a
    /// day and an instant so many days from now.
    #[serde(default)]
    pub with: Map<String, Value>,
    /// What to keep of the answer: name to JSON pointer under `data`.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    /// What a reader looks for in the answer.
    #[serde(default)]
    pub figures: Vec<Figure>,
    /// The code of the error that the step is expected to get.
    #[serde(default)]
    pub refused: Option<String>,
}

/// Runs steps against the API and remembers what they saved.
pub struct Player {
    app: App,
    clock: ManualClock,
    start: DateTime<Utc>,
    request: &'static str,
    /// What its idempotency keys begin with.
    keys: String,
    /// What was saved so far.
    pub saved: BTreeMap<String, Value>,
    played: usize,
}

/// What the audit trail names as the request behind everything of the demo.
const REQUEST: &str = "demo";
/// What it names behind the last step.
const LAST_REQUEST: &str = "demo-loaded";

/// Loads the demo into a new database, or what is missing of it where a load was interrupted; says whether it did.
///
/// # Errors
/// A step of the demo was refused, or the database failed.
pub async fn load(app: &App) -> Result<bool> {
    let script: Script = serde_json::from_str(SCRIPT)?;
    let first_day = TimeDelta::days(script.steps.first().map_or(0, |step| step.days_ago));
    // Another process may be loading it: then there is nothing left to do afterwards, or what it left undone.
    let _alone = app.db().alone_with_the_demo().await?;
    let begun = interrupted_since(app).await?;
    if begun.is_none() && user::Entity::find().count(app.db().reader()).await? > 0 {
        return Ok(false);
    }
    let start = begun.map_or_else(|| app.clock().now(), |begun| begun + first_day);
    let mut player = Player::starting(app, start);
    player.clock.set(start - first_day);
    let hash = app
        .passwords()
        .hash(SecretString::from(PASSWORD))
        .await
        .map_err(|error| Error::Internal(Box::new(error)))?;
    let mut waiting = script.people;
    for (position, step) in script.steps.iter().enumerate() {
        waiting = player.welcome(waiting, &hash).await?;
        if position + 1 == script.steps.len() {
            player.request = LAST_REQUEST;
        }
        player.play(step).await?;
    }
    Ok(true)
}

/// When the load began that was interrupted, if one was.
async fn interrupted_since(app: &App) -> Result<Option<DateTime<Utc>>> {
    use audit_event::Column;
    let db = app.db().reader();
    let oldest = || audit_event::Entity::find().order_by_asc(Column::Id);
    let of_demo = |first: &audit_event::Model| first.request_id.as_deref() == Some(REQUEST);
    let Some(first) = oldest().one(db).await?.filter(of_demo) else {
        return Ok(None);
    };
    let last = oldest().filter(Column::RequestId.eq(LAST_REQUEST));
    Ok(last.one(db).await?.is_none().then_some(first.at))
}

/// Whether this database began with the demo, and the demo came to its end. The audit trail records it: its first row
/// and the last one of the demo, both written by the demo. That people of the demo's addresses exist proves nothing.
///
/// # Errors
/// The database failed.
pub async fn loaded(app: &App) -> Result<bool> {
    use audit_event::Column;
    let db = app.db().reader();
    let first = audit_event::Entity::find().order_by_asc(Column::Id).one(db);
    let began = first.await?.is_some_and(|first| {
        first.request_id.as_deref() == Some(REQUEST) && first.actor_kind == "SYSTEM"
    });
    let last = audit_event::Entity::find().filter(Column::RequestId.eq(LAST_REQUEST));
    Ok(began && last.count(db).await? > 0)
}

impl Player {
    /// A player whose today is the application's. Its steps have keys of their own, so they happen anew.
    #[must_use]
    pub fn new(app: &App) -> Self {
        let now = app.clock().now();
        Self {
            keys: ids::mint(now).to_string(),
            ..Self::starting(app, now)
        }
    }

    fn starting(app: &App, start: DateTime<Utc>) -> Self {
        let clock = ManualClock::new(start);
        Self {
            app: app.with_clock(Clock::from(&clock)),
            clock,
            start,
            request: REQUEST,
            // Of the demo, so that a load that was interrupted finds what it did.
            keys: REQUEST.to_owned(),
            saved: BTreeMap::new(),
            played: 0,
        }
    }

    fn set_days_ago(&self, days: i64) {
        self.clock.set(self.start - TimeDelta::days(days));
    }

    /// Creates the people whose partner exists (or who have none) unless they are there; returns those who still wait.
    async fn welcome(&mut self, people: Vec<Someone>, hash: &str) -> Result<Vec<Someone>> {
        let mut waiting = Vec::new();
        for person in people {
            let partner = match &person.partner {
                None => None,
                Some(name) => match self.saved.get(name).and_then(Value::as_str) {
                    None => {
                        waiting.push(person);
                        continue;
                    }
                    Some(id) => Some(
                        PartnerId::parse(id).ok_or_else(|| Error::internal("not a partner id"))?,
                    ),
                },
            };
            if self.find(&person.email).await?.is_some() {
                continue;
            }
            let new = admin::Create {
                email: person.email,
                name: person.name,
                role: person.role,
                partner_id: partner,
                locale: Some(person.locale),
                password_hash: hash.to_owned(),
            };
            let call = Call {
                request_id: Some(self.request.to_owned()),
                ..Call::system("seed")
            };
            self.app
                .write(call, move |tx| {
                    let new = new.clone();
                    Box::pin(async move { admin::create(tx, new).await })
                })
                .await?;
        }
        Ok(waiting)
    }

    /// Plays one step.
    ///
    /// # Errors
    /// The step was refused; nothing of it stays.
    pub async fn play(&mut self, step: &Step) -> Result<Value> {
        self.set_days_ago(step.days_ago);
        self.played += 1;
        let mut variables = self.resolve(&Value::Object(step.with.clone()))?;
        if let Some(map) = variables.as_object_mut() {
            let key = format!("{}-{}", self.keys, self.played);
            map.insert("key".to_owned(), key.into());
        }
        let document = operation(&step.run)
            .ok_or_else(|| Error::internal(format!("no operation {}", step.run)))?;
        let request = Request::new(document).variables(Variables::from_json(variables));
        let caller = Caller {
            actor: self.actor(&step.by).await?,
            request_id: self.request.to_owned(),
            address: "127.0.0.1".to_owned(),
        };
        let answer = serde_json::to_value(
            crate::schema::api(self.app.clone())
                .execute(caller, request)
                .await,
        )?;
        let data = answer.get("data").cloned().unwrap_or_default();
        if answer.get("errors").is_some()
            || refusals(&data) != Vec::from_iter(step.refused.as_deref())
        {
            return Err(Error::internal(format!(
                "the demo step {} {} was refused: {answer}",
                self.played, step.run
            )));
        }
        for (name, pointer) in &step.save {
            let value = data.pointer(&format!("/{pointer}")).cloned();
            self.saved.insert(
                name.clone(),
                value.ok_or_else(|| Error::internal(format!("nothing at {pointer}: {answer}")))?,
            );
        }
        Ok(data)
    }

    async fn actor(&self, email: &str) -> Result<Actor> {
        let user = self.find(email).await?;
        let user =
            user.ok_or_else(|| Error::internal(format!("nobody has the address {email}")))?;
        Ok(Actor::User(SignedIn {
            user_id: user.id,
            role: user.role,
            partner_id: user.partner_id,
            session_id: SessionId::of(ids::mint(self.clock_now())),
        }))
    }

    async fn find(&self, email: &str) -> Result<Option<user::Model>> {
        let user = user::Entity::find().filter(user::Column::Email.eq(email));
        Ok(user.one(self.app.db().reader()).await?)
    }

    fn clock_now(&self) -> DateTime<Utc> {
        self.app.clock().now()
    }

    /// The value with what stands for saved values, days and instants filled in.
    ///
    /// # Errors
    /// Nothing was saved under a name.
    pub fn resolve(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::String(text) => match text.strip_prefix('$') {
                None => value.clone(),
                Some(name) => self.lookup(name)?,
            },
            Value::Array(items) => Value::Array(
                items
                    .iter()
                    .map(|item| self.resolve(item))
                    .collect::<Result<_>>()?,
            ),
            Value::Object(map) => {
                let fields = map
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.resolve(value)?)));
                Value::Object(fields.collect::<Result<_>>()?)
            }
            other => other.clone(),
        })
    }

    fn lookup(&self, name: &str) -> Result<Value> {
        let days = |text: &str| {
            text.parse()
                .map(|days| self.start + TimeDelta::days(days))
                .ok()
        };
        if let Some(at) = name.strip_prefix("date:").and_then(days) {
            return Ok(at.date_naive().to_string().into());
        }
        if let Some(at) = name.strip_prefix("time:").and_then(days) {
            return Ok(at
                .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
                .into());
        }
        self.saved
            .get(name)
            .cloned()
            .ok_or_else(|| Error::internal(format!("nothing was saved under {name}")))
    }
}

/// One named operation out of the documents, with the fragments it needs (there are none today).
#[must_use]
pub fn operation(name: &str) -> Option<&'static str> {
    DOCUMENTS.split("\n\n").map(str::trim).find(|text| {
        let mut words = text
            .split([' ', '(', '{', '\n'])
            .filter(|word| !word.is_empty() && !word.starts_with('#'));
        matches!(words.next(), Some("query" | "mutation")) && words.next() == Some(name)
    })
}

/// The people of the demo who are in this database: the start page signs in as them. Empty when the demo was not loaded.
async fn people(app: &App) -> Result<Vec<user::Model>> {
    let script: Script = serde_json::from_str(SCRIPT)?;
    if !loaded(app).await? {
        return Ok(Vec::new());
    }
    let emails = script.people.into_iter().map(|person| person.email);
    let known = user::Entity::find()
        .filter(user::Column::Email.is_in(emails))
        .order_by_asc(user::Column::Id);
    Ok(known.all(app.db().reader()).await?)
}

/// The codes of the expected errors in an answer.
pub fn refusals(data: &Value) -> Vec<&str> {
    let payloads = data.as_object().into_iter().flat_map(Map::values);
    let errors = payloads.filter_map(|payload| payload.get("userErrors")?.as_array());
    errors
        .flatten()
        .filter_map(|error| error.get("code")?.as_str())
        .collect()
}
