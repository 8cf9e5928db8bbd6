//! What is asked of both servers.

use std::{collections::BTreeMap, sync::Arc};

use ensemble::platform::ids;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Database, Result,
    load::{Ask, Asks},
    stage::{Person, Stage},
};

/// An operation as this server is asked for it, and the bare one.
pub struct Operation {
    /// What it is called in the table.
    pub name: &'static str,
    /// How many times the bare server's processor time it may take on a database.
    pub goal: fn(Database) -> f64,
    /// The operation whose bare handler it is compared with.
    pub against: &'static str,
    /// Whether both answers hold the same data; a write makes a new object each time.
    pub reads: bool,
    ours: fn(&Stage, usize) -> Value,
    bare: fn(&Stage, usize) -> (&'static str, String, Value),
    document: &'static str,
    by_partner: bool,
}

/// Everything that is measured.
pub static ALL: [Operation; 5] = [
    Operation {
        name: "deals(first: 20)",
        goal: |database| match database {
            Database::Postgres => 2.0,
            Database::Sqlite => 2.5,
        },
        against: "deals(first: 20)",
        reads: true,
        document: "query Deals { deals(first: 20) { nodes { id number name status value { amount currency } \
            partner { id displayName } participants { id role status partner { id displayName } } \
            accruals(first: 10) { nodes { id kind amount { amount currency } partner { id displayName } } } } } }",
        ours: |_, _| json!({}),
        bare: |_, _| ("GET", "/deals".to_owned(), Value::Null),
        by_partner: false,
    },
    Operation {
        name: "deal(id)",
        goal: |_| 3.0,
        against: "deal(id)",
        reads: true,
        document: "query Deal($id: ID!) { deal(id: $id) { id number name status value { amount currency } \
            partner { id displayName } customer { id name } participants { id role status partner { id displayName } } \
            accruals(first: 10) { nodes { id kind amount { amount currency } partner { id displayName } } } } }",
        ours: |stage, number| {
            let id = stage.deals[number % stage.deals.len()];
            json!({ "id": ids::encode("deal", id) })
        },
        bare: |stage, number| {
            let id = stage.deals[number % stage.deals.len()];
            ("GET", format!("/deal/{id}"), Value::Null)
        },
        by_partner: false,
    },
    Operation {
        name: "dealRegistrationSubmit",
        goal: |_| 2.0,
        against: "dealRegistrationSubmit",
        reads: false,
        document: "mutation Register($input: DealRegistrationSubmitInput!, $key: String!) { \
            dealRegistrationSubmit(input: $input) @idempotent(key: $key) { \
            dealRegistration { id number status } userErrors { code message } } }",
        ours: |stage, number| {
            let claim = claim(stage, number);
            json!({ "key": format!("ours-{number}"), "input": {
                "customer": { "name": claim.name, "domain": claim.domain, "country": claim.country },
                "products": [{ "productId": ids::encode("product", claim.product), "quantity": 5 }],
                "value": { "amount": "75000.00", "currency": "USD" },
                "expectedCloseOn": CLOSE,
            } })
        },
        bare: |stage, number| {
            let (claim, person) = (claim(stage, number), person(stage, number));
            let body = json!({
                "key": format!("bare-{number}"), "user": person.user, "partner": person.partner,
                "name": claim.name, "domain": claim.domain, "country": claim.country,
                "product": claim.product, "quantity": 5, "value_minor": 7_500_000, "close": CLOSE,
            });
            ("POST", "/registrations".to_owned(), body)
        },
        by_partner: true,
    },
    Operation {
        name: "partner { balance statement }",
        goal: |_| 2.5,
        against: "partner { balance statement }",
        reads: true,
        document: "query Partner($id: ID!) { partner(id: $id) { id displayName \
            balance { currency accrued { amount } held { amount } payable { amount } inPayout { amount } paid { amount } \
            clawbackReceivable { amount } } \
            statement(periodStart: \"2025-01-01\", periodEnd: \"2025-12-31\", currency: \"USD\") { \
            opening { amount } earned { amount } adjustments { amount } paid { amount } closing { amount } \
            lines(first: 25) { nodes { id kind dealId amount { amount } } } } } }",
        ours: |stage, number| {
            let id = stage.statements[number % stage.statements.len()];
            json!({ "id": ids::encode("partner", id) })
        },
        bare: |stage, number| {
            let id = stage.statements[number % stage.statements.len()];
            ("GET", format!("/partner/{id}"), Value::Null)
        },
        by_partner: false,
    },
    Operation {
        name: "viewer",
        goal: |_| 1.3,
        against: "deal(id)",
        reads: true,
        document: "query Viewer { viewer { id name email role } }",
        ours: |_, _| json!({}),
        bare: |stage, number| {
            let person = stage.auditors[number % stage.auditors.len()];
            ("GET", format!("/viewer/{}", person.user), Value::Null)
        },
        by_partner: false,
    },
];

const CLOSE: &str = "2027-06-30";

struct Claim {
    name: String,
    domain: String,
    country: String,
    product: Uuid,
}

/// Every claim is on another customer, and a little off in its spelling.
fn claim(stage: &Stage, number: usize) -> Claim {
    let (name, domain, country) = stage.customers[number % stage.customers.len()].clone();
    // Where all customers were claimed once, the next family is.
    let round = number / stage.customers.len();
    Claim {
        name: name.to_uppercase(),
        domain: format!("www.{domain}"),
        country,
        product: stage.products[round % stage.products.len()],
    }
}

fn person(stage: &Stage, number: usize) -> Person {
    stage.partners[number % stage.partners.len()]
}

impl Operation {
    /// The operation of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<&'static Self> {
        let found = ALL.iter().find(|operation| operation.name == name);
        found.ok_or_else(|| format!("there is no operation {name}").into())
    }

    /// The requests to this server.
    pub fn ours(&self, stage: &Arc<Stage>) -> Result<Asks> {
        let people = if self.by_partner {
            &stage.partners
        } else {
            &stage.auditors
        };
        let (tokens, stage) = (stage.tokens(people)?, Arc::clone(stage));
        let (document, variables) = (self.document, self.ours);
        Ok(Arc::new(move |number| {
            let variables = variables(&stage, number);
            let body = json!({ "query": document, "variables": variables }).to_string();
            Ask {
                method: "POST",
                path: "/graphql".to_owned(),
                token: Some(Arc::clone(&tokens[number % tokens.len()])),
                body,
            }
        }))
    }

    /// The requests to the bare server.
    pub fn bare(&self, stage: &Arc<Stage>) -> Asks {
        let (stage, ask) = (Arc::clone(stage), self.bare);
        Arc::new(move |number| {
            let (method, path, body) = ask(&stage, number);
            let body = if body.is_null() {
                String::new()
            } else {
                body.to_string()
            };
            Ask {
                method,
                path,
                token: None,
                body,
            }
        })
    }
}

/// The data of an answer with its objects' fields in one order.
pub fn data(answer: &[u8]) -> Result<Value> {
    let whole: BTreeMap<String, Value> = serde_json::from_slice(answer)?;
    whole
        .get("data")
        .cloned()
        .ok_or_else(|| format!("no data: {}", String::from_utf8_lossy(answer)).into())
}
