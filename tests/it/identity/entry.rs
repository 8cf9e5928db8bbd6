//! Invitations and lost passwords.

use chrono::TimeDelta;
use ensemble::{
    access::Actor,
    entity::{
        audit_event, job,
        user::{self, Role, UserStatus},
        user_token::TokenPurpose,
    },
};
use sea_orm::EntityTrait;
use serde_json::json;

use super::{
    PASSWORD, company, latest_token, lets_in, login, member, recorded, request_reset, rows,
};
use crate::{
    cases,
    support::{Answer, Person, TestApp},
};

cases!(
    an_invited_person_chooses_a_password_and_is_in,
    an_invitation_is_good_for_one_use,
    an_invitation_is_good_for_72_hours,
    inviting_again_replaces_the_link,
    strangers_are_not_flooded_with_invitations,
    a_name_in_an_invitation_is_no_link,
    a_bad_password_or_name_leaves_the_invitation_open,
    an_unknown_address_gets_the_same_answer_and_no_link,
    a_mailbox_is_not_flooded_with_links,
    a_reset_ends_all_sessions_and_frees_a_throttled_account,
    a_reset_link_is_good_for_30_minutes_and_one_use,
    no_secret_is_written_down,
);

async fn invite(t: &TestApp, by: &Person, email: &str) -> Answer {
    let document = "mutation($email: EmailAddress!) {
        userInvite(input: {email: $email, name: \"Ben Roth\", role: FINANCE}) {
            user { id status email version } userErrors { code message field }
        }
    }";
    t.ask(by, document, json!({"email": email})).await
}

async fn accept(t: &TestApp, token: &str, password: &str) -> Answer {
    let document = "mutation($token: String!, $password: String!) {
        invitationAccept(input: {token: $token, password: $password, name: \"Benjamin Roth\"}) {
            accessToken refreshToken viewer { id name status email } userErrors { code message field }
        }
    }";
    t.ask_as(
        &Actor::Anonymous,
        document,
        json!({"token": token, "password": password}),
    )
    .await
}

async fn reset(t: &TestApp, token: &str, password: &str) -> Answer {
    let document = "mutation($token: String!, $password: String!) {
        passwordReset(input: {token: $token, password: $password}) { user { id } userErrors { code message field } }
    }";
    t.ask_as(
        &Actor::Anonymous,
        document,
        json!({"token": token, "password": password}),
    )
    .await
}

async fn an_invited_person_chooses_a_password_and_is_in(t: TestApp) {
    let admin = t.admin().await;
    let invited = invite(&t, &admin, "Ben@Vendor.example").await;
    assert_eq!(
        invited.done("userInvite").text("userInvite/user/status"),
        "INVITED"
    );
    assert_eq!(invited.text("userInvite/user/email"), "ben@vendor.example");
    assert_eq!(
        login(&t, "ben@vendor.example", PASSWORD)
            .await
            .refusal("login"),
        "UNAUTHENTICATED"
    );

    let token = latest_token(&t, TokenPurpose::Invitation).await;
    let accepted = accept(&t, &token, PASSWORD).await;
    accepted.done("invitationAccept");
    assert_eq!(
        accepted.text("invitationAccept/viewer/name"),
        "Benjamin Roth"
    );
    assert_eq!(accepted.text("invitationAccept/viewer/status"), "ACTIVE");
    assert_eq!(
        accepted.text("invitationAccept/viewer/email"),
        "ben@vendor.example"
    );
    assert!(lets_in(&t, &accepted.text("invitationAccept/accessToken")).await);
    login(&t, "ben@vendor.example", PASSWORD)
        .await
        .done("login");

    let id = accepted.text("invitationAccept/viewer/id");
    let ben = user::Entity::find().all(t.app.db().reader()).await.unwrap();
    let ben = ben
        .into_iter()
        .find(|user| user.id.to_string() == id)
        .unwrap();
    let events = [
        "session.started",
        "session.started",
        "user.activated",
        "user.invited",
    ];
    assert_eq!(recorded(&t, ben.id).await, events);
}

async fn an_invitation_is_good_for_one_use(t: TestApp) {
    let admin = t.admin().await;
    invite(&t, &admin, "ben@vendor.example")
        .await
        .done("userInvite");
    let token = latest_token(&t, TokenPurpose::Invitation).await;
    let answers =
        futures_util::future::join_all((0..5).map(|_| accept(&t, &token, PASSWORD))).await;
    let accepted = answers
        .iter()
        .filter(|answer| answer.refusals("invitationAccept").is_empty())
        .count();
    assert_eq!(accepted, 1);
    let before = rows(&t).await;
    let again = accept(&t, &token, "another good password").await;
    assert_eq!(again.refusal("invitationAccept"), "INVALID_TOKEN");
    assert_eq!(
        again.at("invitationAccept/userErrors/0/field"),
        &json!(["token"])
    );
    // A reset link is no invitation, whatever it is called.
    let other = accept(&t, &token.replacen("ens_in_", "ens_pr_", 1), PASSWORD).await;
    assert_eq!(other.refusal("invitationAccept"), "INVALID_TOKEN");
    assert_eq!(rows(&t).await, before);
    login(&t, "ben@vendor.example", PASSWORD)
        .await
        .done("login");
}

async fn an_invitation_is_good_for_72_hours(t: TestApp) {
    let admin = t.admin().await;
    for (index, late) in [-1, 0, 1].into_iter().enumerate() {
        let email = format!("ben{index}@vendor.example");
        invite(&t, &admin, &email).await.done("userInvite");
        let token = latest_token(&t, TokenPurpose::Invitation).await;
        t.advance(TimeDelta::hours(72) + TimeDelta::microseconds(late));
        let before = rows(&t).await;
        let answer = accept(&t, &token, PASSWORD).await;
        if late < 0 {
            answer.done("invitationAccept");
        } else {
            assert_eq!(answer.refusal("invitationAccept"), "INVALID_TOKEN");
            assert_eq!(rows(&t).await, before);
        }
    }
}

async fn inviting_again_replaces_the_link(t: TestApp) {
    let admin = t.admin().await;
    let first = invite(&t, &admin, "ben@vendor.example").await;
    let old = latest_token(&t, TokenPurpose::Invitation).await;
    t.advance(TimeDelta::hours(80));
    let second = invite(&t, &admin, "BEN@vendor.example").await;
    assert_eq!(
        second.done("userInvite").text("userInvite/user/id"),
        first.text("userInvite/user/id")
    );
    let new = latest_token(&t, TokenPurpose::Invitation).await;
    assert_eq!(
        accept(&t, &old, PASSWORD).await.refusal("invitationAccept"),
        "INVALID_TOKEN"
    );
    accept(&t, &new, PASSWORD).await.done("invitationAccept");
    let before = rows(&t).await;
    let third = invite(&t, &admin, "ben@vendor.example").await;
    assert_eq!(third.refusal("userInvite"), "DUPLICATE");
    assert_eq!(rows(&t).await, before);
}

async fn a_bad_password_or_name_leaves_the_invitation_open(t: TestApp) {
    let admin = t.admin().await;
    invite(&t, &admin, "ben@vendor.example")
        .await
        .done("userInvite");
    let token = latest_token(&t, TokenPurpose::Invitation).await;
    let before = rows(&t).await;
    let short = accept(&t, &token, "short").await;
    assert_eq!(short.refusal("invitationAccept"), "BAD_USER_INPUT");
    assert_eq!(
        short.at("invitationAccept/userErrors/0/field"),
        &json!(["password"])
    );
    let document = "mutation($token: String!) {
        invitationAccept(input: {token: $token, password: \"correct horse battery\", name: \"Ben\\r\\nBcc: x@y.example\"}) {
            userErrors { code field }
        }
    }";
    let forged = t
        .ask_as(&Actor::Anonymous, document, json!({"token": token}))
        .await;
    assert_eq!(forged.refusal("invitationAccept"), "BAD_USER_INPUT");
    assert_eq!(rows(&t).await, before);
    accept(&t, &token, PASSWORD).await.done("invitationAccept");
}

async fn an_unknown_address_gets_the_same_answer_and_no_link(t: TestApp) {
    let admin = t.admin().await;
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    invite(&t, &admin, "ben@vendor.example")
        .await
        .done("userInvite");
    let before = rows(&t).await;
    let unknown = request_reset(&t, "nobody@vendor.example").await;
    assert_eq!(
        unknown
            .done("passwordResetRequest")
            .at("passwordResetRequest/accepted"),
        &json!(true)
    );
    for address in ["ben@vendor.example", "no address", ""] {
        assert_eq!(request_reset(&t, address).await.json, unknown.json);
    }
    assert_eq!(rows(&t).await, before);
    assert_eq!(
        request_reset(&t, "Anna@vendor.example").await.json,
        unknown.json
    );
    let [users, tokens, sessions, events, jobs] = before;
    assert_eq!(
        rows(&t).await,
        [users, tokens + 1, sessions, events + 1, jobs + 1]
    );
}

async fn a_mailbox_is_not_flooded_with_links(t: TestApp) {
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    let before = rows(&t).await[1];
    for _ in 0..20 {
        request_reset(&t, "anna@vendor.example")
            .await
            .done("passwordResetRequest");
    }
    assert_eq!(rows(&t).await[1], before + 3);
    // Asking for links does not keep anybody from signing in.
    login(&t, "anna@vendor.example", PASSWORD)
        .await
        .done("login");
    for _ in 20..100 {
        request_reset(&t, "nobody@vendor.example")
            .await
            .done("passwordResetRequest");
    }
    assert_eq!(
        request_reset(&t, "nobody@vendor.example").await.error(),
        "THROTTLED"
    );
}

async fn a_reset_ends_all_sessions_and_frees_a_throttled_account(t: TestApp) {
    let user = member(&t, "anna@vendor.example", Role::Finance, None).await;
    let thief = login(&t, "anna@vendor.example", PASSWORD).await;
    for _ in 0..10 {
        login(&t, "anna@vendor.example", "a wrong password").await;
    }
    assert_eq!(
        login(&t, "anna@vendor.example", PASSWORD).await.error(),
        "THROTTLED"
    );
    request_reset(&t, "anna@vendor.example")
        .await
        .done("passwordResetRequest");
    let older = latest_token(&t, TokenPurpose::PasswordReset).await;
    t.advance(TimeDelta::milliseconds(1));
    request_reset(&t, "anna@vendor.example")
        .await
        .done("passwordResetRequest");
    let token = latest_token(&t, TokenPurpose::PasswordReset).await;
    let done = reset(&t, &token, "a new long password").await;
    assert_eq!(
        done.done("passwordReset").text("passwordReset/user/id"),
        user.to_string()
    );

    assert!(!lets_in(&t, &thief.text("login/accessToken")).await);
    assert_eq!(
        reset(&t, &older, "a third long password")
            .await
            .refusal("passwordReset"),
        "INVALID_TOKEN"
    );
    assert_eq!(
        login(&t, "anna@vendor.example", PASSWORD)
            .await
            .refusal("login"),
        "UNAUTHENTICATED"
    );
    login(&t, "anna@vendor.example", "a new long password")
        .await
        .done("login");
    assert_eq!(
        recorded(&t, user).await,
        [
            "session.ended",
            "session.started",
            "session.started",
            "user.activated",
            "user.password_changed",
            "user.password_reset_requested",
            "user.password_reset_requested"
        ]
    );
}

async fn a_reset_link_is_good_for_30_minutes_and_one_use(t: TestApp) {
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    for late in [-1, 0, 1] {
        request_reset(&t, "anna@vendor.example")
            .await
            .done("passwordResetRequest");
        let token = latest_token(&t, TokenPurpose::PasswordReset).await;
        t.advance(TimeDelta::minutes(30) + TimeDelta::microseconds(late));
        let answer = reset(&t, &token, "a new long password").await;
        if late < 0 {
            answer.done("passwordReset");
        } else {
            assert_eq!(answer.refusal("passwordReset"), "INVALID_TOKEN");
        }
        let before = rows(&t).await;
        assert_eq!(
            reset(&t, &token, "a third long password")
                .await
                .refusal("passwordReset"),
            "INVALID_TOKEN"
        );
        assert_eq!(rows(&t).await, before);
    }
    login(&t, "anna@vendor.example", "a new long password")
        .await
        .done("login");
}

async fn no_secret_is_written_down(t: TestApp) {
    let admin = t.admin().await;
    let partner = company(&t, "Acme").await;
    member(&t, "cleo@acme.example", Role::PartnerMember, Some(partner)).await;
    invite(&t, &admin, "ben@vendor.example")
        .await
        .done("userInvite");
    let invitation = latest_token(&t, TokenPurpose::Invitation).await;
    let accepted = accept(&t, &invitation, PASSWORD).await;
    request_reset(&t, "cleo@acme.example")
        .await
        .done("passwordResetRequest");
    let link = latest_token(&t, TokenPurpose::PasswordReset).await;

    let secrets = [
        PASSWORD.to_owned(),
        invitation,
        link,
        accepted.text("invitationAccept/refreshToken"),
        accepted.text("invitationAccept/accessToken"),
    ];
    let db = t.app.db().reader();
    let written = format!(
        "{:?} {:?} {:?}",
        audit_event::Entity::find().all(db).await.unwrap(),
        job::Entity::find().all(db).await.unwrap(),
        user::Entity::find().all(db).await.unwrap(),
    );
    assert!(
        secrets
            .iter()
            .all(|secret| !written.contains(secret.as_str()))
    );
    let trail = format!("{:?}", audit_event::Entity::find().all(db).await.unwrap());
    assert!(
        !trail.contains("vendor.example") && !trail.contains("Roth"),
        "{trail}"
    );
    let active = user::Entity::find().all(db).await.unwrap();
    assert!(active.iter().all(|user| user.status == UserStatus::Active));
}

async fn strangers_are_not_flooded_with_invitations(t: TestApp) {
    let partner = company(&t, "Northwind Partners").await;
    let (ada, bob) = (
        t.person(Role::PartnerAdministrator, Some(partner)).await,
        t.person(Role::PartnerAdministrator, Some(partner)).await,
    );
    let send = async |by: &Person, email: String| {
        let document = "mutation($email: EmailAddress!) {
            userInvite(input: {email: $email, name: \"Ben Roth\", role: PARTNER_MEMBER}) {
                user { id } userErrors { code } } }";
        t.ask(by, document, json!({ "email": email })).await
    };
    for number in 0..20 {
        send(&ada, format!("a{number}@stranger.example"))
            .await
            .done("userInvite");
    }
    let before = rows(&t).await;
    let refused = send(&ada, "a20@stranger.example".to_owned()).await;
    assert_eq!(refused.error(), "THROTTLED");
    assert_eq!(rows(&t).await, before);
    for number in 0..20 {
        send(&bob, format!("b{number}@stranger.example"))
            .await
            .done("userInvite");
    }
    let eve = t.person(Role::PartnerAdministrator, Some(partner)).await;
    let refused = send(&eve, "e0@stranger.example".to_owned()).await;
    assert_eq!(refused.error(), "THROTTLED", "forty of one partner");
    t.advance(TimeDelta::minutes(16));
    for _ in 0..3 {
        send(&eve, "e0@stranger.example".to_owned())
            .await
            .done("userInvite");
    }
    let refused = send(&eve, "E0@stranger.example".to_owned()).await;
    assert_eq!(refused.error(), "THROTTLED", "three to one address");
    send(&eve, "e1@stranger.example".to_owned())
        .await
        .done("userInvite");
}

async fn a_name_in_an_invitation_is_no_link(t: TestApp) {
    let admin = t.admin().await;
    let before = rows(&t).await;
    for name in [
        "Win at evil.com",
        "https://evil.example",
        "Ada\r\nBcc: x@y.example",
    ] {
        let document = "mutation($name: String!) {
            userInvite(input: {email: \"ben@vendor.example\", name: $name, role: FINANCE}) {
                user { id } userErrors { code field } } }";
        let refused = t.ask(&admin, document, json!({ "name": name })).await;
        assert_eq!(refused.refusal("userInvite"), "BAD_USER_INPUT", "{name:?}");
        assert_eq!(
            refused.at("userInvite/userErrors/0/field"),
            &json!(["name"])
        );
    }
    assert_eq!(rows(&t).await, before);
}
