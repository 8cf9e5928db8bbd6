//! People: how they come in, what they may see and do, and the trail they leave.

mod audit;
mod entry;
mod people;
mod sign_in;

use chrono::{DateTime, Utc};
use ensemble::{
    access::Actor,
    entity::{
        audit_event,
        ids::{PartnerId, UserId, UserTokenId},
        job,
        partner::{self, PartnerStatus},
        session,
        user::{self, Role},
        user_token::{self, TokenPurpose},
    },
    identity::{admin, links},
    platform::ids::{self, TypedId},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::support::{Answer, Case, TestApp};

/// The cases of this folder.
pub fn cases() -> Vec<Case> {
    [
        sign_in::cases(),
        entry::cases(),
        people::cases(),
        audit::cases(),
    ]
    .concat()
}

/// The password of [`member`].
pub const PASSWORD: &str = "correct horse battery";

/// A user who can sign in with [`PASSWORD`].
pub async fn member(t: &TestApp, email: &str, role: Role, partner_id: Option<PartnerId>) -> UserId {
    let hash = t.app.passwords().hash(PASSWORD.into()).await.unwrap();
    let command = admin::Create {
        email: email.to_owned(),
        name: "Anna Berg".to_owned(),
        role,
        partner_id,
        locale: None,
        password_hash: hash,
    };
    t.write(move |tx| {
        let command = command.clone();
        Box::pin(async move { admin::create(tx, command).await })
    })
    .await
    .unwrap()
}

async fn company(t: &TestApp, name: &str) -> PartnerId {
    let now = t.app.clock().now();
    let id = PartnerId::of(ids::mint(now));
    let row = partner::ActiveModel {
        id: Set(id),
        external_id: Set(None),
        legal_name: Set(name.to_owned()),
        display_name: Set(name.to_owned()),
        name_key: Set(name.to_lowercase()),
        size: Set(None),
        country: Set(None),
        region: Set(None),
        website: Set(None),
        registration_number: Set(None),
        parent_id: Set(None),
        status: Set(PartnerStatus::Active),
        dpa_valid_until: Set(None),
        version: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    };
    t.write(move |tx| {
        let row = row.clone();
        Box::pin(async move { tx.insert(row).await })
    })
    .await
    .unwrap();
    id
}

const LOGIN: &str = "mutation($email: String!, $password: String!) {
    login(input: {email: $email, password: $password}) {
        accessToken refreshToken expiresAt viewer { id email role permissions } userErrors { code message field }
    }
}";

async fn login(t: &TestApp, email: &str, password: &str) -> Answer {
    t.ask_as(
        &Actor::Anonymous,
        LOGIN,
        json!({"email": email, "password": password}),
    )
    .await
}

async fn token_refresh(t: &TestApp, token: &str) -> Answer {
    let document = "mutation($token: String!) {
        tokenRefresh(input: {refreshToken: $token}) { accessToken refreshToken userErrors { code message field } }
    }";
    t.ask_as(&Actor::Anonymous, document, json!({"token": token}))
        .await
}

/// Whether the access token opens the door.
async fn lets_in(t: &TestApp, access_token: &str) -> bool {
    ensemble::identity::authenticate(&t.app, access_token)
        .await
        .is_ok()
}

async fn request_reset(t: &TestApp, email: &str) -> Answer {
    let document = "mutation($email: String!) {
        passwordResetRequest(input: {email: $email}) { accepted userErrors { code message field } }
    }";
    t.ask_as(&Actor::Anonymous, document, json!({"email": email}))
        .await
}

/// The token in the link that the latest mail of this purpose would carry.
pub async fn latest_token(t: &TestApp, purpose: TokenPurpose) -> String {
    let row = user_token::Entity::find()
        .filter(user_token::Column::Purpose.eq(purpose))
        .order_by_desc(user_token::Column::Id)
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    let id: UserTokenId = row.id;
    let (page, link) = match purpose {
        TokenPurpose::Invitation => ("invitation", links::invitation(&t.app, id, &row.token_hash)),
        TokenPurpose::PasswordReset => (
            "password-reset",
            links::password_reset(&t.app, id, &row.token_hash),
        ),
    };
    let link = link.unwrap().expose_secret().to_owned();
    link.strip_prefix(&format!("http://localhost:8080/{page}?token="))
        .unwrap()
        .to_owned()
}

/// How many rows there are of everything that a refused mutation must leave alone.
async fn rows(t: &TestApp) -> [u64; 5] {
    let db = t.app.db().reader();
    [
        user::Entity::find().count(db).await.unwrap(),
        user_token::Entity::find().count(db).await.unwrap(),
        session::Entity::find().count(db).await.unwrap(),
        audit_event::Entity::find().count(db).await.unwrap(),
        job::Entity::find().count(db).await.unwrap(),
    ]
}

/// The names of what was recorded about a user, by alphabet: the clock stands still, so it tells no order.
async fn recorded(t: &TestApp, user: UserId) -> Vec<String> {
    let events = audit_event::Entity::find()
        .filter(audit_event::Column::SubjectId.eq(user.uuid()))
        .order_by_asc(audit_event::Column::Action)
        .all(t.app.db().reader())
        .await
        .unwrap();
    events.into_iter().map(|event| event.action).collect()
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
