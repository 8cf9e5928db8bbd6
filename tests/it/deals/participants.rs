//! Partners beside each other on a deal.

use ensemble::{
    entity::{
        ids::{DealId, TouchpointId},
        touchpoint::{self, JourneyPhase, TouchpointKind, TouchpointStatus},
        user::Role,
    },
    platform::ids::{self, TypedId},
};
use sea_orm::{ActiveValue::Set, EntityTrait, PaginatorTrait};
use serde_json::json;

use super::market::*;
use crate::{cases, support::TestApp};

cases!(
    a_deal_does_not_pass_qualified_while_an_invitation_is_open,
    a_second_reseller_is_refused,
    two_resellers_at_once_have_one_winner,
    removing_a_partner_keeps_its_touchpoints,
    an_invitation_lapses_and_can_be_renewed,
    nobody_answers_for_another_partner,
    who_declines_no_longer_sees_the_deal,
);

async fn a_deal_does_not_pass_qualified_while_an_invitation_is_open(t: TestApp) {
    let market = market(&t).await;
    let a = gold(&t, market, "Northwind Partners").await;
    let (b, c) = (
        gold(&t, market, "Contoso Sales").await,
        gold(&t, market, "Fabrikam Services").await,
    );
    let manager = t.vendor(Role::AllianceManager).await;
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let deal = approved(&t, &manager, &id).await;
    let reseller = invited(&t, &manager, &deal, b.partner, "RESELLER").await;
    let implementer = invited(&t, &manager, &deal, c.partner, "IMPLEMENTER").await;
    let accept = |id: &str| json!({ "participantId": id });
    on_participant(&t, &b.manager, "dealParticipantAccept", accept(&reseller))
        .await
        .done("dealParticipantAccept");

    let to = |stage: &str| json!({ "dealId": deal, "stage": stage });
    on_deal(&t, &manager, "dealStageChange", to("QUALIFIED"))
        .await
        .done("dealStageChange");
    let before = written(&t).await;
    let refused = on_deal(&t, &manager, "dealStageChange", to("PROPOSAL")).await;
    assert_eq!(refused.refusal("dealStageChange"), "ROLES_INCOMPLETE");
    let refused = on_deal(&t, &manager, "dealWin", json!({ "dealId": deal })).await;
    assert_eq!(refused.refusal("dealWin"), "ROLES_INCOMPLETE");
    assert_eq!(written(&t).await, before);
    on_participant(
        &t,
        &c.manager,
        "dealParticipantAccept",
        accept(&implementer),
    )
    .await
    .done("dealParticipantAccept");
    let moved = on_deal(&t, &manager, "dealStageChange", to("PROPOSAL")).await;
    assert_eq!(
        moved
            .done("dealStageChange")
            .text("dealStageChange/deal/stage/key"),
        "PROPOSAL"
    );
}

async fn a_second_reseller_is_refused(t: TestApp) {
    let market = market(&t).await;
    let a = gold(&t, market, "Northwind Partners").await;
    let (b, c) = (
        gold(&t, market, "Contoso Sales").await,
        gold(&t, market, "Fabrikam Services").await,
    );
    let manager = t.vendor(Role::AllianceManager).await;
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let deal = approved(&t, &manager, &id).await;
    let first = invited(&t, &manager, &deal, b.partner, "RESELLER").await;
    let before = written(&t).await;
    for (partner, role, code) in [
        (c.partner, "RESELLER", "CONFLICT"),
        (b.partner, "RESELLER", "DUPLICATE"),
    ] {
        let input = json!({ "dealId": deal, "partnerId": partner.text(), "role": role });
        let refused = on_participant(&t, &manager, "dealParticipantInvite", input).await;
        assert_eq!(refused.refusal("dealParticipantInvite"), code);
    }
    assert_eq!(written(&t).await, before);
    invited(&t, &manager, &deal, b.partner, "IMPLEMENTER").await;
    on_participant(
        &t,
        &b.manager,
        "dealParticipantDecline",
        json!({ "participantId": first }),
    )
    .await
    .done("dealParticipantDecline");
    invited(&t, &manager, &deal, c.partner, "RESELLER").await;
}

async fn two_resellers_at_once_have_one_winner(t: TestApp) {
    let market = market(&t).await;
    let a = gold(&t, market, "Northwind Partners").await;
    let (b, c) = (
        gold(&t, market, "Contoso Sales").await,
        gold(&t, market, "Fabrikam Services").await,
    );
    let manager = t.vendor(Role::AllianceManager).await;
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let deal = approved(&t, &manager, &id).await;
    let input = |partner: ensemble::entity::ids::PartnerId| json!({ "dealId": deal, "partnerId": partner.text(), "role": "RESELLER" });
    let (one, two) = tokio::join!(
        on_participant(&t, &manager, "dealParticipantInvite", input(b.partner)),
        on_participant(&t, &manager, "dealParticipantInvite", input(c.partner)),
    );
    let refused = [
        one.refusals("dealParticipantInvite"),
        two.refusals("dealParticipantInvite"),
    ]
    .concat();
    assert_eq!(refused, ["CONFLICT"]);
}

async fn removing_a_partner_keeps_its_touchpoints(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let manager = t.vendor(Role::AllianceManager).await;
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let deal = approved(&t, &manager, &id).await;
    let participant = invited(&t, &manager, &deal, b.partner, "INFLUENCER").await;
    on_participant(
        &t,
        &b.manager,
        "dealParticipantAccept",
        json!({ "participantId": participant }),
    )
    .await
    .done("dealParticipantAccept");
    let now = t.app.clock().now();
    let (deal_id, partner) = (DealId::parse(&deal).unwrap(), b.partner);
    t.write(move |tx| {
        let row = touchpoint::ActiveModel {
            id: Set(TouchpointId::of(ids::mint(now))),
            external_id: Set(None),
            deal_id: Set(deal_id),
            partner_id: Set(partner),
            kind: Set(TouchpointKind::Demo),
            phase: Set(JourneyPhase::Awareness),
            milestone: Set(None),
            occurred_at: Set(now),
            evidence: Set(None),
            status: Set(TouchpointStatus::Verified),
            corrects_id: Set(None),
            recorded_by: Set(None),
            recorded_by_partner: Set(Some(partner)),
            recorded_at: Set(now),
            rejection_reason: Set(None),
            verified_by: Set(None),
            verified_at: Set(None),
            version: Set(1),
            fingerprint: Set(None),
        };
        Box::pin(async move { tx.insert(row).await })
    })
    .await
    .unwrap();
    let silent = on_participant(
        &t,
        &manager,
        "dealParticipantRemove",
        json!({ "participantId": participant }),
    )
    .await;
    assert_eq!(silent.refusal("dealParticipantRemove"), "REASON_REQUIRED");
    let input = json!({ "participantId": participant, "reason": "left the project" });
    let removed = on_participant(&t, &manager, "dealParticipantRemove", input).await;
    assert_eq!(
        removed
            .done("dealParticipantRemove")
            .text("dealParticipantRemove/participant/status"),
        "REMOVED"
    );
    assert_eq!(
        touchpoint::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        1
    );
    let document = "query($id: ID!) { deal(id: $id) { id } }";
    assert_eq!(
        t.ask(&b.manager, document, json!({ "id": deal }))
            .await
            .error(),
        "NOT_FOUND"
    );
}

async fn an_invitation_lapses_and_can_be_renewed(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let manager = t.vendor(Role::AllianceManager).await;
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let deal = approved(&t, &manager, &id).await;
    let participant = invited(&t, &manager, &deal, b.partner, "TECHNOLOGY").await;
    let accept = || json!({ "participantId": participant });
    t.clock.set(at("2026-03-16T09:00:00Z"));
    let late = on_participant(&t, &b.manager, "dealParticipantAccept", accept()).await;
    assert_eq!(late.refusal("dealParticipantAccept"), "ILLEGAL_TRANSITION");
    let to = json!({ "dealId": deal, "stage": "PROPOSAL" });
    on_deal(&t, &manager, "dealStageChange", to)
        .await
        .done("dealStageChange");
    t.settle().await;
    t.settle().await;
    assert_eq!(events(&t, "deal_participant.expired").await.len(), 1);
    let renewed = invited(&t, &manager, &deal, b.partner, "TECHNOLOGY").await;
    assert_eq!(renewed, participant);
    let accepted = on_participant(&t, &b.manager, "dealParticipantAccept", accept()).await;
    assert_eq!(
        accepted
            .done("dealParticipantAccept")
            .text("dealParticipantAccept/participant/status"),
        "ACCEPTED"
    );
}

async fn nobody_answers_for_another_partner(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let manager = t.vendor(Role::AllianceManager).await;
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let deal = approved(&t, &manager, &id).await;
    let participant = invited(&t, &manager, &deal, b.partner, "TECHNOLOGY").await;
    let before = written(&t).await;
    let member = t.person(Role::PartnerMember, Some(b.partner)).await;
    let people = [
        (&a.manager, "NOT_FOUND"),
        (&manager, "FORBIDDEN"),
        (&member, "FORBIDDEN"),
    ];
    for (person, code) in people.into_iter().chain([(&t.admin().await, "FORBIDDEN")]) {
        let answer = on_participant(
            &t,
            person,
            "dealParticipantAccept",
            json!({ "participantId": participant }),
        )
        .await;
        assert_eq!(answer.refusal("dealParticipantAccept"), code);
    }
    let input = json!({ "dealId": deal, "partnerId": b.partner.text(), "role": "RESELLER" });
    let answer = on_participant(&t, &a.manager, "dealParticipantInvite", input).await;
    assert_eq!(answer.refusal("dealParticipantInvite"), "FORBIDDEN");
    assert_eq!(written(&t).await, before);
}

async fn who_declines_no_longer_sees_the_deal(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let manager = t.vendor(Role::AllianceManager).await;
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let deal = approved(&t, &manager, &id).await;
    let participant = invited(&t, &manager, &deal, b.partner, "TECHNOLOGY").await;
    let document = "query($id: ID!) { deal(id: $id) { name otherPartnerCount partner { id } registration { id }
        participants { role status allowedActions } } }";
    let answer = t.ask(&b.manager, document, json!({ "id": deal })).await;
    assert_eq!(
        answer.at("deal"),
        &json!({ "name": "Acme", "otherPartnerCount": 1, "partner": null, "registration": null,
            "participants": [{ "role": "TECHNOLOGY", "status": "INVITED", "allowedActions": ["ACCEPT", "DECLINE"] }] })
    );
    let answer = on_participant(
        &t,
        &b.manager,
        "dealParticipantDecline",
        json!({ "participantId": participant }),
    )
    .await;
    let declined = answer
        .done("dealParticipantDecline")
        .at("dealParticipantDecline/participant");
    assert_eq!(
        (&declined["status"], &declined["deal"]),
        (&json!("DECLINED"), &json!(null))
    );
    assert_eq!(
        t.ask(&b.manager, document, json!({ "id": deal }))
            .await
            .error(),
        "NOT_FOUND"
    );
    assert_eq!(
        t.ask(&b.manager, "{ deals { nodes { id } } }", json!({}))
            .await
            .count("deals/nodes"),
        0
    );
}
