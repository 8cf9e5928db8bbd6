//! Signing in, staying in, and being put out.

use chrono::TimeDelta;
use ensemble::{
    access::Actor,
    entity::{login_failure, refresh_token, user::Role, user_token::TokenPurpose},
    graphql::context::Caller,
    identity::{AuthFault, admit, authenticate},
    platform::ids::TypedId,
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::json;

use super::{
    LOGIN, PASSWORD, company, instant, lets_in, login, member, recorded, rows, token_refresh,
};
use crate::{
    cases,
    support::{Answer, TestApp},
};

cases!(
    a_sign_in_is_answered_as_the_person_who_signed_in,
    a_password_opens_a_session_that_ends_with_logout,
    a_wrong_password_and_an_unknown_address_answer_the_same,
    the_eleventh_wrong_password_is_throttled_and_waiting_lets_the_owner_in,
    guesses_at_once_learn_no_more_than_ten,
    an_ipv6_network_counts_as_one_address,
    a_refresh_token_is_used_once_and_rotates,
    the_same_refresh_token_within_the_grace_gives_the_same_successor,
    a_refresh_token_used_again_later_ends_the_session,
    a_session_ends_after_thirty_days_however_often_it_was_refreshed,
    logging_out_everywhere_ends_all_sessions,
    a_token_of_somebody_else_s_session_opens_nothing,
);

async fn a_password_opens_a_session_that_ends_with_logout(t: TestApp) {
    let user = member(&t, "anna@vendor.example", Role::Finance, None).await;
    let answer = login(&t, " Anna@Vendor.example", PASSWORD).await;
    answer.done("login");
    assert_eq!(answer.text("login/viewer/id"), user.to_string());
    assert_eq!(answer.text("login/viewer/email"), "anna@vendor.example");
    assert_eq!(answer.text("login/viewer/role"), "FINANCE");
    assert_eq!(answer.text("login/expiresAt"), "2026-03-01T09:10:00Z");
    assert!(
        answer
            .at("login/viewer/permissions")
            .as_array()
            .unwrap()
            .contains(&json!("PAYOUT_RUN_EXECUTE"))
    );

    let access = answer.text("login/accessToken");
    let admitted = admit(&t.app, &access).await.unwrap();
    assert_eq!(admitted.until, instant("2026-03-01T09:10:00Z"));
    assert_eq!(admitted.actor.user_id(), Some(user));
    let viewer = t
        .ask_as(&admitted.actor, "{ viewer { id } }", json!({}))
        .await;
    assert_eq!(viewer.text("viewer/id"), user.to_string());

    t.ask_as(
        &admitted.actor,
        "mutation { logout { ended userErrors { code } } }",
        json!({}),
    )
    .await
    .done("logout");
    assert!(matches!(
        authenticate(&t.app, &access).await,
        Err(AuthFault::Over)
    ));
    let refused = token_refresh(&t, &answer.text("login/refreshToken")).await;
    assert_eq!(refused.refusal("tokenRefresh"), "UNAUTHENTICATED");
    assert_eq!(
        recorded(&t, user).await,
        ["session.ended", "session.started", "user.activated"]
    );

    let nobody = t
        .ask_as(
            &Actor::Anonymous,
            "mutation { logout { ended } }",
            json!({}),
        )
        .await;
    assert_eq!(nobody.error(), "UNAUTHENTICATED");
    let nobody = t
        .ask_as(&Actor::Anonymous, "{ viewer { id } }", json!({}))
        .await;
    assert_eq!(nobody.error(), "UNAUTHENTICATED");
}

async fn a_wrong_password_and_an_unknown_address_answer_the_same(t: TestApp) {
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    let before = rows(&t).await;
    let wrong = login(&t, "anna@vendor.example", "correct horse batterY").await;
    assert_eq!(wrong.refusal("login"), "UNAUTHENTICATED");
    for address in ["nobody@vendor.example", "no address", "", "' OR 1=1 --"] {
        let unknown = login(&t, address, PASSWORD).await;
        assert_eq!(unknown.json, wrong.json, "{address:?}");
    }
    assert_eq!(rows(&t).await, before);
    assert_eq!(
        login_failure::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        5
    );
}

async fn the_eleventh_wrong_password_is_throttled_and_waiting_lets_the_owner_in(t: TestApp) {
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    for address in ["anna@vendor.example", "nobody@vendor.example"] {
        for _ in 0..10 {
            assert_eq!(
                login(&t, address, "a wrong password")
                    .await
                    .refusal("login"),
                "UNAUTHENTICATED"
            );
            t.advance(TimeDelta::seconds(1));
        }
        for password in ["a wrong password", PASSWORD] {
            let throttled = login(&t, address, password).await;
            assert_eq!(throttled.error(), "THROTTLED");
            let extensions = &throttled.json["errors"][0]["extensions"];
            assert_eq!(extensions["retryAfterMs"], json!(890_001));
            assert_eq!(extensions["retryable"], json!(true));
        }
    }
    // The first wrong password of the account, at 09:00:00, leaves the window at 09:15:00.
    t.clock.set(instant("2026-03-01T09:14:59.999999Z"));
    assert_eq!(
        login(&t, "ANNA@vendor.example", PASSWORD).await.error(),
        "THROTTLED"
    );
    t.clock.set(instant("2026-03-01T09:15:00Z"));
    login(&t, "anna@vendor.example", PASSWORD)
        .await
        .done("login");
}

async fn guesses_at_once_learn_no_more_than_ten(t: TestApp) {
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    let guesses = (0..40).map(|_| login(&t, "anna@vendor.example", "a wrong password"));
    let answers = futures_util::future::join_all(guesses).await;
    let (answered, throttled): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.json["errors"].is_null());
    assert_eq!((answered.len(), throttled.len()), (10, 30));
    assert!(throttled.iter().all(|answer| answer.error() == "THROTTLED"));
}

async fn an_ipv6_network_counts_as_one_address(t: TestApp) {
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    for guess in 0..10 {
        let address = format!("2001:db8::{guess}");
        let answer = from(&t, &address, "anna@vendor.example", "a wrong password").await;
        assert_eq!(answer.refusal("login"), "UNAUTHENTICATED");
    }
    let same = from(&t, "2001:db8::ffff", "anna@vendor.example", PASSWORD).await;
    assert_eq!(same.error(), "THROTTLED");
    from(&t, "2001:db8:0:1::1", "anna@vendor.example", PASSWORD)
        .await
        .done("login");
}

async fn from(t: &TestApp, address: &str, email: &str, password: &str) -> Answer {
    let caller = Caller {
        actor: Actor::Anonymous,
        request_id: "r".to_owned(),
        address: address.to_owned(),
    };
    let variables =
        async_graphql::Variables::from_json(json!({"email": email, "password": password}));
    Answer::new(
        LOGIN,
        t.api
            .execute(
                caller,
                async_graphql::Request::new(LOGIN).variables(variables),
            )
            .await,
    )
}

async fn a_refresh_token_is_used_once_and_rotates(t: TestApp) {
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    let first = login(&t, "anna@vendor.example", PASSWORD)
        .await
        .text("login/refreshToken");
    t.advance(TimeDelta::minutes(9));
    let answer = token_refresh(&t, &first).await;
    answer.done("tokenRefresh");
    let second = answer.text("tokenRefresh/refreshToken");
    assert_ne!(first, second);
    t.advance(TimeDelta::minutes(9));
    assert!(lets_in(&t, &answer.text("tokenRefresh/accessToken")).await);
    token_refresh(&t, &second).await.done("tokenRefresh");

    for forged in [
        "",
        "ens_rt_",
        &second.replacen("ens_rt_0", "ens_rt_1", 1),
        &second.replacen("_rt_", "_in_", 1),
    ] {
        assert_eq!(
            token_refresh(&t, forged).await.refusal("tokenRefresh"),
            "UNAUTHENTICATED"
        );
    }
}

async fn the_same_refresh_token_within_the_grace_gives_the_same_successor(t: TestApp) {
    let user = member(&t, "anna@vendor.example", Role::Finance, None).await;
    let token = login(&t, "anna@vendor.example", PASSWORD)
        .await
        .text("login/refreshToken");
    let answers = futures_util::future::join_all((0..8).map(|_| token_refresh(&t, &token))).await;
    t.advance(TimeDelta::seconds(10));
    let late = token_refresh(&t, &token).await;
    let successor = late.done("tokenRefresh").text("tokenRefresh/refreshToken");
    for answer in answers {
        assert_eq!(
            answer
                .done("tokenRefresh")
                .text("tokenRefresh/refreshToken"),
            successor
        );
    }
    assert_eq!(
        refresh_token::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        recorded(&t, user).await,
        ["session.started", "user.activated"]
    );
    token_refresh(&t, &successor).await.done("tokenRefresh");
}

async fn a_refresh_token_used_again_later_ends_the_session(t: TestApp) {
    let user = member(&t, "anna@vendor.example", Role::Finance, None).await;
    let stolen = login(&t, "anna@vendor.example", PASSWORD)
        .await
        .text("login/refreshToken");
    let owner = token_refresh(&t, &stolen).await;
    t.advance(TimeDelta::seconds(10) + TimeDelta::microseconds(1));
    assert_eq!(
        token_refresh(&t, &stolen).await.refusal("tokenRefresh"),
        "UNAUTHENTICATED"
    );
    assert!(!lets_in(&t, &owner.text("tokenRefresh/accessToken")).await);
    let successor = token_refresh(&t, &owner.text("tokenRefresh/refreshToken")).await;
    assert_eq!(successor.refusal("tokenRefresh"), "UNAUTHENTICATED");
    assert_eq!(
        recorded(&t, user).await,
        ["session.ended", "session.started", "user.activated"]
    );
    let auditor = t.vendor(Role::Auditor).await;
    let document =
        "{ auditEvents(first: 1, filter: {action: \"session.ended\"}) { nodes { details } } }";
    let trail = t.ask(&auditor, document, json!({})).await;
    assert_eq!(
        trail.text("auditEvents/nodes/0/details/reason"),
        "REFRESH_TOKEN_REUSED"
    );
}

async fn a_session_ends_after_thirty_days_however_often_it_was_refreshed(t: TestApp) {
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    let mut token = login(&t, "anna@vendor.example", PASSWORD)
        .await
        .text("login/refreshToken");
    t.clock.set(instant("2026-03-31T08:59:59.999999Z"));
    let answer = token_refresh(&t, &token).await;
    token = answer
        .done("tokenRefresh")
        .text("tokenRefresh/refreshToken");
    assert!(lets_in(&t, &answer.text("tokenRefresh/accessToken")).await);
    t.clock.set(instant("2026-03-31T09:00:00Z"));
    assert!(!lets_in(&t, &answer.text("tokenRefresh/accessToken")).await);
    assert_eq!(
        token_refresh(&t, &token).await.refusal("tokenRefresh"),
        "UNAUTHENTICATED"
    );

    t.clock.set(instant("2026-04-30T09:00:00Z"));
    t.settle().await;
    assert_eq!(
        refresh_token::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        2
    );
    t.clock.set(instant("2026-04-30T10:00:00Z"));
    t.settle().await;
    assert_eq!(
        refresh_token::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        0
    );
}

async fn logging_out_everywhere_ends_all_sessions(t: TestApp) {
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    let here = login(&t, "anna@vendor.example", PASSWORD)
        .await
        .text("login/accessToken");
    let there = login(&t, "anna@vendor.example", PASSWORD)
        .await
        .text("login/accessToken");
    let actor = authenticate(&t.app, &here).await.unwrap();
    let document = "mutation { logout(input: {everywhere: true}) { ended userErrors { code } } }";
    t.ask_as(&actor, document, json!({})).await.done("logout");
    assert!(!lets_in(&t, &here).await && !lets_in(&t, &there).await);
}

async fn a_token_of_somebody_else_s_session_opens_nothing(t: TestApp) {
    let (anna, ben) = (t.vendor(Role::Finance).await, t.vendor(Role::Finance).await);
    let (Actor::User(anna), Actor::User(ben)) = (anna.actor, ben.actor) else {
        panic!("people act")
    };
    let sign = |user: uuid::Uuid, session: uuid::Uuid| {
        t.app
            .keys()
            .sign(user, session, t.app.clock().now())
            .unwrap()
            .0
    };
    assert!(lets_in(&t, &sign(anna.user_id.0, anna.session_id.0)).await);
    assert!(!lets_in(&t, &sign(anna.user_id.0, ben.session_id.0)).await);
    assert!(!lets_in(&t, &sign(anna.user_id.0, anna.user_id.0)).await);
    assert!(!lets_in(&t, "nonsense").await);
}

async fn a_sign_in_is_answered_as_the_person_who_signed_in(t: TestApp) {
    const PERSON: &str = "{ id email role partnerId permissions partner { id displayName status  lifecycleEvents(first: 5) { totalCount nodes { id } } balances { currency accrued { amount } } } }";
    let partner = company(&t, "Northwind").await;
    company(&t, "Another").await;
    let email = "anna@northwind.example";
    member(&t, email, Role::PartnerAdministrator, Some(partner)).await;
    let ask = async |actor: &Actor, document: String, variables| {
        t.ask_as(actor, &document, variables).await
    };

    let document = format!(
        "mutation($email: String!, $password: String!) {{ login(input: {{email: $email, password: $password}}) {{
            accessToken refreshToken viewer {PERSON} userErrors {{ code }} }} }}"
    );
    let wanted = json!({"email": email, "password": PASSWORD});
    let answer = ask(&Actor::Anonymous, document.clone(), wanted.clone()).await;
    answer.done("login");
    let token = answer.text("login/accessToken");
    let actor = authenticate(&t.app, &token).await.unwrap();
    let viewer = ask(&actor, format!("{{ viewer {PERSON} }}"), json!({})).await;
    let viewer = viewer.at("viewer");
    assert_eq!(viewer["partner"]["displayName"], "Northwind");
    assert_eq!(viewer["partnerId"], json!(partner.text()));
    assert_eq!(answer.at("login/viewer"), viewer);

    // Whoever asks: a client may still send the token of another person.
    let ada = t.admin().await;
    let other = t.ask(&ada, &document, wanted).await;
    assert_eq!(other.at("login/viewer"), viewer);

    let refresh = format!(
        "mutation($token: String!) {{ tokenRefresh(input: {{refreshToken: $token}}) {{ viewer {PERSON} userErrors {{ code }} }} }}"
    );
    let token = json!({"token": answer.text("login/refreshToken")});
    let refreshed = ask(&Actor::Anonymous, refresh, token).await;
    assert_eq!(
        refreshed.done("tokenRefresh").at("tokenRefresh/viewer"),
        viewer
    );

    super::request_reset(&t, email).await;
    t.settle().await;
    let link = super::latest_token(&t, TokenPurpose::PasswordReset).await;
    let reset = format!(
        "mutation($token: String!) {{ passwordReset(input: {{token: $token, password: \"a new long password\"}}) {{
            user {PERSON} userErrors {{ code }} }} }}"
    );
    let reset = ask(&Actor::Anonymous, reset, json!({"token": link})).await;
    assert_eq!(reset.done("passwordReset").at("passwordReset/user"), viewer);

    let invite = "mutation($partner: ID!) { userInvite(input: {email: \"bo@northwind.example\", name: \"Bo\",
        role: PARTNER_MANAGER, partnerId: $partner}) { userErrors { code } } }";
    t.ask(&ada, invite, json!({"partner": partner.text()}))
        .await
        .done("userInvite");
    t.settle().await;
    let link = super::latest_token(&t, TokenPurpose::Invitation).await;
    let accept = format!(
        "mutation($token: String!) {{ invitationAccept(input: {{token: $token, password: \"a new long password\"}}) {{
            accessToken viewer {PERSON} userErrors {{ code }} }} }}"
    );
    let accepted = ask(&Actor::Anonymous, accept, json!({"token": link})).await;
    let token = accepted
        .done("invitationAccept")
        .text("invitationAccept/accessToken");
    let actor = authenticate(&t.app, &token).await.unwrap();
    let viewer = ask(&actor, format!("{{ viewer {PERSON} }}"), json!({})).await;
    assert_eq!(accepted.at("invitationAccept/viewer"), viewer.at("viewer"));
    assert_eq!(viewer.at("viewer/partner/displayName"), "Northwind");
}
