//! A partner's life.

use ensemble::{
    entity::{partner::PartnerStatus, user::Role},
    error::Code,
    partners::standing::{self, Ability, PaymentObstacle},
};
use sea_orm::EntityTrait;
use serde_json::json;

use super::{active_partner, fields, partner, partner_id, run, traces};
use crate::{
    cases,
    support::{Person, TestApp},
};

cases!(
    a_partner_walks_through_all_states,
    an_applicant_cannot_be_activated,
    two_equal_moves_at_once_leave_one_event,
    nobody_is_suspended_without_a_reason,
    a_suspended_partner_does_no_new_business,
    payment_follows_the_state_and_the_agreement,
    partners_do_not_move_themselves,
);

const HISTORY: &str = "query($id: ID!) { partner(id: $id) { status version allowedActions
    lifecycleEvents(first: 100) { totalCount nodes { action from to reason actorId at } } } }";

async fn a_partner_walks_through_all_states(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let id = partner(&t, &ada, "Northwind").await;
    let walk = [
        ("partnerApply", "APPLY", "APPLIED", None),
        ("partnerReject", "REJECT", "REJECTED", Some("too early")),
        ("partnerApply", "APPLY", "APPLIED", Some("again")),
        ("partnerReviewStart", "START_REVIEW", "UNDER_REVIEW", None),
        ("partnerApprove", "APPROVE", "APPROVED", None),
        (
            "partnerOnboardingStart",
            "START_ONBOARDING",
            "ONBOARDING",
            None,
        ),
        ("partnerActivate", "ACTIVATE", "ACTIVE", None),
        ("partnerWatch", "WATCH", "ON_WATCH", Some("late reports")),
        (
            "partnerSuspend",
            "SUSPEND",
            "SUSPENDED",
            Some("no insurance"),
        ),
        ("partnerReinstate", "REINSTATE", "ACTIVE", None),
        (
            "partnerOffboardingStart",
            "START_OFFBOARDING",
            "OFFBOARDING",
            Some("merger"),
        ),
        ("partnerRetire", "RETIRE", "RETIRED", None),
    ];
    for (mutation, _, status, reason) in walk {
        t.advance(chrono::TimeDelta::hours(1));
        let input = json!({ "partnerId": id, "reason": reason });
        let moved = run(&t, &ada, mutation, input, "partner { status }").await;
        assert_eq!(
            moved
                .done(mutation)
                .text(&format!("{mutation}/partner/status")),
            status
        );
    }
    let history = t.ask(&ada, HISTORY, json!({ "id": id })).await;
    let mut from = "PROSPECT";
    let mut expected = Vec::new();
    for (hours, (_, action, to, reason)) in walk.into_iter().enumerate() {
        let at = format!("2026-03-01T{:02}:00:00Z", 10 + hours);
        let actor = history.text("partner/lifecycleEvents/nodes/0/actorId");
        expected.push(json!({ "action": action, "from": from, "to": to, "reason": reason, "actorId": actor, "at": at }));
        from = to;
    }
    assert_eq!(
        history.at("partner/lifecycleEvents/nodes"),
        &json!(expected)
    );
    assert_eq!(history.at("partner/lifecycleEvents/totalCount"), 12);
    assert_eq!(history.at("partner/version"), 13);
    assert_eq!(history.at("partner/allowedActions"), &json!([]));
}

async fn an_applicant_cannot_be_activated(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let id = partner(&t, &ada, "Northwind").await;
    run(
        &t,
        &ada,
        "partnerApply",
        json!({ "partnerId": id }),
        "partner { id }",
    )
    .await
    .done("partnerApply");
    let before = traces(&t).await;
    let refused = run(
        &t,
        &ada,
        "partnerActivate",
        json!({ "partnerId": id }),
        "partner { id }",
    )
    .await;
    assert_eq!(refused.refusal("partnerActivate"), "ILLEGAL_TRANSITION");
    assert_eq!(refused.at("partnerActivate/partner"), &json!(null));
    assert_eq!(traces(&t).await, before);
    let found = t.ask(&ada, HISTORY, json!({ "id": id })).await;
    assert_eq!(found.text("partner/status"), "APPLIED");
    assert_eq!(
        found.at("partner/allowedActions"),
        &json!(["START_REVIEW", "REJECT"])
    );
}

async fn two_equal_moves_at_once_leave_one_event(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let id = partner(&t, &ada, "Northwind").await;
    for mutation in ["partnerApply", "partnerReviewStart"] {
        run(
            &t,
            &ada,
            mutation,
            json!({ "partnerId": id }),
            "partner { id }",
        )
        .await
        .done(mutation);
    }
    let before = traces(&t).await;
    let approve = || {
        run(
            &t,
            &ada,
            "partnerApprove",
            json!({ "partnerId": id }),
            "partner { id }",
        )
    };
    let (one, other) = tokio::join!(approve(), approve());
    let mut codes = [
        one.refusals("partnerApprove"),
        other.refusals("partnerApprove"),
    ]
    .concat();
    assert_eq!(codes.len(), 1, "{codes:?}");
    assert_eq!(codes.pop().unwrap(), "ILLEGAL_TRANSITION");
    let after = traces(&t).await;
    assert_eq!(
        after,
        [before[0], before[1] + 1, before[2] + 1, before[3] + 1]
    );
}

async fn nobody_is_suspended_without_a_reason(t: TestApp) {
    let ada = t.admin().await;
    let id = active_partner(&t, &ada, "Northwind").await;
    let before = traces(&t).await;
    for reason in [json!(null), json!(" \t")] {
        let refused = run(
            &t,
            &ada,
            "partnerSuspend",
            json!({ "partnerId": id, "reason": reason }),
            "partner { id }",
        )
        .await;
        assert_eq!(refused.refusal("partnerSuspend"), "REASON_REQUIRED");
        assert_eq!(fields(&refused, "partnerSuspend"), ["reason"]);
    }
    assert_eq!(traces(&t).await, before);
}

async fn ability(t: &TestApp, id: &str, ability: Ability) -> Result<PartnerStatus, Code> {
    let id = partner_id(id);
    let found = t
        .write(move |tx| {
            Box::pin(async move { standing::require(tx, id, ability, "partnerId").await })
        })
        .await;
    found
        .map(|partner| partner.status)
        .map_err(|error| error.code())
}

async fn a_suspended_partner_does_no_new_business(t: TestApp) {
    let ada = t.admin().await;
    let id = active_partner(&t, &ada, "Northwind").await;
    let prospect = partner(&t, &ada, "Fabrikam").await;
    for wanted in [Ability::RegisterDeals, Ability::JoinDeals] {
        assert_eq!(ability(&t, &id, wanted).await, Ok(PartnerStatus::Active));
        assert_eq!(ability(&t, &prospect, wanted).await, Err(Code::NotEligible));
    }
    suspend(&t, &ada, &id).await;
    for wanted in [Ability::RegisterDeals, Ability::JoinDeals] {
        assert_eq!(ability(&t, &id, wanted).await, Err(Code::NotEligible));
    }
    assert_eq!(
        ability(&t, "partner_00000000000000000000000000", Ability::JoinDeals).await,
        Err(Code::NotFound)
    );
}

async fn suspend(t: &TestApp, person: &Person, id: &str) {
    let input = json!({ "partnerId": id, "reason": "no insurance" });
    run(t, person, "partnerSuspend", input, "partner { id }")
        .await
        .done("partnerSuspend");
}

async fn payment_follows_the_state_and_the_agreement(t: TestApp) {
    let ada = t.admin().await;
    let sound = active_partner(&t, &ada, "Northwind").await;
    let suspended = active_partner(&t, &ada, "Fabrikam").await;
    suspend(&t, &ada, &suspended).await;
    let expiring = active_partner(&t, &ada, "Contoso").await;
    let input = json!({ "partnerId": expiring, "dpaValidUntil": "2026-03-31" });
    run(&t, &ada, "partnerUpdate", input, "partner { id }")
        .await
        .done("partnerUpdate");
    let ids = [&sound, &suspended, &expiring].map(|id| partner_id(id));
    let on = async |day: &str| {
        let payable = standing::payable(t.app.db().reader(), &ids, day.parse().unwrap())
            .await
            .unwrap();
        ids.map(|id| payable[&id])
    };
    assert_eq!(
        on("2026-03-31").await,
        [None, Some(PaymentObstacle::State), None]
    );
    assert_eq!(
        on("2026-04-01").await,
        [
            None,
            Some(PaymentObstacle::State),
            Some(PaymentObstacle::AgreementExpired)
        ]
    );
}

async fn partners_do_not_move_themselves(t: TestApp) {
    let ada = t.admin().await;
    let id = partner(&t, &ada, "Northwind").await;
    let other = partner(&t, &ada, "Fabrikam").await;
    let nora = t
        .person(Role::PartnerAdministrator, Some(partner_id(&id)))
        .await;
    let finance = t.vendor(Role::Finance).await;
    let before = traces(&t).await;
    for (person, partner, code) in [
        (&nora, &id, "FORBIDDEN"),
        (&nora, &other, "NOT_FOUND"),
        (&finance, &id, "FORBIDDEN"),
    ] {
        let refused = run(
            &t,
            person,
            "partnerActivate",
            json!({ "partnerId": partner }),
            "partner { id }",
        )
        .await;
        assert_eq!(refused.refusal("partnerActivate"), code);
    }
    assert_eq!(traces(&t).await, before);
    let stored = partner::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    assert!(
        stored
            .iter()
            .all(|partner| partner.status == PartnerStatus::Prospect)
    );
}
