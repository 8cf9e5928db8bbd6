//! The main journey over HTTP, by a client that repeats every call under its key until it is acknowledged.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use ensemble::{platform::clock::Clock, seeds};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::http::{Http, Lost};

const NORA: &str = "nora@northwind.example";
const BO: &str = "bo@bluefjord.example";
const CLARA: &str = "clara@cobalt.example";
const LUIS: &str = "luis@vendor.example";
const MINA: &str = "mina@vendor.example";
const ADA: &str = "ada@vendor.example";

/// A keyed mutation: everything that is needed to send it again.
#[derive(Clone, Debug)]
pub struct Keyed {
    by: &'static str,
    pub mutation: &'static str,
    object: &'static str,
    key: String,
    input: Value,
}

/// A mutation and the id of the object with which it was acknowledged.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    pub call: Keyed,
    pub id: String,
}

/// What all clients know of the server and of each other.
pub struct Ground {
    /// Where the server listens; nothing while it is down.
    pub address: watch::Receiver<Option<String>>,
    /// Where objects of the demo are found.
    pub known: BTreeMap<&'static str, String>,
    pub acknowledged: Mutex<Vec<Acknowledged>>,
    /// Calls sent again because nothing came back.
    pub repeated: AtomicUsize,
    pub sign_ins: AtomicUsize,
}

/// One client: its own connections, its own keys, and everybody's tokens.
pub struct Client {
    pub name: String,
    pub ground: Arc<Ground>,
    http: Http,
    tokens: BTreeMap<&'static str, String>,
}

impl Client {
    pub fn new(name: String, ground: Arc<Ground>) -> Self {
        Self {
            name,
            ground,
            http: Http::default(),
            tokens: BTreeMap::new(),
        }
    }

    /// From registration to a won deal, three partners on it; returns the deal.
    pub async fn win(&mut self, number: i64) -> String {
        let key = format!("{}-{number}", self.name);
        let known = self.ground.known.clone();
        self.sign_in(NORA).await;
        let today = Clock::System.now();
        let customer = json!({"name": format!("Customer {key}"), "domain": format!("{key}.example"), "country": "SE"});
        let registration = json!({
            "customer": customer,
            "products": [{"productId": known["product"]}],
            "value": {"amount": "100000.00", "currency": "USD"},
            "expectedCloseOn": (today + TimeDelta::days(30)).date_naive(),
            "need": "One record per patient",
        });
        let registration = self
            .call(
                &key,
                NORA,
                "dealRegistrationSubmit",
                "dealRegistration { id }",
                registration,
            )
            .await;
        let deal = self
            .call(
                &key,
                LUIS,
                "dealRegistrationApprove",
                "dealRegistration { deal { id } }",
                json!({"registrationId": registration}),
            )
            .await;
        for (partner, role, person) in [
            ("bluefjord", "INFLUENCER", BO),
            ("cobalt", "IMPLEMENTER", CLARA),
        ] {
            let invitation = json!({"dealId": deal, "partnerId": known[partner], "role": role, "scope": "Its part"});
            let key = format!("{key}-{partner}");
            let participant = self
                .call(
                    &key,
                    LUIS,
                    "dealParticipantInvite",
                    "participant { id }",
                    invitation,
                )
                .await;
            let accept = json!({"participantId": participant});
            self.call(
                &key,
                person,
                "dealParticipantAccept",
                "participant { id }",
                accept,
            )
            .await;
        }
        for (person, kind, phase, days) in [
            (NORA, "REFERRAL", "AWARENESS", 60),
            (BO, "WORKSHOP", "CONSIDERATION", 30),
            (CLARA, "IMPLEMENTATION", "TRANSACTION", 0),
        ] {
            let touchpoint = json!({
                "dealId": deal,
                "kind": kind,
                "phase": phase,
                "occurredAt": (today - TimeDelta::days(days)).to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
                "evidence": "Minutes in the account folder",
            });
            let key = format!("{key}-{kind}");
            let touchpoint = self
                .call(
                    &key,
                    person,
                    "touchpointRecord",
                    "touchpoint { id }",
                    touchpoint,
                )
                .await;
            let verify = json!({"touchpointId": touchpoint});
            self.call(&key, LUIS, "touchpointVerify", "touchpoint { id }", verify)
                .await;
        }
        self.call(
            &key,
            LUIS,
            "dealWin",
            "deal { id }",
            json!({"dealId": deal}),
        )
        .await
    }

    /// Pays everything that is due; returns the run.
    pub async fn pay(&mut self, number: i64) -> String {
        let key = format!("{}-run-{number}", self.name);
        let today = Clock::System.now().date_naive();
        let period = json!({
            "programId": self.ground.known["program"],
            "periodStart": today - TimeDelta::days(30),
            "periodEnd": today,
        });
        let run = self
            .call(&key, MINA, "payoutRunCreate", "payoutRun { id }", period)
            .await;
        self.calculated(&run).await;
        let this = json!({"payoutRunId": run});
        self.call(
            &key,
            ADA,
            "payoutRunApprove",
            "payoutRun { id }",
            this.clone(),
        )
        .await;
        self.call(&key, MINA, "payoutRunExecute", "payoutRun { id }", this)
            .await
    }

    /// A run that is being calculated is asked for again until it is whole: a session of the database that died with its
    /// process may hold it up longer than an answer waits.
    async fn calculated(&mut self, run: &str) {
        let document = "query($id: ID!) { payoutRun(id: $id) { status } }";
        loop {
            if !self.tokens.contains_key(MINA) {
                self.sign_in(MINA).await;
            }
            let token = self.tokens[MINA].clone();
            let answer = self
                .send(Some(&token), document, &json!({ "id": run }))
                .await;
            match answer["data"]["payoutRun"]["status"].as_str() {
                Some("CALCULATING") => {}
                Some(_) => return,
                None => {
                    self.tokens.remove(MINA);
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn call(
        &mut self,
        key: &str,
        by: &'static str,
        mutation: &'static str,
        object: &'static str,
        input: Value,
    ) -> String {
        let call = Keyed {
            by,
            mutation,
            object,
            key: key.to_owned(),
            input,
        };
        let id = self.until_acknowledged(&call).await;
        let acknowledged = Acknowledged {
            call,
            id: id.clone(),
        };
        self.ground.acknowledged.lock().unwrap().push(acknowledged);
        id
    }

    /// Sends a call until it is acknowledged; the id of its object.
    pub async fn until_acknowledged(&mut self, call: &Keyed) -> String {
        let name = call.mutation;
        let input = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let document = format!(
            "mutation($input: {input}!, $key: String!) {{ {name}(input: $input) @idempotent(key: $key) \
             {{ {} userErrors {{ code message field }} }} }}",
            call.object
        );
        let variables = json!({"input": call.input, "key": call.key});
        loop {
            if !self.tokens.contains_key(call.by) {
                self.sign_in(call.by).await;
            }
            let token = self.tokens[call.by].clone();
            let answer = self.send(Some(&token), &document, &variables).await;
            let refusals = [
                &answer["errors"][0]["extensions"]["code"],
                &answer["data"][name]["userErrors"][0]["code"],
            ];
            match refusals.into_iter().find_map(Value::as_str) {
                None => {
                    let mut object = &answer["data"][name];
                    while object["id"].is_null() {
                        object = object
                            .as_object()
                            .and_then(|fields| fields.values().find(|field| field.is_object()))
                            .unwrap_or_else(|| panic!("no object: {answer:#}\n{call:?}"));
                    }
                    return object["id"].as_str().unwrap().to_owned();
                }
                Some("UNAUTHENTICATED") => {
                    self.tokens.remove(call.by);
                }
                Some("RETRY_LATER" | "TIMEOUT" | "THROTTLED") => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Some(_) => panic!("{answer:#}\n{call:?}"),
            }
        }
    }

    async fn sign_in(&mut self, email: &'static str) {
        let document = seeds::operation("SignIn").unwrap();
        let variables = json!({"email": email, "password": seeds::PASSWORD});
        let token = loop {
            let answer = self.send(None, document, &variables).await;
            if let Some(token) = answer["data"]["login"]["accessToken"].as_str() {
                break token.to_owned();
            }
            let retryable = &answer["errors"][0]["extensions"]["retryable"];
            assert_eq!(retryable, true, "{answer:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        self.ground.sign_ins.fetch_add(1, Ordering::Relaxed);
        self.tokens.insert(email, token);
    }

    /// Sends until something comes back.
    async fn send(&self, token: Option<&str>, document: &str, variables: &Value) -> Value {
        let mut address = self.ground.address.clone();
        loop {
            let up = address.wait_for(Option::is_some).await.unwrap().clone();
            let sent = self
                .http
                .graphql(&up.unwrap(), token, document, variables)
                .await;
            match sent {
                Ok(answer) => return answer,
                Err(Lost) => self.ground.repeated.fetch_add(1, Ordering::Relaxed),
            };
            // The server may be down without its address being withdrawn yet.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
