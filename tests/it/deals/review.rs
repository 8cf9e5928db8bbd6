//! Deciding about a claim: approval, rejection, questions and withdrawal.

use ensemble::{
    entity::{
        deal, deal_product, deal_registration, ids::DealRegistrationId, protection, user::Role,
    },
    platform::ids::TypedId,
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use super::market::*;
use crate::{cases, support::TestApp};

cases!(
    a_rejection_needs_a_reason_and_words,
    an_approval_stores_approver_and_expiry_and_makes_the_deal,
    a_rejected_registration_cannot_be_approved,
    whoever_handed_it_in_cannot_approve_it,
    questions_stop_the_review_clock,
    a_withdrawn_claim_makes_room,
    two_approvals_at_once_make_one_deal,
    approve_and_withdraw_at_once_have_one_winner,
    a_stale_version_is_refused,
);

async fn a_rejection_needs_a_reason_and_words(t: TestApp) {
    let market = market(&t).await;
    let (a, reviewer) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let before = written(&t).await;
    for (input, field) in [
        (json!({ "registrationId": id, "reason": "OTHER" }), "note"),
        (
            json!({ "registrationId": id, "reason": "OTHER", "note": "  " }),
            "note",
        ),
        (json!({ "registrationId": id, "note": "known" }), "reason"),
    ] {
        let answer = decide(&t, &reviewer, "dealRegistrationReject", input).await;
        assert_eq!(answer.refusal("dealRegistrationReject"), "REASON_REQUIRED");
        assert_eq!(
            answer.at("dealRegistrationReject/userErrors/0/field"),
            &json!([field])
        );
    }
    assert_eq!(written(&t).await, before);
    let input = json!({ "registrationId": id, "reason": "EXISTING_CUSTOMER", "note": "They bought last year." });
    let answer = decide(&t, &reviewer, "dealRegistrationReject", input).await;
    let rejected = answer
        .done("dealRegistrationReject")
        .at("dealRegistrationReject/dealRegistration");
    assert_eq!(rejected["status"], "REJECTED");
    assert_eq!(
        rejected["decision"],
        json!({ "by": reviewer.id.text(), "at": "2026-03-01T09:00:00Z", "reason": "EXISTING_CUSTOMER",
            "note": "They bought last year." })
    );
    let b = gold(&t, market, "Contoso Sales").await;
    registered(
        &t,
        &b.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
}

async fn an_approval_stores_approver_and_expiry_and_makes_the_deal(t: TestApp) {
    let market = market(&t).await;
    let (a, reviewer) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    let mut input = claim(market.router, "Acme", Some("acme.com"));
    input["products"] = json!([
        { "productId": market.router.text(), "quantity": 3 },
        { "productId": market.backup.text() },
    ]);
    let id = registered(&t, &a.manager, input).await;
    let answer = decide(
        &t,
        &reviewer,
        "dealRegistrationApprove",
        json!({ "registrationId": id }),
    )
    .await;
    let granted = answer
        .done("dealRegistrationApprove")
        .at("dealRegistrationApprove/dealRegistration");
    assert_eq!(granted["status"], "APPROVED");
    assert_eq!(granted["protectedUntil"], "2026-05-31T00:00:00Z");
    assert_eq!(granted["decision"]["by"], json!(reviewer.id.text()));
    assert_eq!(granted["decision"]["reason"], Value::Null);
    assert!(
        granted["deal"]["number"]
            .as_str()
            .unwrap()
            .starts_with("D-")
    );

    let deal = granted["deal"]["id"].as_str().unwrap();
    let document = "query($id: ID!) { deal(id: $id) { name status stage { key probability } value { amount currency }
        participants { role status } otherPartnerCount registration { id decision { by } } stageHistory { stage leftAt } } }";
    let answer = t.ask(&a.manager, document, json!({ "id": deal })).await;
    assert_eq!(
        answer.at("deal"),
        &json!({
            "name": "Acme",
            "status": "OPEN",
            "stage": { "key": "PROSPECT", "probability": "10" },
            "value": { "amount": "100000.00", "currency": "USD" },
            "participants": [{ "role": "SOURCER", "status": "ACCEPTED" }],
            "otherPartnerCount": 0,
            "registration": { "id": id, "decision": { "by": null } },
            "stageHistory": [{ "stage": "PROSPECT", "leftAt": null }],
        })
    );
    let products = deal_product::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    let mut quantities: Vec<_> = products
        .iter()
        .map(|line| (line.product_id, line.quantity))
        .collect();
    quantities.sort_by_key(|line| line.1);
    assert_eq!(quantities, [(market.backup, 1), (market.router, 3)]);
}

async fn a_rejected_registration_cannot_be_approved(t: TestApp) {
    let market = market(&t).await;
    let (a, reviewer) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let input = json!({ "registrationId": id, "reason": "OTHER", "note": "no" });
    decide(&t, &reviewer, "dealRegistrationReject", input)
        .await
        .done("dealRegistrationReject");
    let before = written(&t).await;
    let answer = decide(
        &t,
        &reviewer,
        "dealRegistrationApprove",
        json!({ "registrationId": id }),
    )
    .await;
    assert_eq!(
        answer.refusal("dealRegistrationApprove"),
        "ILLEGAL_TRANSITION"
    );
    assert_eq!(written(&t).await, before);
}

async fn whoever_handed_it_in_cannot_approve_it(t: TestApp) {
    let market = market(&t).await;
    let (a, admin) = (
        gold(&t, market, "Northwind Partners").await,
        t.admin().await,
    );
    let mut input = claim(market.router, "Acme", Some("acme.com"));
    let unnamed = submit(&t, &admin, input.clone()).await;
    assert_eq!(
        unnamed.at("dealRegistrationSubmit/userErrors/0/field"),
        &json!(["partnerId"])
    );
    input["partnerId"] = json!(a.partner.text());
    let id = registered(&t, &admin, input).await;
    let before = written(&t).await;
    let answer = decide(
        &t,
        &admin,
        "dealRegistrationApprove",
        json!({ "registrationId": id }),
    )
    .await;
    assert_eq!(answer.refusal("dealRegistrationApprove"), "SAME_PERSON");
    assert_eq!(written(&t).await, before);
    approved(&t, &t.vendor(Role::AllianceManager).await, &id).await;
}

async fn questions_stop_the_review_clock(t: TestApp) {
    let market = market(&t).await;
    let (a, reviewer) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let started = decide(
        &t,
        &reviewer,
        "dealRegistrationReviewStart",
        json!({ "registrationId": id }),
    )
    .await;
    assert_eq!(
        started.text("dealRegistrationReviewStart/dealRegistration/status"),
        "IN_REVIEW"
    );
    let silent = decide(
        &t,
        &reviewer,
        "dealRegistrationRequestInfo",
        json!({ "registrationId": id }),
    )
    .await;
    assert_eq!(
        silent.refusal("dealRegistrationRequestInfo"),
        "REASON_REQUIRED"
    );
    let input = json!({ "registrationId": id, "note": "Who decides at Acme?" });
    let asked = decide(&t, &reviewer, "dealRegistrationRequestInfo", input).await;
    assert_eq!(
        asked.text("dealRegistrationRequestInfo/dealRegistration/status"),
        "INFO_NEEDED"
    );
    let refused = decide(
        &t,
        &reviewer,
        "dealRegistrationApprove",
        json!({ "registrationId": id }),
    )
    .await;
    assert_eq!(
        refused.refusal("dealRegistrationApprove"),
        "ILLEGAL_TRANSITION"
    );
    t.advance(chrono::TimeDelta::hours(30));
    let input = json!({ "registrationId": id, "note": "Ms Weber." });
    let answered = decide(&t, &a.manager, "dealRegistrationAnswer", input).await;
    let registration = answered
        .done("dealRegistrationAnswer")
        .at("dealRegistrationAnswer/dealRegistration");
    assert_eq!(registration["status"], "IN_REVIEW");
    assert_eq!(registration["question"], "Who decides at Acme?");
    assert_eq!(registration["answer"], "Ms Weber.");
    assert_eq!(registration["reviewDueAt"], "2026-03-04T15:00:00Z");
    assert_eq!(registration["allowedActions"], json!(["WITHDRAW"]));
    approved(&t, &reviewer, &id).await;
}

async fn a_withdrawn_claim_makes_room(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let input = json!({ "registrationId": id });
    let answer = decide(&t, &a.manager, "dealRegistrationWithdraw", input.clone()).await;
    assert_eq!(
        answer
            .done("dealRegistrationWithdraw")
            .text("dealRegistrationWithdraw/dealRegistration/status"),
        "WITHDRAWN"
    );
    let id = registered(
        &t,
        &b.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    approved(&t, &t.vendor(Role::AllianceManager).await, &id).await;
    let late = decide(
        &t,
        &b.manager,
        "dealRegistrationWithdraw",
        json!({ "registrationId": id }),
    )
    .await;
    assert_eq!(
        late.refusal("dealRegistrationWithdraw"),
        "ILLEGAL_TRANSITION"
    );
}

async fn two_approvals_at_once_make_one_deal(t: TestApp) {
    let market = market(&t).await;
    let a = gold(&t, market, "Northwind Partners").await;
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let (one, two) = (
        t.vendor(Role::AllianceManager).await,
        t.vendor(Role::AllianceManager).await,
    );
    let input = || json!({ "registrationId": id });
    let (first, second) = tokio::join!(
        decide(&t, &one, "dealRegistrationApprove", input()),
        decide(&t, &two, "dealRegistrationApprove", input()),
    );
    let refused = [
        first.refusals("dealRegistrationApprove"),
        second.refusals("dealRegistrationApprove"),
    ]
    .concat();
    assert_eq!(refused, ["ILLEGAL_TRANSITION"]);
    assert_eq!(
        deal::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        1
    );
    assert_eq!(events(&t, "deal_registration.approved").await.len(), 1);
}

async fn approve_and_withdraw_at_once_have_one_winner(t: TestApp) {
    let market = market(&t).await;
    let (a, reviewer) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    for number in 0..5 {
        let domain = format!("customer{number}.com");
        let id = registered(
            &t,
            &a.manager,
            claim(market.router, "Customer", Some(&domain)),
        )
        .await;
        let input = || json!({ "registrationId": id });
        let (approval, withdrawal) = tokio::join!(
            decide(&t, &reviewer, "dealRegistrationApprove", input()),
            decide(&t, &a.manager, "dealRegistrationWithdraw", input()),
        );
        let refused = [
            approval.refusals("dealRegistrationApprove"),
            withdrawal.refusals("dealRegistrationWithdraw"),
        ]
        .concat();
        assert_eq!(refused, ["ILLEGAL_TRANSITION"]);
        let key = DealRegistrationId::parse(&id).unwrap();
        let row = deal_registration::Entity::find_by_id(key)
            .one(t.app.db().reader())
            .await
            .unwrap()
            .unwrap();
        let won = approval.refusals("dealRegistrationApprove").is_empty();
        assert_eq!(row.deal_id.is_some(), won);
        assert_eq!(row.protected_until.is_some(), won);
    }
}

async fn a_stale_version_is_refused(t: TestApp) {
    let market = market(&t).await;
    let (a, reviewer) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    decide(
        &t,
        &reviewer,
        "dealRegistrationReviewStart",
        json!({ "registrationId": id }),
    )
    .await;
    let before = written(&t).await;
    let input = json!({ "registrationId": id, "expectedVersion": 1 });
    let answer = decide(&t, &reviewer, "dealRegistrationApprove", input).await;
    assert_eq!(answer.refusal("dealRegistrationApprove"), "STALE_OBJECT");
    assert_eq!(written(&t).await, before);
    assert_eq!(
        protection::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        1
    );
}
