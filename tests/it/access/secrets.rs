//! Secrets that are followed through every journey of signing in, and found nowhere.

use axum::{body::Body, http::Request};
use chrono::TimeDelta;
use ensemble::{
    entity::{user::Role, user_token::TokenPurpose},
    platform::mail::{MailFault, SentMail},
};
use serde_json::{Value, json};

use super::{
    dump,
    http::{Ask, Http, token_of},
};
use crate::{
    cases,
    deals::market::*,
    identity::{latest_token, member},
    support::{SECRET, TestApp, logs},
};

cases!(no_journey_writes_a_secret_down, no_mail_stands_in_the_log,);

const WRONG: &str = "canary-wrong-password-71c2";
const CHOSEN: &str = "canary-chosen-password-5d90";
const NEW: &str = "canary-new-password-e83b";

/// Everything that was sent and came back, with what may stand in the answers.
struct Journey {
    http: Http,
    secrets: Vec<String>,
    refusals: Vec<String>,
}

impl Journey {
    async fn send(&mut self, document: &str, variables: Value) -> Value {
        self.pass(Ask::anonymous(document, variables)).await
    }

    async fn pass(&mut self, ask: Ask) -> Value {
        let reply = self.http.send(ask).await;
        let json = reply.json();
        let mut tokens = Vec::new();
        collect(&json["data"], &mut tokens);
        if tokens.is_empty() {
            self.refusals.push(reply.text);
        }
        self.secrets.extend(tokens);
        json
    }
}

/// The tokens in an answer.
fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                match inner.as_str() {
                    Some(token) if name == "accessToken" || name == "refreshToken" => {
                        found.push(token.to_owned())
                    }
                    _ => collect(inner, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

async fn no_journey_writes_a_secret_down(t: TestApp) {
    logs::keep();
    let login = "mutation($email: String!, $password: String!) { login(input: {email: $email, password: $password}) { accessToken refreshToken userErrors { code message field } } }";
    let refresh = "mutation($token: String!) { tokenRefresh(input: {refreshToken: $token}) { accessToken refreshToken userErrors { code message field } } }";
    let accept = "mutation($token: String!, $password: String!) { invitationAccept(input: {token: $token, password: $password}) { accessToken refreshToken userErrors { code message field } } }";
    let reset = "mutation($token: String!, $password: String!) { passwordReset(input: {token: $token, password: $password}) { userErrors { code message field } } }";
    let admin = t.admin().await;
    let bearer = token_of(&t, &admin);
    let mut journey = Journey {
        http: Http::of(&t.app),
        secrets: [WRONG, CHOSEN, NEW].map(str::to_owned).to_vec(),
        refusals: Vec::new(),
    };
    journey
        .secrets
        .push(String::from_utf8(SECRET.to_vec()).unwrap());
    journey.secrets.push(bearer.clone());
    member(&t, "cleo@vendor.example", Role::Finance, None).await;

    let invite = "mutation { userInvite(input: {email: \"ben@vendor.example\", name: \"Ben Roth\", role: FINANCE}) @idempotent(key: \"invite\") { user { id } userErrors { code } } }";
    let invited = journey.pass(Ask::bearing(&bearer, invite, json!({}))).await;
    assert_eq!(
        invited["data"]["userInvite"]["userErrors"],
        json!([]),
        "{invited:#}"
    );
    let invitation = latest_token(&t, TokenPurpose::Invitation).await;
    t.settle().await;
    journey
        .send(accept, json!({"token": invitation, "password": "short"}))
        .await;
    let accepted = journey
        .send(accept, json!({"token": invitation, "password": CHOSEN}))
        .await;
    assert!(
        accepted["data"]["invitationAccept"]["accessToken"].is_string(),
        "{accepted:#}"
    );
    journey
        .send(accept, json!({"token": invitation, "password": CHOSEN}))
        .await;

    for email in ["ben@vendor.example", "nobody@vendor.example"] {
        journey
            .send(login, json!({"email": email, "password": WRONG}))
            .await;
    }
    let first = journey
        .send(
            login,
            json!({"email": "ben@vendor.example", "password": CHOSEN}),
        )
        .await;
    let token = first["data"]["login"]["refreshToken"]
        .as_str()
        .unwrap()
        .to_owned();
    journey.send(refresh, json!({ "token": token })).await;
    t.advance(TimeDelta::seconds(30));
    journey.send(refresh, json!({ "token": token })).await;
    journey
        .send(refresh, json!({"token": format!("{token}0")}))
        .await;

    journey.send("mutation { passwordResetRequest(input: {email: \"ben@vendor.example\"}) { accepted } }", json!({})).await;
    let link = latest_token(&t, TokenPurpose::PasswordReset).await;
    t.outbox.fail(1, MailFault::Transient("busy".to_owned()));
    t.settle().await;
    t.advance(TimeDelta::minutes(5));
    t.settle().await;
    journey
        .send(reset, json!({"token": link, "password": "short"}))
        .await;
    let done = journey
        .send(reset, json!({"token": link, "password": NEW}))
        .await;
    assert_eq!(
        done["data"]["passwordReset"]["userErrors"],
        json!([]),
        "{done:#}"
    );
    journey
        .send(reset, json!({"token": link, "password": NEW}))
        .await;
    journey.secrets.extend([invitation, link]);

    // Requests that are wrong in form hold secrets, too.
    for (document, variables) in [
        (
            format!(
                "mutation {{ login(input: {{email: \"a@b.example\", password: {}}}) {{ accessToken }} }}",
                WRONG.replace('-', "_")
            ),
            json!({}),
        ),
        (
            format!(
                "mutation {{ login(input: {{email: \"a@b.example\", password: [\"{WRONG}\"]}}) {{ accessToken }} }}"
            ),
            json!({}),
        ),
        (
            format!(
                "mutation {{ login(input: {{email: \"a@b.example\", passwort: \"{WRONG}\"}}) {{ accessToken }} }}"
            ),
            json!({}),
        ),
        (
            format!(
                "mutation {{ login(input: {{email: \"a@b.example\", password: \"{WRONG}\"}}) {{ accessToken "
            ),
            json!({}),
        ),
        (
            format!(
                "mutation {{ login(input: {{email: \"a@b.example\", password: \"{WRONG}\"}} {{ accessToken }} }}"
            ),
            json!({}),
        ),
        (
            login.to_owned(),
            json!({"email": "a@b.example", "password": {"secret": WRONG}}),
        ),
        (
            login.to_owned(),
            json!({"email": {"secret": WRONG}, "password": "x"}),
        ),
        (
            "mutation($input: LoginInput!) { login(input: $input) { accessToken } }".to_owned(),
            json!({"input": {"email": "a@b.example", "password": [WRONG]}}),
        ),
    ] {
        let answer = journey.send(&document, variables).await;
        assert!(answer["errors"].is_array(), "{document}: {answer:#}");
    }
    journey.secrets.push(WRONG.replace('-', "_"));
    let in_address = format!(
        "/graphql?query=mutation%7Blogin(input:%7Bemail:%22a%22,password:%22{WRONG}%22%7D)%7BaccessToken%7D%7D"
    );
    let request = Request::get(in_address)
        .header("authorization", format!("Bearer {bearer}0"))
        .body(Body::empty())
        .unwrap();
    let reply = journey.http.raw(request).await;
    journey.refusals.push(reply.text);
    t.settle().await;

    let log = logs::kept();
    assert!(
        log.contains("the-same") && log.contains("cause=\"busy\""),
        "the log is not kept"
    );
    let everything = dump::everything(&t).await;
    assert!(
        everything["audit_event"]
            .iter()
            .any(|row| row.contains("user.password_changed")),
        "the database is not read"
    );
    assert!(
        !everything["idempotency"].is_empty(),
        "no idempotency row to look into"
    );
    assert!(journey.secrets.len() > 12, "{}", journey.secrets.len());
    for secret in &journey.secrets {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02X}")).collect();
        assert!(!log.contains(secret.as_str()), "the log holds {secret}");
        for (table, rows) in &everything {
            let found = rows
                .iter()
                .find(|row| row.contains(secret.as_str()) || row.contains(&hex));
            assert!(found.is_none(), "{table} holds {secret}: {found:?}");
        }
        for text in &journey.refusals {
            assert!(
                !text.contains(secret.as_str()),
                "an answer tells {secret}: {text}"
            );
        }
    }
}

const CUSTOMER: &str = "Canary Customer 2f9d6c";

async fn no_mail_stands_in_the_log(t: TestApp) {
    logs::keep();
    let market = market(&t).await;
    let seller = gold(&t, market, "Northwind Partners").await;
    let reviewer = t.vendor(Role::AllianceManager).await;
    let claimed = claim(market.router, CUSTOMER, None);
    let registration = registered(&t, &seller.manager, claimed).await;
    // One that is tried again, one that is refused for good: a log tells most where something fails.
    let busy = MailFault::Transient("the canary's server is busy".to_owned());
    t.outbox.fail(1, busy);
    t.settle().await;
    t.advance(TimeDelta::minutes(5));
    approved(&t, &reviewer, &registration).await;
    let refused = MailFault::Permanent("the canary's server refuses".to_owned());
    t.outbox.fail(1, refused);
    t.settle().await;

    let (log, sent) = (logs::kept(), t.outbox.sent());
    for told in ["the canary's server is busy", "the canary's server refuses"] {
        assert!(log.contains(told), "the log is not kept: {told}");
    }
    let about = |mail: &&SentMail| mail.message.text.contains(CUSTOMER);
    assert!(sent.iter().filter(about).count() > 1, "{sent:#?}");
    assert!(
        !log.contains(CUSTOMER),
        "the log names the customer of a mail"
    );
    for mail in &sent {
        let lines = mail
            .message
            .text
            .lines()
            .chain([mail.message.subject.as_str()]);
        // Short lines are words that stand anywhere.
        for line in lines.filter(|line| line.chars().count() > 20) {
            assert!(
                !log.contains(line),
                "the log holds a line of a mail: {line}"
            );
        }
    }
}
