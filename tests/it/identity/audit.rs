//! The audit trail and its hash chain.

use ensemble::entity::{audit_event, user::Role};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use super::{company, rows};
use crate::{
    cases,
    support::{Answer, Person, TestApp},
};

cases!(
    the_chain_names_the_row_that_was_altered,
    the_trail_refuses_change_and_removal,
    the_trail_is_read_by_administrators_and_auditors_only,
    the_trail_is_filtered_by_subject_actor_action_and_time,
    an_auditor_changes_nothing,
);

async fn invite(t: &TestApp, by: &Person, number: u32) -> Answer {
    let document = "mutation($email: EmailAddress!) {
        userInvite(input: {email: $email, name: \"Ben Roth\", role: FINANCE}) { user { id } userErrors { code } }
    }";
    t.ask(
        by,
        document,
        json!({"email": format!("ben{number}@vendor.example")}),
    )
    .await
}

async fn verify(t: &TestApp, by: &Person) -> Value {
    let answer = t
        .ask(by, "{ auditChainVerify { sealed brokenAt } }", json!({}))
        .await;
    answer.at("auditChainVerify").clone()
}

async fn the_chain_names_the_row_that_was_altered(t: TestApp) {
    t.leaves_books_altered();
    let (admin, auditor) = (t.admin().await, t.vendor(Role::Auditor).await);
    for number in 0..100 {
        invite(&t, &admin, number).await.done("userInvite");
    }
    assert_eq!(
        invite(&t, &admin, 0).await.refusals("userInvite"),
        Vec::<String>::new()
    );
    t.settle().await;
    assert_eq!(
        verify(&t, &auditor).await,
        json!({"sealed": "101", "brokenAt": null})
    );
    let document = "{ auditEvents(last: 1) { totalCount nodes { sealedPosition action } } }";
    let trail = t.ask(&auditor, document, json!({})).await;
    assert_eq!(trail.at("auditEvents/totalCount"), &json!(101));
    assert_eq!(trail.text("auditEvents/nodes/0/sealedPosition"), "1");

    let db = t.app.db().maintenance();
    let table = if db.get_database_backend() == DbBackend::Postgres {
        " ON audit_event"
    } else {
        ""
    };
    db.execute_unprepared(&format!("DROP TRIGGER audit_event_no_update{table}"))
        .await
        .unwrap();
    db.execute_unprepared(
        "UPDATE audit_event SET action = 'user.activated' \
         WHERE id = (SELECT audit_event_id FROM audit_seal WHERE position = 57)",
    )
    .await
    .unwrap();
    assert_eq!(
        verify(&t, &auditor).await,
        json!({"sealed": "56", "brokenAt": "57"})
    );
}

async fn the_trail_refuses_change_and_removal(t: TestApp) {
    let admin = t.admin().await;
    invite(&t, &admin, 1).await.done("userInvite");
    t.settle().await;
    let db = t.app.db().maintenance();
    for sql in [
        "UPDATE audit_event SET action = 'x'",
        "DELETE FROM audit_event",
        "UPDATE audit_seal SET hash = 'x'",
        "DELETE FROM audit_seal",
    ] {
        assert!(db.execute_unprepared(sql).await.is_err(), "{sql}");
    }
    assert_eq!(
        audit_event::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        1
    );
}

async fn the_trail_is_read_by_administrators_and_auditors_only(t: TestApp) {
    let acme = company(&t, "Acme").await;
    for document in [
        "{ auditEvents { totalCount } }",
        "{ auditChainVerify { sealed } }",
    ] {
        for role in [Role::Administrator, Role::Auditor] {
            let person = t.vendor(role).await;
            let answer = t.ask(&person, document, json!({})).await;
            assert!(answer.json.get("errors").is_none());
        }
        for role in [Role::AllianceManager, Role::Finance, Role::Executive] {
            let person = t.vendor(role).await;
            assert_eq!(
                t.ask(&person, document, json!({})).await.error(),
                "FORBIDDEN"
            );
        }
        let head = t.person(Role::PartnerAdministrator, Some(acme)).await;
        assert_eq!(t.ask(&head, document, json!({})).await.error(), "FORBIDDEN");
        let nobody = t
            .ask_as(&ensemble::access::Actor::Anonymous, document, json!({}))
            .await;
        assert_eq!(nobody.error(), "UNAUTHENTICATED");
    }
}

async fn the_trail_is_filtered_by_subject_actor_action_and_time(t: TestApp) {
    let (admin, other) = (t.admin().await, t.admin().await);
    let first = invite(&t, &admin, 1).await.text("userInvite/user/id");
    t.advance(chrono::TimeDelta::microseconds(500));
    invite(&t, &other, 2).await.done("userInvite");
    let document = "query($filter: AuditEventFilter) { auditEvents(filter: $filter) {
        nodes { at actorKind actor { id } action subjectType subjectId details requestId sealedPosition }
    } }";
    let find = |filter: Value| t.ask(&admin, document, json!({"filter": filter}));
    let found = find(json!({"subjectId": first, "action": "user.invited"})).await;
    assert_eq!(found.count("auditEvents/nodes"), 1);
    let event = found.at("auditEvents/nodes/0");
    let token = event["details"]["tokenId"].clone();
    assert!(token.as_str().unwrap().starts_with("token_"));
    assert_eq!(
        event,
        &json!({
            "at": "2026-03-01T09:00:00Z", "actorKind": "USER", "actor": {"id": admin.id.to_string()},
            "action": "user.invited", "subjectType": "user", "subjectId": first,
            "details": {"type": "user.invited", "userId": first, "tokenId": token},
            "requestId": "test-request", "sealedPosition": null,
        })
    );
    let by_other = find(json!({"actorId": other.id.to_string()})).await;
    assert_eq!(
        by_other.text("auditEvents/nodes/0/at"),
        "2026-03-01T09:00:00.000500Z"
    );
    assert_eq!(by_other.count("auditEvents/nodes"), 1);
    let counts = [
        (json!({"at": {"gte": "2026-03-01T09:00:00Z"}}), 2),
        (json!({"at": {"gte": "2026-03-01T09:00:00.000001Z"}}), 1),
        (json!({"at": {"gte": "2026-03-01T09:00:00.000501Z"}}), 0),
        (json!({"at": {"lt": "2026-03-01T09:00:00.000500Z"}}), 1),
        (json!({"at": {"lt": "2026-03-01T09:00:00Z"}}), 0),
        (json!({"at": {"lt": "9999-12-31T00:00:00Z"}}), 2),
        (json!({"action": "no.such"}), 0),
        (json!({"subjectId": "nonsense"}), 0),
        (json!({"actorId": first.replacen("user", "deal", 1)}), 0),
    ];
    for (filter, count) in counts {
        assert_eq!(
            find(filter.clone()).await.count("auditEvents/nodes"),
            count,
            "{filter}"
        );
    }
}

async fn an_auditor_changes_nothing(t: TestApp) {
    let auditor = t.vendor(Role::Auditor).await;
    let before = rows(&t).await;
    assert_eq!(
        invite(&t, &auditor, 1).await.refusal("userInvite"),
        "FORBIDDEN"
    );
    assert_eq!(rows(&t).await, before);
}
