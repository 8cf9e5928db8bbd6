//! Who sees whom, who invites whom, and who is shut out.

use ensemble::{access::Actor, entity::user::Role, identity::authenticate};
use serde_json::{Value, json};

use super::{PASSWORD, company, lets_in, login, member, recorded, rows, token_refresh};
use crate::{
    cases,
    support::{Answer, Person, TestApp},
};

cases!(
    a_partner_s_administrator_invites_into_the_own_partner_only,
    alliance_managers_invite_partners_people_and_nobody_of_the_vendor,
    malformed_facts_are_all_named_at_once,
    an_address_in_use_is_refused_however_it_is_spelled,
    a_deactivated_user_is_out_at_once,
    only_administrators_deactivate_and_nobody_himself,
    everybody_finds_the_people_of_his_own_directory,
    a_changed_role_holds_for_the_next_request,
);

async fn invite(t: &TestApp, by: &Actor, input: Value) -> Answer {
    let document = "mutation($input: UserInviteInput!) {
        userInvite(input: $input) { user { id role partnerId } userErrors { code message field } }
    }";
    t.ask_as(by, document, json!({"input": input})).await
}

fn input(email: &str, role: &str, partner: Option<&str>) -> Value {
    json!({"email": email, "name": "Ben Roth", "role": role, "partnerId": partner})
}

async fn a_partner_s_administrator_invites_into_the_own_partner_only(t: TestApp) {
    let (acme, globex) = (company(&t, "Acme").await, company(&t, "Globex").await);
    let (acme, globex_id) = (acme, globex.to_string());
    let head = t.person(Role::PartnerAdministrator, Some(acme)).await;
    let before = rows(&t).await;
    let unknown = ensemble::entity::ids::PartnerId(uuid::Uuid::nil()).to_string();
    let answers = [
        invite(
            &t,
            &head.actor,
            input("a@x.example", "PARTNER_MEMBER", Some(&globex_id)),
        )
        .await,
        invite(
            &t,
            &head.actor,
            input("a@x.example", "PARTNER_MEMBER", Some(&unknown)),
        )
        .await,
        invite(
            &t,
            &head.actor,
            input("a@x.example", "PARTNER_MEMBER", Some("nonsense")),
        )
        .await,
    ];
    for answer in &answers {
        assert_eq!(answer.refusal("userInvite"), "NOT_FOUND");
        assert_eq!(answer.json, answers[0].json);
    }
    for role in [
        "ADMINISTRATOR",
        "FINANCE",
        "AUDITOR",
        "EXECUTIVE",
        "ALLIANCE_MANAGER",
    ] {
        assert_eq!(
            invite(&t, &head.actor, input("a@x.example", role, None))
                .await
                .refusal("userInvite"),
            "FORBIDDEN"
        );
    }
    for role in [Role::PartnerManager, Role::PartnerMember] {
        let person = t.person(role, Some(acme)).await;
        let now = rows(&t).await;
        let answer = invite(
            &t,
            &person.actor,
            input("a@x.example", "PARTNER_MEMBER", None),
        )
        .await;
        assert_eq!(answer.refusal("userInvite"), "FORBIDDEN");
        assert_eq!(rows(&t).await, now);
    }
    let [users, tokens, sessions, events, jobs] = before;
    assert_eq!(
        rows(&t).await,
        [users + 2, tokens, sessions + 2, events, jobs]
    );

    let answer = invite(
        &t,
        &head.actor,
        input("a@x.example", "PARTNER_MANAGER", None),
    )
    .await;
    assert_eq!(
        answer.done("userInvite").text("userInvite/user/partnerId"),
        acme.to_string()
    );
    let nobody = invite(
        &t,
        &Actor::Anonymous,
        input("b@x.example", "PARTNER_MANAGER", None),
    )
    .await;
    assert_eq!(nobody.error(), "UNAUTHENTICATED");
}

async fn alliance_managers_invite_partners_people_and_nobody_of_the_vendor(t: TestApp) {
    let acme = company(&t, "Acme").await.to_string();
    let manager = t.vendor(Role::AllianceManager).await;
    invite(
        &t,
        &manager.actor,
        input("a@acme.example", "PARTNER_ADMINISTRATOR", Some(&acme)),
    )
    .await
    .done("userInvite");
    let before = rows(&t).await;
    let colleague = invite(
        &t,
        &manager.actor,
        input("b@vendor.example", "FINANCE", None),
    )
    .await;
    assert_eq!(colleague.refusal("userInvite"), "FORBIDDEN");
    let astray = invite(
        &t,
        &manager.actor,
        input("b@acme.example", "PARTNER_MEMBER", None),
    )
    .await;
    assert_eq!(astray.refusal("userInvite"), "BAD_USER_INPUT");
    let admin = t.admin().await;
    let misplaced = invite(
        &t,
        &admin.actor,
        input("b@vendor.example", "FINANCE", Some(&acme)),
    )
    .await;
    assert_eq!(misplaced.refusal("userInvite"), "BAD_USER_INPUT");
    let [users, tokens, sessions, events, jobs] = before;
    assert_eq!(
        rows(&t).await,
        [users + 1, tokens, sessions + 1, events, jobs]
    );
}

async fn malformed_facts_are_all_named_at_once(t: TestApp) {
    let admin = t.admin().await;
    let before = rows(&t).await;
    let facts = json!({"email": "ben@vendor.example", "name": "Ben\r\nBcc: all@y.example", "role": "FINANCE", "locale": "de_DE"});
    let answer = invite(&t, &admin.actor, facts).await;
    let fields: Vec<_> = answer
        .at("userInvite/userErrors")
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["field"])
        .collect();
    assert_eq!(fields, [&json!(["name"]), &json!(["locale"])]);
    let blank = json!({"email": "ben@vendor.example", "name": " ", "role": "FINANCE"});
    assert_eq!(
        invite(&t, &admin.actor, blank).await.refusal("userInvite"),
        "BAD_USER_INPUT"
    );
    assert_eq!(rows(&t).await, before);
}

async fn an_address_in_use_is_refused_however_it_is_spelled(t: TestApp) {
    let admin = t.admin().await;
    member(&t, "anna@vendor.example", Role::Finance, None).await;
    let before = rows(&t).await;
    let answer = invite(
        &t,
        &admin.actor,
        input("ANNA@Vendor.Example", "FINANCE", None),
    )
    .await;
    assert_eq!(answer.refusal("userInvite"), "DUPLICATE");
    assert_eq!(
        answer.at("userInvite/userErrors/0/field"),
        &json!(["email"])
    );
    assert_eq!(rows(&t).await, before);
}

async fn deactivate(t: &TestApp, by: &Person, user: &str, version: i32) -> Answer {
    let document = "mutation($user: ID!, $version: Int!) {
        userDeactivate(input: {userId: $user, expectedVersion: $version}) {
            user { status version } userErrors { code message field }
        }
    }";
    t.ask(by, document, json!({"user": user, "version": version}))
        .await
}

async fn a_deactivated_user_is_out_at_once(t: TestApp) {
    let admin = t.admin().await;
    let user = member(&t, "anna@vendor.example", Role::Finance, None).await;
    let session = login(&t, "anna@vendor.example", PASSWORD).await;
    assert!(lets_in(&t, &session.text("login/accessToken")).await);
    let id = user.to_string();
    assert_eq!(
        deactivate(&t, &admin, &id, 7)
            .await
            .refusal("userDeactivate"),
        "STALE_OBJECT"
    );
    let gone = deactivate(&t, &admin, &id, 1).await;
    assert_eq!(
        gone.done("userDeactivate")
            .text("userDeactivate/user/status"),
        "DEACTIVATED"
    );
    assert_eq!(gone.at("userDeactivate/user/version"), &json!(2));

    assert!(!lets_in(&t, &session.text("login/accessToken")).await);
    let refreshed = token_refresh(&t, &session.text("login/refreshToken")).await;
    assert_eq!(refreshed.refusal("tokenRefresh"), "UNAUTHENTICATED");
    let again = login(&t, "anna@vendor.example", PASSWORD).await;
    assert_eq!(again.refusal("login"), "UNAUTHENTICATED");
    let events = [
        "session.ended",
        "session.started",
        "user.activated",
        "user.deactivated",
    ];
    assert_eq!(recorded(&t, user).await, events);
    let before = rows(&t).await;
    assert_eq!(
        deactivate(&t, &admin, &id, 2)
            .await
            .refusal("userDeactivate"),
        "ILLEGAL_TRANSITION"
    );
    assert_eq!(rows(&t).await, before);
}

async fn only_administrators_deactivate_and_nobody_himself(t: TestApp) {
    let acme = company(&t, "Acme").await;
    let admin = t.admin().await;
    let member = t.person(Role::PartnerMember, Some(acme)).await;
    let head = t.person(Role::PartnerAdministrator, Some(acme)).await;
    let manager = t.vendor(Role::AllianceManager).await;
    let before = rows(&t).await;
    for person in [&head, &manager] {
        let answer = deactivate(&t, person, &member.id.to_string(), 1).await;
        assert_eq!(answer.refusal("userDeactivate"), "FORBIDDEN");
    }
    assert_eq!(
        deactivate(&t, &admin, &admin.id.to_string(), 1)
            .await
            .refusal("userDeactivate"),
        "SAME_PERSON"
    );
    assert_eq!(
        deactivate(&t, &admin, "user_nobody", 1)
            .await
            .refusal("userDeactivate"),
        "NOT_FOUND"
    );
    assert_eq!(rows(&t).await, before);
}

async fn everybody_finds_the_people_of_his_own_directory(t: TestApp) {
    let (acme, globex) = (company(&t, "Acme").await, company(&t, "Globex").await);
    let mut people = Vec::new();
    for (role, partner) in [
        (Role::Administrator, None),
        (Role::Auditor, None),
        (Role::Finance, None),
        (Role::PartnerAdministrator, Some(acme)),
        (Role::PartnerMember, Some(acme)),
        (Role::PartnerMember, Some(globex)),
    ] {
        people.push(t.person(role, partner).await);
        t.advance(chrono::TimeDelta::milliseconds(1));
    }
    let [admin, auditor, finance, head, colleague, rival] = people.try_into().unwrap();

    let document = "query($filter: UserFilter, $order: [UserOrder!]) {
        users(filter: $filter, orderBy: $order) { totalCount nodes { id email } pageInfo { hasNextPage } }
    }";
    let all = t
        .ask(
            &admin,
            document,
            json!({"order": [{"field": "EMAIL", "direction": "ASC"}]}),
        )
        .await;
    assert_eq!(
        (all.count("users/nodes"), all.at("users/totalCount")),
        (6, &json!(6))
    );
    assert_eq!(all.text("users/nodes/0/id"), admin.id.to_string());
    assert_eq!(
        t.ask(&auditor, document, json!({}))
            .await
            .count("users/nodes"),
        6
    );
    let filter = json!({"filter": {"partnerId": globex.to_string(), "roleIn": ["PARTNER_MEMBER"], "statusIn": ["ACTIVE"]}});
    assert_eq!(
        t.ask(&admin, document, filter.clone())
            .await
            .text("users/nodes/0/email"),
        rival.email
    );

    let own = t.ask(&head, document, json!({})).await;
    assert_eq!(own.count("users/nodes"), 2);
    assert_eq!(own.text("users/nodes/0/email"), colleague.email);
    assert_eq!(t.ask(&head, document, filter).await.count("users/nodes"), 0);
    for person in [&finance, &colleague] {
        assert_eq!(
            t.ask(person, document, json!({})).await.error(),
            "FORBIDDEN"
        );
    }
    assert_eq!(
        t.ask_as(&Actor::Anonymous, document, json!({}))
            .await
            .error(),
        "UNAUTHENTICATED"
    );

    let one = "query($id: ID!) { user(id: $id) { name email } node(id: $id) { id } }";
    let found = t
        .ask(&head, one, json!({"id": colleague.id.to_string()}))
        .await;
    assert_eq!(found.text("user/email"), colleague.email);
    let one = "query($id: ID!) { user(id: $id) { name } }";
    let absent = t
        .ask(&head, one, json!({"id": "user_00000000000000000000000000"}))
        .await;
    assert_eq!(absent.error(), "NOT_FOUND");
    for hidden in [&rival, &finance] {
        let answer = t
            .ask(&head, one, json!({"id": hidden.id.to_string()}))
            .await;
        assert_eq!(answer.json, absent.json);
    }
    assert_eq!(
        t.ask(&colleague, one, json!({"id": head.id.to_string()}))
            .await
            .json,
        absent.json
    );
    t.ask(&colleague, one, json!({"id": colleague.id.to_string()}))
        .await
        .text("user/name");
}

async fn a_changed_role_holds_for_the_next_request(t: TestApp) {
    use ensemble::entity::user;
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
    let user = member(&t, "anna@vendor.example", Role::Administrator, None).await;
    let access = login(&t, "anna@vendor.example", PASSWORD)
        .await
        .text("login/accessToken");
    t.write(move |tx| {
        Box::pin(async move {
            let update = user::Entity::update_many()
                .col_expr(user::Column::Role, Expr::value(Role::Executive));
            update.filter(user::Column::Id.eq(user)).exec(tx).await?;
            Ok(())
        })
    })
    .await
    .unwrap();
    let actor = authenticate(&t.app, &access).await.unwrap();
    let answer = t
        .ask_as(&actor, "{ users { totalCount } }", json!({}))
        .await;
    assert_eq!(answer.error(), "FORBIDDEN");
}
