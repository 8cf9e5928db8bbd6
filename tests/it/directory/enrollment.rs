//! Who takes part in a programme, at which tier.

use chrono::TimeDelta;
use ensemble::{
    entity::user::Role,
    programs::rules::{self, Rules},
};
use serde_json::json;

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
