//! A thousand guesses in every wrapping, and the owner who gets in again.

use std::time::Instant;

use ensemble::{
    entity::{login_failure, session, user::Role, user_token::TokenPurpose},
    identity::throttle,
    platform::ids::TypedId,
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::json;

use super::{
    dump,
    http::{Ask, Http, Reply, token_of},
};
use crate::{
    cases,
    identity::{PASSWORD, latest_token, member},
    support::TestApp,
};

cases!(
    a_thousand_guesses_in_one_request_are_none,
    the_eleventh_wrong_password_waits_and_the_owner_does_not,
    guesses_from_any_number_of_addresses_learn_no_more_than_fifty,
    a_made_up_address_is_believed_from_a_trusted_proxy_only,
    wrong_passwords_of_others_at_an_address_keep_nobody_out,
    the_owner_of_a_locked_account_gets_in_by_a_reset,
    an_unknown_address_costs_the_same_work_as_a_known_one,
    a_request_for_a_new_password_answers_everybody_the_same,
);

const OWNER: &str = "anna@vendor.example";
const LOGIN: &str = "mutation($email: String!, $password: String!) {
    login(input: {email: $email, password: $password}) { accessToken userErrors { code message } } }";

fn guess(email: &str, password: &str) -> Ask {
    Ask::anonymous(LOGIN, json!({"email": email, "password": password}))
}

/// `signed in`, `wrong` or `waits`.
fn outcome(reply: &Reply) -> &'static str {
    let json = reply.json();
    let payload = &json["data"]["login"];
    if payload["accessToken"].is_string() {
        "signed in"
    } else if payload["userErrors"][0]["code"] == "UNAUTHENTICATED" {
        "wrong"
    } else {
        assert_eq!(reply.code(), "THROTTLED", "{json:#}");
        "waits"
    }
}

async fn counted(t: &TestApp) -> u64 {
    login_failure::Entity::find()
        .count(t.app.db().reader())
        .await
        .unwrap()
}

async fn a_thousand_guesses_in_one_request_are_none(t: TestApp) {
    member(&t, OWNER, Role::Finance, None).await;
    let http = Http::of(&t.app);
    let field = |name: &str, password: &str| {
        format!(
            "{name}: login(input: {{email: \"{OWNER}\", password: \"{password}\"}}) {{ accessToken }}"
        )
    };
    let aliases = |count: usize| {
        (0..count)
            .map(|n| field(&format!("a{n}"), &format!("guess number {n}")))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let right = field("right", PASSWORD);
    let operations = (0..1_000)
        .map(|n| {
            format!(
                "mutation m{n} {{ {} }}",
                field("a", &format!("guess number {n}"))
            )
        })
        .collect::<Vec<_>>()
        .join(" ");
    let refused = [
        (
            "a thousand aliases",
            format!("mutation {{ {} {right} }}", aliases(1_000)),
        ),
        (
            "as many aliases as are allowed",
            format!("mutation {{ {} {right} }}", aliases(49)),
        ),
        ("two", format!("mutation {{ {} {right} }}", aliases(1))),
        (
            "a fragment spread twice",
            format!(
                "mutation {{ ...g ...h }} fragment g on Mutation {{ {} }} fragment h on Mutation {{ {right} }}",
                aliases(1)
            ),
        ),
        (
            "inline fragments",
            format!(
                "mutation {{ ... on Mutation {{ {} }} ... {{ {right} }} }}",
                aliases(1)
            ),
        ),
        (
            "beside another mutation",
            format!(
                "mutation {{ {right} passwordResetRequest(input: {{email: \"{OWNER}\"}}) {{ accepted }} }}"
            ),
        ),
        ("many operations, none named", operations),
    ];
    let before = dump::everything(&t).await;
    for (what, document) in &refused {
        let reply = http.send(Ask::anonymous(document, json!({}))).await;
        assert_eq!(reply.status, 400, "{what}: {reply:?}");
        assert!(!reply.text.contains("accessToken\":"), "{what}");
    }
    let mut batch = guess(OWNER, PASSWORD);
    batch.body = json!([batch.body, batch.body]);
    assert_eq!(http.send(batch).await.code(), "BAD_REQUEST");
    dump::assert_same(&before, &dump::everything(&t).await);

    // Of several operations the named one runs, once.
    let both = format!(
        "mutation a {{ {} }} mutation b {{ {} }}",
        field("x", "guess number 1"),
        field("y", "guess number 2")
    );
    let mut ask = Ask::anonymous(&both, json!({}));
    ask.body["operationName"] = json!("a");
    http.send(ask).await;
    assert_eq!(counted(&t).await, 1);
}

fn from(address: &str, email: &str, password: &str) -> Ask {
    let mut ask = guess(email, password);
    ask.forwarded_for = Some(address.to_owned());
    ask
}

async fn the_eleventh_wrong_password_waits_and_the_owner_does_not(t: TestApp) {
    member(&t, OWNER, Role::Finance, None).await;
    let http = Http::behind(&t.app, &["203.0.113.0/24"]);
    let at_home = "192.0.2.7";
    let signed_in = http.send(from(at_home, OWNER, PASSWORD)).await;
    assert_eq!(outcome(&signed_in), "signed in");
    let mut outcomes = Vec::new();
    for number in 0..11 {
        let guessed = from("198.51.100.1", OWNER, &format!("guess number {number}"));
        outcomes.push(outcome(&http.send(guessed).await));
    }
    assert_eq!(outcomes[..10], ["wrong"; 10]);
    assert_eq!(outcomes[10], "waits");
    let right = from("198.51.100.1", OWNER, PASSWORD);
    assert_eq!(
        outcome(&http.send(right).await),
        "waits",
        "there, even the right one"
    );
    let elsewhere = from("192.0.2.99", OWNER, PASSWORD);
    assert_eq!(outcome(&http.send(elsewhere).await), "signed in");
    let other = from("198.51.100.1", "ben@vendor.example", "a wrong password");
    assert_eq!(outcome(&http.send(other).await), "wrong", "another account");
}

async fn guesses_from_any_number_of_addresses_learn_no_more_than_fifty(t: TestApp) {
    member(&t, OWNER, Role::Finance, None).await;
    let http = Http::behind(&t.app, &["203.0.113.0/24"]);
    let at_home = "192.0.2.7";
    let signed_in = http.send(from(at_home, OWNER, PASSWORD)).await;
    assert_eq!(outcome(&signed_in), "signed in");
    let mut outcomes = Vec::new();
    for number in 0..200 {
        let address = format!("198.51.100.{number}");
        let guessed = from(&address, OWNER, &format!("guess number {number}"));
        outcomes.push(outcome(&http.send(guessed).await));
    }
    assert_eq!(outcomes[..50], ["wrong"; 50]);
    assert!(outcomes[50..].iter().all(|outcome| *outcome == "waits"));
    assert_eq!(counted(&t).await, 50);
    let unknown = from("198.51.100.250", OWNER, PASSWORD);
    assert_eq!(outcome(&http.send(unknown).await), "waits");
    // Where the owner signed in before, guessing elsewhere changes nothing.
    let known = from(at_home, OWNER, PASSWORD);
    assert_eq!(outcome(&http.send(known).await), "signed in");
}

async fn a_made_up_address_is_believed_from_a_trusted_proxy_only(t: TestApp) {
    let eleven = async |http: &Http, email: &str| {
        let mut outcomes = Vec::new();
        for number in 0..11 {
            let guessed = from(&format!("198.51.100.{number}"), email, "a wrong password");
            outcomes.push(outcome(&http.send(guessed).await));
        }
        outcomes
    };
    let open = eleven(&Http::of(&t.app), "ada@vendor.example").await;
    assert_eq!((&open[..10], open[10]), (["wrong"; 10].as_slice(), "waits"));
    let proxied = Http::behind(&t.app, &["203.0.113.0/24"]);
    assert_eq!(eleven(&proxied, "bo@vendor.example").await, ["wrong"; 11]);
}

async fn wrong_passwords_of_others_at_an_address_keep_nobody_out(t: TestApp) {
    member(&t, OWNER, Role::Finance, None).await;
    let http = Http::of(&t.app);
    for number in 0..100 {
        let wrong = guess(&format!("user{number}@vendor.example"), "a wrong password");
        assert_eq!(outcome(&http.send(wrong).await), "wrong");
    }
    assert_eq!(
        outcome(&http.send(guess(OWNER, PASSWORD)).await),
        "signed in"
    );
    // A wrong one is answered, but not at once.
    let asked = Instant::now();
    let wrong = guess("another@vendor.example", "a wrong password");
    assert_eq!(outcome(&http.send(wrong).await), "wrong");
    assert!(asked.elapsed() >= throttle::PAUSE, "{:?}", asked.elapsed());
    // Nor do they keep anybody from a link.
    let request =
        "mutation { passwordResetRequest(input: {email: \"anna@vendor.example\"}) { accepted } }";
    let reply = http.send(Ask::anonymous(request, json!({}))).await;
    assert_eq!(
        reply.json()["data"]["passwordResetRequest"]["accepted"],
        true
    );
}

async fn the_owner_of_a_locked_account_gets_in_by_a_reset(t: TestApp) {
    member(&t, OWNER, Role::Finance, None).await;
    let http = Http::behind(&t.app, &["203.0.113.0/24"]);
    for number in 0..50 {
        let address = format!("198.51.100.{}", number / 10);
        let wrong = from(&address, OWNER, "a wrong password");
        assert_eq!(outcome(&http.send(wrong).await), "wrong");
    }
    // The owner comes from somewhere new, with the right password, and must wait like anybody.
    let owner = |mut ask: Ask| {
        ask.forwarded_for = Some("192.0.2.55".to_owned());
        ask
    };
    assert_eq!(
        outcome(&http.send(owner(guess(OWNER, PASSWORD))).await),
        "waits"
    );
    // Whoever guesses can also ask for links; the owner's mailbox still gets one.
    let request = "mutation($email: String!) { passwordResetRequest(input: {email: $email}) { accepted userErrors { code } } }";
    for _ in 0..5 {
        http.send(Ask::anonymous(request, json!({"email": OWNER})))
            .await;
        t.advance(chrono::TimeDelta::milliseconds(1));
    }
    let reply = http
        .send(owner(Ask::anonymous(request, json!({"email": OWNER}))))
        .await;
    assert_eq!(
        reply.json()["data"]["passwordResetRequest"]["accepted"],
        true,
        "{reply:?}"
    );
    t.settle().await;
    let link = latest_token(&t, TokenPurpose::PasswordReset).await;
    assert!(
        t.outbox
            .sent()
            .iter()
            .any(|mail| mail.message.to_address == OWNER && mail.message.text.contains(&link))
    );
    let reset = "mutation($token: String!, $password: String!) { passwordReset(input: {token: $token, password: $password}) { userErrors { code } } }";
    let done = http
        .send(owner(Ask::anonymous(
            reset,
            json!({"token": link, "password": "a new long password"}),
        )))
        .await;
    assert_eq!(
        done.json()["data"]["passwordReset"]["userErrors"],
        json!([]),
        "{done:?}"
    );
    assert_eq!(
        outcome(&http.send(owner(guess(OWNER, "a new long password"))).await),
        "signed in"
    );
    assert_eq!(
        session::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        1
    );
}

/// Addresses of everybody who may ask: active, unknown, no address at all, invited, deactivated.
async fn everybody(t: &TestApp, http: &Http) -> [&'static str; 5] {
    let [invited, left] = ["ben@vendor.example", "dora@vendor.example"];
    member(t, OWNER, Role::Finance, None).await;
    let dora = member(t, left, Role::Finance, None).await;
    let admin = token_of(t, &t.admin().await);
    let invite = "mutation($email: EmailAddress!) { userInvite(input: {email: $email, name: \"Ben\", role: FINANCE}) { userErrors { code } } }";
    let deactivate = "mutation($id: ID!) { userDeactivate(input: {userId: $id, expectedVersion: 1}) { userErrors { code } } }";
    for (document, variables) in [
        (invite, json!({ "email": invited })),
        (deactivate, json!({ "id": dora.text() })),
    ] {
        let done = http.send(Ask::bearing(&admin, document, variables)).await;
        assert!(done.text.contains("\"userErrors\":[]"), "{done:?}");
    }
    t.settle().await;
    [OWNER, "nobody@vendor.example", "no address", invited, left]
}

async fn an_unknown_address_costs_the_same_work_as_a_known_one(t: TestApp) {
    let http = Http::of(&t.app);
    let everybody = everybody(&t, &http).await;
    let wrong = everybody.map(|email| (email, "a wrong password"));
    // Whoever was deactivated knows the right one.
    let all = wrong.into_iter().chain([(everybody[4], PASSWORD)]);
    let mut costs = Vec::new();
    for (email, password) in all {
        let (hashes, rows) = (t.app.passwords().computed(), counted(&t).await);
        let reply = http.send(guess(email, password)).await;
        assert_eq!(outcome(&reply), "wrong", "{email}");
        costs.push((
            t.app.passwords().computed() - hashes,
            counted(&t).await - rows,
            reply,
        ));
    }
    assert_eq!((costs[0].0, costs[0].1), (1, 1));
    assert_eq!(costs, vec![costs[0].clone(); 6]);
}

async fn a_request_for_a_new_password_answers_everybody_the_same(t: TestApp) {
    let http = Http::of(&t.app);
    let request = "mutation($email: String!) { passwordResetRequest(input: {email: $email}) { accepted userErrors { code } } }";
    let ask = async |email: &str| {
        t.statements();
        let variables = json!({ "email": email });
        let reply = http.send(Ask::anonymous(request, variables)).await;
        // Which statements it took, whatever their values.
        let sent: Vec<_> = t.statements().into_iter().map(|s| s.sql).collect();
        (reply, sent)
    };
    let everybody = everybody(&t, &http).await;
    let mut answers = Vec::new();
    for email in everybody {
        answers.push(ask(email).await);
    }
    let [known, unknown, nonsense, invited, left] = answers.try_into().unwrap();
    assert!(unknown.0.text.contains("\"accepted\":true"), "{unknown:?}");
    assert_eq!(invited, unknown);
    assert_eq!(left, unknown);
    // Nobody is looked for under what is no address.
    assert_eq!(nonsense.0, unknown.0);
    assert_eq!(nonsense.1.len() + 1, unknown.1.len());
    // A link for somebody is a ticket, an audit row and a mail more, until three were asked for.
    assert_eq!(known.0, unknown.0);
    let more: Vec<_> = known
        .1
        .iter()
        .filter(|sql| !unknown.1.contains(sql))
        .collect();
    let tables = ["user_token", "audit_event", "job"];
    for table in tables {
        let into = format!("INTO \"{table}\"");
        assert!(more.iter().any(|sql| sql.contains(&into)), "{more:#?}");
    }
    for _ in 1..3 {
        assert_eq!(ask(OWNER).await, known);
    }
    assert_eq!(ask(OWNER).await, unknown);
}
