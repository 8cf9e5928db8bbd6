//! Tokens through every layer of the server: forged, stale, copied, and of somebody who was put out.

use std::sync::Arc;

use axum::{
    extract::ws::Message,
    http::{HeaderMap, Request},
};
use chrono::TimeDelta;
use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey};
use ensemble::{
    access::Actor,
    app::{App, Parts},
    entity::{session, user::Role},
    graphql::{refusal::RequestId, ws},
    platform::auth::{opaque::OpaqueTokens, token::Keys},
    server,
};
use futures_util::{sink, stream};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sea_orm::{EntityTrait, PaginatorTrait};
use secrecy::SecretSlice;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::mpsc::unbounded_channel;

use super::http::{Ask, Http, Reply, token_of};
use crate::{
    cases,
    identity::{PASSWORD, member},
    support::{Person, SECRET, TestApp},
};

cases!(
    only_a_token_of_ours_that_is_whole_and_in_time_opens_the_door,
    a_retired_key_opens_as_long_as_its_secret_is_configured,
    a_refresh_token_sent_thirty_two_times_at_once_has_one_successor,
    a_refresh_token_replayed_later_ends_the_session_for_the_next_request,
    whoever_is_deactivated_is_out_with_the_next_request,
    whoever_is_deactivated_is_cut_off_from_an_open_socket,
);

const VIEWER: &str = "{ viewer { id } }";

/// The claims of a good token, changed.
fn claims(t: &TestApp, person: &Person, change: impl FnOnce(&mut Value)) -> Value {
    let Actor::User(user) = &person.actor else {
        panic!("people carry tokens")
    };
    let now = t.app.clock().now().timestamp();
    let mut claims = json!({
        "sub": user.user_id.0, "sid": user.session_id.0, "iat": now, "exp": now + 600,
        "iss": "http://localhost:8080", "aud": "ensemble",
    });
    change(&mut claims);
    claims
}

/// Signed with the server's own key: whatever is refused is not refused for its signature.
fn signed(secret: &[u8], kid: &str, claims: &Value) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(b"ensemble access token ed25519 v1");
    let seed: [u8; 32] = mac.finalize().into_bytes().into();
    let pair = SigningKey::from_bytes(&seed).to_pkcs8_der().unwrap();
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(kid.to_owned());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(pair.as_bytes())).unwrap()
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(
                LETTERS[(bits >> (18 - 6 * place)) as usize & 63],
            ));
        }
    }
    text
}

/// The server's one public key, with its name.
async fn public_key(http: &Http) -> (String, String) {
    let request = Request::get("/.well-known/jwks.json")
        .body(axum::body::Body::empty())
        .unwrap();
    let keys = http.raw(request).await.json();
    let text = |name: &str| keys["keys"][0][name].as_str().unwrap().to_owned();
    (text("kid"), text("x"))
}

async fn only_a_token_of_ours_that_is_whole_and_in_time_opens_the_door(t: TestApp) {
    let http = Http::of(&t.app);
    let anna = t.vendor(Role::Finance).await;
    let (kid, x) = public_key(&http).await;
    let good = claims(&t, &anna, |_| ());
    let opened = view(&http, &signed(SECRET, &kid, &good)).await;
    assert_eq!(
        opened.json()["data"]["viewer"]["id"],
        anna.id.to_string(),
        "{opened:?}"
    );

    let changed = |change: fn(&mut Value)| signed(SECRET, &kid, &claims(&t, &anna, change));
    let own = token_of(&t, &anna);
    let parts: Vec<&str> = own.split('.').collect();
    let other = claims(&t, &t.vendor(Role::Administrator).await, |_| ());
    let payload = base64url(other.to_string().as_bytes());
    let none = |alg: &str| {
        format!(
            "{}.{}.",
            base64url(
                json!({"alg": alg, "typ": "JWT", "kid": kid})
                    .to_string()
                    .as_bytes()
            ),
            parts[1]
        )
    };
    let with_mac = |key: &[u8]| {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(kid.clone());
        jsonwebtoken::encode(&header, &good, &EncodingKey::from_secret(key)).unwrap()
    };
    let raw_x =
        EncodingKey::from_base64_secret(&format!("{}=", x.replace('-', "+").replace('_', "/")))
            .unwrap();
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(kid.clone());
    let with_raw_x = jsonwebtoken::encode(&header, &good, &raw_x).unwrap();
    let mut signature = parts[2].to_owned();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    signature.replace_range(0..1, first);
    let forged = [
        ("empty", String::new()),
        ("no token", "nonsense".to_owned()),
        ("alg none", none("none")),
        ("alg None", none("None")),
        ("HS256 with the public key", with_mac(x.as_bytes())),
        ("HS256 with the public key's bytes", with_raw_x),
        ("HS256 with the secret", with_mac(SECRET)),
        (
            "exp as text",
            changed(|c| c["exp"] = json!(c["exp"].to_string())),
        ),
        (
            "exp missing",
            changed(|c| drop(c.as_object_mut().unwrap().remove("exp"))),
        ),
        (
            "exp far away",
            changed(|c| c["exp"] = json!(c["exp"].as_i64().unwrap() + 86_400)),
        ),
        (
            "aud missing",
            changed(|c| drop(c.as_object_mut().unwrap().remove("aud"))),
        ),
        ("aud of another", changed(|c| c["aud"] = json!("other"))),
        (
            "iss missing",
            changed(|c| drop(c.as_object_mut().unwrap().remove("iss"))),
        ),
        (
            "iss of another",
            changed(|c| c["iss"] = json!("https://evil.example")),
        ),
        (
            "sid missing",
            changed(|c| drop(c.as_object_mut().unwrap().remove("sid"))),
        ),
        (
            "issued in the future",
            changed(|c| c["iat"] = json!(c["iat"].as_i64().unwrap() + 60)),
        ),
        (
            "not good yet",
            changed(|c| c["nbf"] = json!(c["iat"].as_i64().unwrap() + 60)),
        ),
        (
            "expired",
            changed(|c| {
                c["exp"] = json!(c["iat"].as_i64().unwrap() - 10);
                c["iat"] = json!(c["iat"].as_i64().unwrap() - 600);
            }),
        ),
        ("unknown kid", signed(SECRET, "0000000000000000", &good)),
        (
            "key of another secret",
            signed(b"another secret of thirty-two bytes", &kid, &good),
        ),
        (
            "payload of another",
            format!("{}.{payload}.{}", parts[0], parts[2]),
        ),
        (
            "signature tampered with",
            format!("{}.{}.{signature}", parts[0], parts[1]),
        ),
        ("signature missing", format!("{}.{}.", parts[0], parts[1])),
    ];
    let first = view(&http, &forged[0].1).await;
    assert_eq!(
        (first.status, first.code().as_str()),
        (401, "UNAUTHENTICATED")
    );
    for (what, token) in forged.iter().skip(1) {
        let reply = view(&http, token).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (401, "UNAUTHENTICATED"),
            "{what}: {reply:?}"
        );
        assert!(reply.json().get("data").is_none(), "{what}");
    }
    // Without a token one is nobody, whom the fields themselves refuse.
    let nobody = http.send(Ask::anonymous(VIEWER, json!({}))).await;
    assert_eq!(nobody.code(), "UNAUTHENTICATED");
    t.advance(TimeDelta::minutes(11));
    assert_eq!(view(&http, &own).await.status, 401);
}

/// The same application under other secrets.
fn under(t: &TestApp, current: &[u8], previous: Option<&[u8]>) -> App {
    let secret = |bytes: &[u8]| SecretSlice::from(bytes.to_vec());
    let (current, previous) = (secret(current), previous.map(secret));
    App::new(Parts {
        db: t.app.db().clone(),
        clock: t.app.clock().clone(),
        passwords: t.app.passwords().clone(),
        keys: Keys::new(
            &current,
            previous.as_ref(),
            "http://localhost:8080",
            "ensemble",
        )
        .unwrap(),
        tokens: OpaqueTokens::new(current, previous),
        mail: t.app.mail().clone(),
        files: t.app.files().clone(),
        site: t.app.site().clone(),
        wake: Arc::default(),
        tasks: t.app.tasks().clone(),
    })
}

const LOGIN: &str = "mutation($email: String!, $password: String!) {
    login(input: {email: $email, password: $password}) { accessToken refreshToken userErrors { code } } }";
const REFRESH: &str = "mutation($token: String!) {
    tokenRefresh(input: {refreshToken: $token}) { accessToken refreshToken userErrors { code } } }";

async fn log_in(http: &Http, email: &str) -> (String, String) {
    let reply = http
        .send(Ask::anonymous(
            LOGIN,
            json!({"email": email, "password": PASSWORD}),
        ))
        .await
        .json();
    let text = |name: &str| {
        reply["data"]["login"][name]
            .as_str()
            .unwrap_or_else(|| panic!("{reply:#}"))
            .to_owned()
    };
    (text("accessToken"), text("refreshToken"))
}

async fn refresh(http: &Http, token: &str) -> Value {
    let reply = http
        .send(Ask::anonymous(REFRESH, json!({ "token": token })))
        .await;
    reply.json()["data"]["tokenRefresh"].clone()
}

async fn view(http: &Http, token: &str) -> Reply {
    http.send(Ask::bearing(token, VIEWER, json!({}))).await
}

async fn a_retired_key_opens_as_long_as_its_secret_is_configured(t: TestApp) {
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    let (access, token) = log_in(&Http::of(&t.app), "anna@vendor.example").await;
    let next = b"the next secret, of thirty-two bytes".as_slice();
    let last = b"the one after, again of enough bytes".as_slice();
    let rotated = Http::of(&under(&t, next, Some(SECRET)));
    let retired = Http::of(&under(&t, last, Some(next)));
    assert_eq!(view(&retired, &access).await.status, 401);
    let refused = refresh(&retired, &token).await;
    assert_eq!(refused["userErrors"][0]["code"], "UNAUTHENTICATED");
    assert_eq!(view(&rotated, &access).await.status, 200);
    let renewed = refresh(&rotated, &token).await;
    assert_eq!(renewed["userErrors"], json!([]));
    // What the new key signed outlives the old one.
    let access = renewed["accessToken"].as_str().unwrap();
    assert_eq!(view(&retired, access).await.status, 200);
    assert_eq!(view(&Http::of(&t.app), access).await.status, 401);
}

async fn a_refresh_token_sent_thirty_two_times_at_once_has_one_successor(t: TestApp) {
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    let http = Http::of(&t.app);
    let (_, token) = log_in(&http, "anna@vendor.example").await;
    let answers = futures_util::future::join_all((0..32).map(|_| {
        let (http, token) = (http.clone(), token.clone());
        tokio::spawn(async move { refresh(&http, &token).await })
    }))
    .await;
    let answers: Vec<Value> = answers.into_iter().map(Result::unwrap).collect();
    for answer in &answers {
        assert_eq!(answer["userErrors"], json!([]), "{answer:#}");
        assert_eq!(answer["refreshToken"], answers[0]["refreshToken"]);
        assert_eq!(
            view(&http, answer["accessToken"].as_str().unwrap())
                .await
                .status,
            200
        );
    }
    let sessions = session::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(
        sessions
            .iter()
            .map(|row| row.revoked_at)
            .collect::<Vec<_>>(),
        [None]
    );
    let tokens = ensemble::entity::refresh_token::Entity::find()
        .count(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(tokens, 2);
    let successor = answers[0]["refreshToken"].as_str().unwrap();
    assert_eq!(refresh(&http, successor).await["userErrors"], json!([]));
}

async fn a_refresh_token_replayed_later_ends_the_session_for_the_next_request(t: TestApp) {
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    let http = Http::of(&t.app);
    let (_, stolen) = log_in(&http, "anna@vendor.example").await;
    let owner = refresh(&http, &stolen).await;
    let access = owner["accessToken"].as_str().unwrap();
    assert_eq!(view(&http, access).await.status, 200);
    t.advance(TimeDelta::seconds(11));
    let replayed = refresh(&http, &stolen).await;
    assert_eq!(
        (
            &replayed["userErrors"][0]["code"],
            &replayed["refreshToken"]
        ),
        (&json!("UNAUTHENTICATED"), &Value::Null)
    );
    assert_eq!(view(&http, access).await.status, 401);
    let family = refresh(&http, owner["refreshToken"].as_str().unwrap()).await;
    assert_eq!(family["userErrors"][0]["code"], "UNAUTHENTICATED");
}

/// Puts somebody out as the administrator would.
async fn deactivate(t: &TestApp, http: &Http, person: &Person) {
    let document = "mutation($id: ID!) { userDeactivate(input: {userId: $id, expectedVersion: 1}) { userErrors { code } } }";
    let admin = token_of(t, &t.admin().await);
    let done = http
        .send(Ask::bearing(
            &admin,
            document,
            json!({"id": person.id.to_string()}),
        ))
        .await
        .json();
    assert_eq!(
        done["data"]["userDeactivate"]["userErrors"],
        json!([]),
        "{done:#}"
    );
}

async fn whoever_is_deactivated_is_out_with_the_next_request(t: TestApp) {
    let http = Http::of(&t.app);
    let anna = t.vendor(Role::Finance).await;
    let token = token_of(&t, &anna);
    assert_eq!(view(&http, &token).await.status, 200);
    deactivate(&t, &http, &anna).await;
    let out = view(&http, &token).await;
    assert_eq!((out.status, out.code().as_str()), (401, "UNAUTHENTICATED"));
}

async fn whoever_is_deactivated_is_cut_off_from_an_open_socket(t: TestApp) {
    let http = Http::of(&t.app);
    // One is found out by the next operation, the other, who says nothing, by the next ping.
    for talks in [true, false] {
        let anna = t.vendor(Role::Finance).await;
        let mut settings = server::settings();
        assert!(
            settings.ping <= std::time::Duration::from_secs(20),
            "a silent one stays for one ping"
        );
        if !talks {
            settings.ping = std::time::Duration::from_millis(50);
        }
        let transport = server::transport(&t.app, settings).unwrap();
        let (out, theirs) = unbounded_channel();
        let (sender, mut input) = unbounded_channel::<Message>();
        let sink = Box::pin(sink::unfold(sender, |sender, message| async move {
            sender.send(message).map(|()| sender).map_err(drop)
        }));
        let messages = Box::pin(stream::unfold(
            theirs,
            |mut theirs: tokio::sync::mpsc::UnboundedReceiver<Message>| async move {
                theirs
                    .recv()
                    .await
                    .map(|message| (Ok::<_, std::convert::Infallible>(message), theirs))
            },
        ));
        tokio::spawn(ws::serve(
            transport,
            RequestId("socket".into()),
            HeaderMap::new(),
            (sink, messages),
            true,
        ));
        let say = |message: Value| out.send(Message::Text(message.to_string().into())).unwrap();
        say(json!({"type": "connection_init", "payload": {"authorization": token_of(&t, &anna)}}));
        say(json!({"type": "subscribe", "id": "1", "payload": {"query": VIEWER}}));
        let mut heard = String::new();
        while !heard.contains("complete") {
            match input.recv().await.unwrap() {
                Message::Text(text) => heard.push_str(&text),
                // A client that answers no ping is taken for gone.
                Message::Ping(_) => out.send(Message::Pong(Vec::new().into())).unwrap(),
                other => panic!("{other:?}"),
            }
        }
        assert!(heard.contains(&anna.id.to_string()), "{heard}");
        let put_out = async {
            deactivate(&t, &http, &anna).await;
            if talks {
                say(json!({"type": "subscribe", "id": "2", "payload": {"query": VIEWER}}));
            }
        };
        // Pings are answered all the time: who misses one is taken for gone, however long the rest takes.
        let closed = async {
            loop {
                match input.recv().await {
                    Some(Message::Close(Some(frame))) => break frame.code,
                    Some(Message::Ping(_)) => out.send(Message::Pong(Vec::new().into())).unwrap(),
                    Some(Message::Text(text)) => panic!("the socket goes on: {text}"),
                    other => panic!("{other:?}"),
                }
            }
        };
        let ((), code) = tokio::join!(put_out, closed);
        assert_eq!(code, 4401);
    }
}
