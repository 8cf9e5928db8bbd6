//! Who takes part in a programme, at which tier.

use chrono::TimeDelta;
use ensemble::{
    entity::user::Role,
    platform::ids::TypedId,
    programs::rules::{self, Rules},
};
use serde_json::{Value, json};

use super::{
    fields, partner, partner_id,
    programs::{change, open, program_id, written},
    run, traces,
};
use crate::{cases, support::TestApp};

cases!(
    a_tier_that_partners_have_stays,
    partners_are_enrolled_at_a_tier,
    a_partner_sees_its_own_place_only,
    the_tier_of_a_day_is_that_of_its_end,
);

async fn a_tier_that_partners_have_stays(t: TestApp) {
    let ada = t.admin().await;
    let program = open(&t, &ada, "Programme").await;
    let northwind = partner(&t, &ada, "Northwind").await;
    let place = json!({ "partnerId": northwind, "tier": "GOLD" });
    run(&t, &ada, "partnerEnroll", place, "partner { id }")
        .await
        .done("partnerEnroll");
    t.advance(TimeDelta::hours(1));
    let only = |key: &str| json!([{ "key": key, "name": key, "rank": 1, "protectionDays": 30, "maxOpenRegistrations": 5 }]);
    let refused = change(
        &t,
        &ada,
        json!({ "programId": program, "settings": { "tiers": only("SILVER") } }),
    )
    .await;
    assert_eq!(refused.refusal("programSettingsChange"), "BAD_USER_INPUT");
    assert_eq!(
        fields(&refused, "programSettingsChange"),
        ["settings.tiers"]
    );
    let kept = json!({ "programId": program, "settings": { "tiers": only("GOLD") } });
    change(&t, &ada, kept).await.done("programSettingsChange");
}

async fn partners_are_enrolled_at_a_tier(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let program = open(&t, &ada, "Programme").await;
    let northwind = partner(&t, &ada, "Northwind").await;
    let other = partner(&t, &ada, "Fabrikam").await;
    let enroll = async |mutation: &str, partner: &str, tier: &str| {
        let input = json!({ "partnerId": partner, "programId": program, "tier": tier });
        run(
            &t,
            &ada,
            mutation,
            input,
            "partner { enrollments { tier version program { name } } }",
        )
        .await
    };
    let joined = enroll("partnerEnroll", &northwind, "SILVER").await;
    let expected = json!([{ "tier": "SILVER", "version": 1, "program": { "name": "Programme" } }]);
    assert_eq!(
        joined
            .done("partnerEnroll")
            .at("partnerEnroll/partner/enrollments"),
        &expected
    );

    let before = (traces(&t).await, written(&t).await);
    let again = enroll("partnerEnroll", &northwind, "GOLD").await;
    assert_eq!(again.refusal("partnerEnroll"), "DUPLICATE");
    let unknown = enroll("partnerEnroll", &other, "PLATINUM").await;
    assert_eq!(
        (
            unknown.refusal("partnerEnroll").as_str(),
            fields(&unknown, "partnerEnroll")
        ),
        ("BAD_USER_INPUT", vec!["tier".to_owned()])
    );
    assert_eq!(
        enroll("partnerTierChange", &other, "GOLD")
            .await
            .refusal("partnerTierChange"),
        "NOT_FOUND"
    );
    enroll("partnerTierChange", &northwind, "SILVER")
        .await
        .done("partnerTierChange");
    assert_eq!((traces(&t).await, written(&t).await), before);

    let raised = enroll("partnerTierChange", &northwind, "GOLD").await;
    let expected = json!([{ "tier": "GOLD", "version": 2, "program": { "name": "Programme" } }]);
    assert_eq!(
        raised
            .done("partnerTierChange")
            .at("partnerTierChange/partner/enrollments"),
        &expected
    );
    let db = t.app.db().reader();
    let rules: Rules = rules::in_force(db, program_id(&program), t.app.clock().now())
        .await
        .unwrap();
    assert_eq!(
        rules::tier_of(db, &rules, partner_id(&northwind))
            .await
            .unwrap(),
        "GOLD"
    );
    assert_eq!(
        rules::tier_of(db, &rules, partner_id(&other))
            .await
            .unwrap(),
        "REGISTERED"
    );
}

async fn a_partner_sees_its_own_place_only(t: TestApp) {
    let ada = t.admin().await;
    open(&t, &ada, "Programme").await;
    let own = partner(&t, &ada, "Northwind").await;
    for id in [&own, &partner(&t, &ada, "Fabrikam").await] {
        run(
            &t,
            &ada,
            "partnerEnroll",
            json!({ "partnerId": id, "tier": "GOLD" }),
            "partner { id }",
        )
        .await
        .done("partnerEnroll");
    }
    let nora = t.person(Role::PartnerMember, Some(partner_id(&own))).await;
    let document = "{ programs { nodes { name enrollments { totalCount nodes { partner { displayName } } } } } }";
    let seen = t.ask(&nora, document, json!({})).await;
    assert_eq!(
        seen.at("programs/nodes/0/enrollments"),
        &json!({ "totalCount": 1, "nodes": [{ "partner": { "displayName": "Northwind" } }] })
    );
    assert_eq!(
        t.ask(&ada, document, json!({}))
            .await
            .at("programs/nodes/0/enrollments/totalCount"),
        2
    );
}

async fn the_tier_of_a_day_is_that_of_its_end(t: TestApp) {
    let ada = t.admin().await;
    let tokyo = json!({ "name": "Programme", "settings": { "defaultTimeZone": "Asia/Tokyo" } });
    run(&t, &ada, "programCreate", tokyo, "program { id }")
        .await
        .done("programCreate");
    let [own, other] = [
        partner(&t, &ada, "Northwind").await,
        partner(&t, &ada, "Fabrikam").await,
    ];
    let give = async |mutation: &str, partner: &str, tier: &str| {
        let input = json!({ "partnerId": partner, "tier": tier });
        run(&t, &ada, mutation, input, "partner { id }")
            .await
            .done(mutation);
    };
    // 1 March, 18:00 in Tokyo; twice on 11 March, once just before the midnight of Tokyo and once after.
    give("partnerEnroll", &own, "SILVER").await;
    give("partnerEnroll", &other, "GOLD").await;
    t.advance(TimeDelta::days(10) + TimeDelta::hours(5));
    give("partnerTierChange", &own, "GOLD").await;
    t.advance(TimeDelta::hours(2));
    give("partnerTierChange", &own, "REGISTERED").await;

    let document = "query($id: ID!) { partner(id: $id) { a: tierOn(date: \"2026-02-28\") b: tierOn(date: \"2026-03-01\")
        c: tierOn(date: \"2026-03-10\") d: tierOn(date: \"2026-03-11\") e: tierOn(date: \"2026-03-12\")
        f: tierOn(date: \"2027-01-01\") enrollments { tier tierOn(date: \"2026-03-11\")
        tierChanges { totalCount nodes { tier effectiveFrom decidedBy } } } } }";
    let place = |decided_by: Value| {
        let change = |tier: &str, at: &str| json!({ "tier": tier, "effectiveFrom": at, "decidedBy": decided_by });
        json!({
            "a": null, "b": "SILVER", "c": "SILVER", "d": "GOLD", "e": "REGISTERED", "f": "REGISTERED",
            "enrollments": [{ "tier": "REGISTERED", "tierOn": "GOLD", "tierChanges": { "totalCount": 3, "nodes": [
                change("REGISTERED", "2026-03-11T16:00:00Z"),
                change("GOLD", "2026-03-11T14:00:00Z"),
                change("SILVER", "2026-03-01T09:00:00Z"),
            ] } }],
        })
    };
    let shown = t.ask(&ada, document, json!({ "id": own })).await;
    assert_eq!(shown.at("partner"), &place(json!(ada.id.text())));
    let nora = t.person(Role::PartnerMember, Some(partner_id(&own))).await;
    let shown = t.ask(&nora, document, json!({ "id": own })).await;
    assert_eq!(shown.at("partner"), &place(json!(null)));
    let hidden = t.ask(&nora, document, json!({ "id": other })).await;
    assert_eq!(hidden.error(), "NOT_FOUND");

    let second = open(&t, &ada, "Second").await;
    let input = json!({ "partnerId": own, "programId": second, "tier": "GOLD" });
    run(&t, &ada, "partnerEnroll", input, "partner { id }")
        .await
        .done("partnerEnroll");
    let of = "query($id: ID!, $program: ID) { partner(id: $id) { tierOn(date: \"2026-03-12\", programId: $program) } }";
    let named = t
        .ask(&ada, of, json!({ "id": own, "program": second }))
        .await;
    assert_eq!(named.at("partner/tierOn"), "GOLD");
    let unnamed = t.ask(&ada, of, json!({ "id": own })).await;
    assert_eq!(unnamed.at("partner/tierOn"), &json!(null));
}
