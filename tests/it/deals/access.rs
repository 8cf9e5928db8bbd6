//! The wall between partners.

use ensemble::{
    access::Actor,
    entity::{
        ids::{DealId, DealRegistrationId},
        user::Role,
    },
    platform::ids::{self, TypedId},
};
use serde_json::json;

use super::market::*;
use crate::{cases, support::TestApp};

cases!(
    a_partner_sees_nothing_of_another_s,
    nobody_acts_on_another_partner_s_registration,
    nobody_registers_for_another_partner,
    shared_deals_hide_the_others,
    lists_are_filtered_paged_and_sorted,
    anonymous_and_executive_read_nothing,
);

async fn a_partner_sees_nothing_of_another_s(t: TestApp) {
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
    let deal = approved(&t, &t.vendor(Role::AllianceManager).await, &id).await;
    let now = t.app.clock().now();
    let unknown = (
        DealRegistrationId::of(ids::mint(now)).text(),
        DealId::of(ids::mint(now)).text(),
    );
    for (document, hidden, absent) in [
        (
            "query($id: ID!) { dealRegistration(id: $id) { id } }",
            &id,
            &unknown.0,
        ),
        (
            "query($id: ID!) { deal(id: $id) { id } }",
            &deal,
            &unknown.1,
        ),
        ("query($id: ID!) { node(id: $id) { id } }", &id, &unknown.0),
        (
            "query($id: ID!) { node(id: $id) { id } }",
            &deal,
            &unknown.1,
        ),
    ] {
        let hidden = t.ask(&b.manager, document, json!({ "id": hidden })).await;
        let absent = t.ask(&b.manager, document, json!({ "id": absent })).await;
        assert_eq!(hidden.error(), "NOT_FOUND");
        assert_eq!(hidden.json, absent.json);
    }
    let document = "query($id: ID!) { nodes(ids: [$id]) { id }
        dealRegistrations { totalCount nodes { id } } deals { totalCount nodes { id } } dealPipeline { count } }";
    let others = t.ask(&b.manager, document, json!({ "id": deal })).await;
    let nothing = json!({ "totalCount": 0, "nodes": [] });
    assert_eq!(others.at("nodes"), &json!([null]));
    assert_eq!(others.at("dealRegistrations"), &nothing);
    assert_eq!(others.at("deals"), &nothing);
    assert_eq!(others.at("dealPipeline"), &json!([]));
    let own = t.ask(&a.manager, document, json!({ "id": deal })).await;
    assert_eq!(own.text("nodes/0/id"), deal);
}

async fn nobody_acts_on_another_partner_s_registration(t: TestApp) {
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
    let before = written(&t).await;
    for (mutation, input) in [
        ("dealRegistrationWithdraw", json!({ "registrationId": id })),
        (
            "dealRegistrationAnswer",
            json!({ "registrationId": id, "note": "x" }),
        ),
        (
            "dealRegistrationExtend",
            json!({ "registrationId": id, "evidence": "x" }),
        ),
    ] {
        assert_eq!(
            decide(&t, &b.manager, mutation, input)
                .await
                .refusal(mutation),
            "NOT_FOUND"
        );
    }
    for (mutation, input) in [
        ("dealRegistrationApprove", json!({ "registrationId": id })),
        (
            "dealRegistrationReviewStart",
            json!({ "registrationId": id }),
        ),
        (
            "dealRegistrationReject",
            json!({ "registrationId": id, "reason": "OTHER", "note": "x" }),
        ),
    ] {
        assert_eq!(
            decide(&t, &a.manager, mutation, input)
                .await
                .refusal(mutation),
            "FORBIDDEN"
        );
    }
    assert_eq!(written(&t).await, before);
}

async fn nobody_registers_for_another_partner(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let before = written(&t).await;
    let mut input = claim(market.router, "Acme", Some("acme.com"));
    input["partnerId"] = json!(a.partner.text());
    let answer = submit(&t, &b.manager, input.clone()).await;
    assert_eq!(answer.refusal("dealRegistrationSubmit"), "NOT_FOUND");
    let answer = submit(&t, &t.vendor(Role::AllianceManager).await, input).await;
    assert_eq!(answer.refusal("dealRegistrationSubmit"), "FORBIDDEN");
    assert_eq!(written(&t).await, before);
}

async fn shared_deals_hide_the_others(t: TestApp) {
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
    invited(&t, &manager, &deal, b.partner, "RESELLER").await;
    invited(&t, &manager, &deal, c.partner, "IMPLEMENTER").await;
    invited(&t, &manager, &deal, c.partner, "TECHNOLOGY").await;
    let document = "query($id: ID!) { deal(id: $id) { otherPartnerCount participants { role } } }";
    for (person, others, roles) in [
        (&a.manager, 2, vec!["SOURCER"]),
        (&b.manager, 2, vec!["RESELLER"]),
        (
            &manager,
            0,
            vec!["IMPLEMENTER", "RESELLER", "SOURCER", "TECHNOLOGY"],
        ),
    ] {
        let answer = t.ask(person, document, json!({ "id": deal })).await;
        assert_eq!(answer.at("deal/otherPartnerCount"), &json!(others));
        let mut seen: Vec<_> = answer
            .at("deal/participants")
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["role"].as_str().unwrap())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, roles);
    }
    let document = "query($id: ID!) { deals(filter: { partnerId: $id }) { totalCount }
        dealRegistrations(filter: { partnerId: $id }) { totalCount } }";
    for (person, partner, deals, registrations) in [
        (&manager, b.partner, 1, 0),
        (&b.manager, b.partner, 1, 0),
        (&a.manager, b.partner, 0, 0),
        (&b.manager, a.partner, 0, 0),
        (&a.manager, a.partner, 1, 1),
    ] {
        let answer = t
            .ask(person, document, json!({ "id": partner.text() }))
            .await;
        assert_eq!(answer.at("deals/totalCount"), &json!(deals));
        assert_eq!(
            answer.at("dealRegistrations/totalCount"),
            &json!(registrations)
        );
    }
}

async fn lists_are_filtered_paged_and_sorted(t: TestApp) {
    let market = market(&t).await;
    let (a, manager) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    let mut registrations = Vec::new();
    for number in 0..5 {
        let domain = format!("customer{number}.com");
        registrations
            .push(registered(&t, &a.manager, claim(market.router, &domain, Some(&domain))).await);
        t.advance(chrono::TimeDelta::hours(1));
    }
    let deal = approved(&t, &manager, &registrations[4]).await;
    let document = "query($after: String) { dealRegistrations(first: 2, after: $after, filter: { status: SUBMITTED },
        orderBy: [{ field: SUBMITTED_AT, direction: ASC }]) { totalCount pageInfo { endCursor hasNextPage } nodes { id } } }";
    let first = t.ask(&manager, document, json!({})).await;
    let cursor = first.text("dealRegistrations/pageInfo/endCursor");
    let second = t.ask(&manager, document, json!({ "after": cursor })).await;
    assert_eq!(first.at("dealRegistrations/totalCount"), &json!(4));
    assert_eq!(
        second.at("dealRegistrations/pageInfo/hasNextPage"),
        &json!(false)
    );
    let ids: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page.at("dealRegistrations/nodes").as_array().unwrap())
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, registrations[..4]);
    let document = "{ dealRegistrations(filter: { submittedAt: { gte: \"2026-03-01T10:00:00Z\", lt: \"2026-03-01T12:00:00Z\" } })
        { nodes { id } } deals(filter: { status: [OPEN], stage: [\"PROSPECT\"] }) { nodes { id } }
        none: deals(filter: { status: WON }) { nodes { id } } }";
    let answer = t.ask(&manager, document, json!({})).await;
    assert_eq!(
        answer.at("dealRegistrations/nodes"),
        &json!([{ "id": registrations[2] }, { "id": registrations[1] }])
    );
    assert_eq!(answer.at("deals/nodes"), &json!([{ "id": deal }]));
    assert_eq!(answer.at("none/nodes"), &json!([]));
}

async fn anonymous_and_executive_read_nothing(t: TestApp) {
    market(&t).await;
    let executive = t.vendor(Role::Executive).await;
    for document in [
        "{ deals { totalCount } }",
        "{ dealRegistrations { totalCount } }",
        "{ dealPipeline { count } }",
    ] {
        assert_eq!(
            t.ask_as(&Actor::Anonymous, document, json!({}))
                .await
                .error(),
            "UNAUTHENTICATED"
        );
        assert_eq!(
            t.ask(&executive, document, json!({})).await.error(),
            "FORBIDDEN"
        );
    }
}
