//! Programmes, their rules in time, and who takes part.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use ensemble::{
    entity::{enrollment, ids::ProgramId, program, program_version, user::Role},
    error::{Code, Result},
    platform::ids::TypedId,
    programs::{
        ProgramRules,
        rules::{self, Part, Rules},
    },
    settings::ProgramSettings,
};

use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use super::{fields, partner, run, traces};
use crate::{
    cases,
    support::{Person, TestApp},
};

cases!(
    a_programme_starts_from_the_standard_rules,
    rules_hold_from_their_beginning_on,
    versions_follow_each_other_in_time,
    every_fault_of_the_rules_is_told_in_the_words_of_the_api,
    the_only_programme_needs_no_name,
    a_scheduled_version_can_be_withdrawn_until_it_takes_effect,
    a_scheduled_version_that_no_longer_fits_does_not_take_effect,
);

pub async fn open(t: &TestApp, person: &Person, name: &str) -> String {
    let made = run(
        t,
        person,
        "programCreate",
        json!({ "name": name }),
        "program { id }",
    )
    .await;
    made.done("programCreate").text("programCreate/program/id")
}

/// All rules of a programme at an instant.
async fn in_force(t: &TestApp, id: &str, at: DateTime<Utc>) -> Result<Rules<ProgramSettings>> {
    rules::in_force(t.app.db().reader(), program_id(id), at).await
}

pub fn program_id(text: &str) -> ProgramId {
    ProgramId::parse(text).unwrap()
}

pub async fn change(t: &TestApp, person: &Person, input: Value) -> crate::support::Answer {
    run(
        t,
        person,
        "programSettingsChange",
        input,
        "program { version settings { reviewSlaHours } }",
    )
    .await
}

pub async fn written(t: &TestApp) -> [u64; 3] {
    let db = t.app.db().reader();
    [
        program::Entity::find().count(db).await.unwrap(),
        program_version::Entity::find().count(db).await.unwrap(),
        enrollment::Entity::find().count(db).await.unwrap(),
    ]
}

async fn a_programme_starts_from_the_standard_rules(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let id = open(&t, &ada, "Ensemble Partner Programme").await;
    let document = "query($id: ID!) { program(id: $id) { name status version settings { reportingCurrency defaultTimeZone
        tiers { key rank protectionDays maxOpenRegistrations } stages { key probability kind } roles { role weight }
        officialModel attribution { halfLifeDays phaseWeights { preSales } } conflict { nameSimilarity } reminderDays
        reviewSlaHours invitationDays minimumPayout { amount currency } }
        versions { nodes { number effectiveFrom settings { invitationDays } } } } }";
    let found = t.ask(&ada, document, json!({ "id": id })).await;
    assert_eq!(found.at("program/version"), 1);
    let settings = found.at("program/settings");
    assert_eq!(
        settings["tiers"][2],
        json!({ "key": "GOLD", "rank": 3, "protectionDays": 90, "maxOpenRegistrations": 50 })
    );
    assert_eq!(
        settings["stages"][1],
        json!({ "key": "QUALIFIED", "probability": "25", "kind": "OPEN" })
    );
    assert_eq!(
        settings["roles"][0],
        json!({ "role": "SOURCER", "weight": 25 })
    );
    assert_eq!(settings["conflict"]["nameSimilarity"], "92");
    assert_eq!(
        settings["attribution"],
        json!({ "halfLifeDays": 30, "phaseWeights": null })
    );
    assert_eq!(
        settings["minimumPayout"],
        json!([{ "amount": "50.00", "currency": "USD" }])
    );
    assert_eq!(settings["reminderDays"], json!([14, 3]));
    let versions = json!([{ "number": 1, "effectiveFrom": "2026-03-01T09:00:00Z", "settings": { "invitationDays": 15 } }]);
    assert_eq!(found.at("program/versions/nodes"), &versions);
    let stored = program_version::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        ProgramSettings::read(&stored.settings).unwrap(),
        ProgramSettings::default()
    );

    let before = (traces(&t).await, written(&t).await);
    let again = run(
        &t,
        &ada,
        "programCreate",
        json!({ "name": "Ensemble Partner Programme" }),
        "program { id }",
    )
    .await;
    assert_eq!(
        (
            again.refusal("programCreate").as_str(),
            fields(&again, "programCreate")
        ),
        ("DUPLICATE", vec!["name".to_owned()])
    );
    let finance = t.vendor(Role::Finance).await;
    let refused = run(
        &t,
        &finance,
        "programCreate",
        json!({ "name": "Other" }),
        "program { id }",
    )
    .await;
    assert_eq!(refused.refusal("programCreate"), "FORBIDDEN");
    assert_eq!((traces(&t).await, written(&t).await), before);
}

async fn rules_hold_from_their_beginning_on(t: TestApp) {
    let ada = t.admin().await;
    let id = open(&t, &ada, "Programme").await;
    let begins: DateTime<Utc> = "2026-04-01T00:00:00.5Z".parse().unwrap();
    let input = json!({
        "programId": id, "effectiveFrom": begins, "expectedVersion": 1,
        "settings": { "reviewSlaHours": 24, "minimumPayout": [{ "amount": "100", "currency": "JPY" }],
            "attribution": { "phaseWeights": { "preSales": 50, "transaction": 30, "postSales": 20 } } },
    });
    let changed = change(&t, &ada, input).await;
    let expected = json!({ "version": 2, "settings": { "reviewSlaHours": 48 } });
    assert_eq!(
        changed
            .done("programSettingsChange")
            .at("programSettingsChange/program"),
        &expected
    );

    let db = t.app.db().reader();
    let step = TimeDelta::microseconds(1);
    let start = t.app.clock().now();
    for (at, number, hours) in [
        (start - TimeDelta::days(1_000), 1, 48),
        (start, 1, 48),
        (begins - step, 1, 48),
        (begins, 2, 24),
        (begins + step, 2, 24),
        (begins + TimeDelta::days(1_000), 2, 24),
    ] {
        let rules = in_force(&t, &id, at).await.unwrap();
        assert_eq!(
            (rules.number, rules.settings.pipeline.review_sla_hours),
            (number, hours),
            "{at}"
        );
        let document = "query($id: ID!, $at: DateTime) { program(id: $id) { settings(at: $at) { reviewSlaHours } } }";
        let shown = t.ask(&ada, document, json!({ "id": id, "at": at })).await;
        assert_eq!(shown.at("program/settings/reviewSlaHours"), hours, "{at}");
    }
    let second = in_force(&t, &id, begins).await.unwrap();
    assert_eq!(
        second.settings.payouts.minimum_payout,
        [("JPY".to_owned(), 100)].into()
    );
    assert_eq!(
        second
            .settings
            .attribution
            .models
            .phase_weights
            .unwrap()
            .pre_sales,
        50
    );
    assert_eq!(second.program, ProgramRules::default());
    let first = in_force(&t, &id, start).await.unwrap();
    let both: HashMap<_, Rules<ProgramSettings>> =
        rules::by_version(db, &[second.version_id, first.version_id, first.version_id])
            .await
            .unwrap();
    assert_eq!(both.len(), 2);
    assert_eq!(both[&second.version_id], second);
    let unknown = ProgramId(uuid::Uuid::nil()).text();
    let unknown = in_force(&t, &unknown, start).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

async fn versions_follow_each_other_in_time(t: TestApp) {
    let ada = t.admin().await;
    let id = open(&t, &ada, "Programme").await;
    let from = |at: &str| json!({ "programId": id, "effectiveFrom": at, "settings": { "reviewSlaHours": 1 } });
    let before = (traces(&t).await, written(&t).await);
    for at in ["2026-03-01T09:00:00Z", "2026-03-01T08:59:59Z"] {
        let refused = change(&t, &ada, from(at)).await;
        assert_eq!(refused.refusal("programSettingsChange"), "BAD_USER_INPUT");
        assert_eq!(fields(&refused, "programSettingsChange"), ["effectiveFrom"]);
    }
    let stale = json!({ "programId": id, "expectedVersion": 7, "settings": {} });
    assert_eq!(
        change(&t, &ada, stale)
            .await
            .refusal("programSettingsChange"),
        "STALE_OBJECT"
    );
    assert_eq!((traces(&t).await, written(&t).await), before);

    change(&t, &ada, from("2026-05-01T00:00:00Z"))
        .await
        .done("programSettingsChange");
    t.advance(TimeDelta::hours(1));
    for at in ["2026-05-01T00:00:00Z", "2026-04-01T00:00:00Z"] {
        assert_eq!(
            change(&t, &ada, from(at))
                .await
                .refusal("programSettingsChange"),
            "BAD_USER_INPUT"
        );
    }
    let now = json!({ "programId": id, "settings": { "reviewSlaHours": 2 } });
    assert_eq!(
        change(&t, &ada, now.clone())
            .await
            .refusal("programSettingsChange"),
        "BAD_USER_INPUT"
    );
    t.advance(TimeDelta::days(70));
    let changed = change(&t, &ada, now).await;
    let expected = json!({ "version": 3, "settings": { "reviewSlaHours": 2 } });
    assert_eq!(
        changed
            .done("programSettingsChange")
            .at("programSettingsChange/program"),
        &expected
    );
}

async fn every_fault_of_the_rules_is_told_in_the_words_of_the_api(t: TestApp) {
    let ada = t.admin().await;
    let settings = json!({
        "defaultTimeZone": "Mars/Olympus", "reportingCurrency": "XXX",
        "tiers": [{ "key": "gold", "name": "Gold", "rank": 1, "protectionDays": 0, "maxOpenRegistrations": 1 }],
        "stages": [
            { "key": "OPEN", "name": "Open", "rank": 1, "probability": "101", "kind": "OPEN" },
            { "key": "WON", "name": "Won", "rank": 2, "probability": "100", "kind": "WON" },
            { "key": "LOST", "name": "Lost", "rank": 3, "probability": "0.00001", "kind": "LOST" },
        ],
        "conflict": { "nameSimilarity": "12.5" },
        "minimumPayout": [{ "amount": "1.001", "currency": "USD" }, { "amount": "-1", "currency": "EUR" }],
    });
    let before = (traces(&t).await, written(&t).await);
    let refused = run(
        &t,
        &ada,
        "programCreate",
        json!({ "name": " ", "settings": settings }),
        "program { id }",
    )
    .await;
    let mut found = fields(&refused, "programCreate");
    found.sort();
    let expected = [
        "name",
        "settings.conflict.nameSimilarity",
        "settings.defaultTimeZone",
        "settings.minimumPayout.0.amount",
        "settings.minimumPayout.0.amount",
        "settings.reportingCurrency",
        "settings.stages.0.probability",
        "settings.stages.2.probability",
        "settings.tiers.0.key",
        "settings.tiers.0.protectionDays",
    ];
    assert_eq!(found, expected);
    assert_eq!((traces(&t).await, written(&t).await), before);
}

async fn the_only_programme_needs_no_name(t: TestApp) {
    let ada = t.admin().await;
    let db = t.app.db().reader();
    assert_eq!(
        rules::choose(db, None).await.unwrap_err().code(),
        Code::NotFound
    );
    let first = program_id(&open(&t, &ada, "One").await);
    assert_eq!(rules::choose(db, None).await.unwrap(), first);
    assert_eq!(
        rules::choose(db, Some(ProgramId(uuid::Uuid::nil())))
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    let second = program_id(&open(&t, &ada, "Two").await);
    assert_eq!(
        rules::choose(db, None).await.unwrap_err().code(),
        Code::BadUserInput
    );
    assert_eq!(rules::choose(db, Some(second)).await.unwrap(), second);
}

const VERSIONS: &str = "query($id: ID!) { program(id: $id) { version settings { reviewSlaHours }
    versions { nodes { id number withdrawnAt withdrawalReason settings { reviewSlaHours } } } } }";

/// Schedules review hours from an instant on; the id of the version.
async fn schedule(t: &TestApp, person: &Person, id: &str, from: &str, hours: u16) -> String {
    let input =
        json!({ "programId": id, "effectiveFrom": from, "settings": { "reviewSlaHours": hours } });
    change(t, person, input).await.done("programSettingsChange");
    let found = t.ask(person, VERSIONS, json!({ "id": id })).await;
    found.text("program/versions/nodes/0/id")
}

async fn withdraw(t: &TestApp, person: &Person, version: &str) -> crate::support::Answer {
    let input = json!({ "versionId": version });
    let selection = "program { version }";
    run(t, person, "programVersionWithdraw", input, selection).await
}

async fn a_scheduled_version_can_be_withdrawn_until_it_takes_effect(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let id = open(&t, &ada, "Programme").await;
    let july = schedule(&t, &ada, &id, "2026-07-01T00:00:00Z", 24).await;
    let august = schedule(&t, &ada, &id, "2026-08-01T00:00:00Z", 12).await;

    let before = (traces(&t).await, written(&t).await);
    let refused = withdraw(&t, &ada, &july).await;
    assert_eq!(
        (
            refused.refusal("programVersionWithdraw").as_str(),
            fields(&refused, "programVersionWithdraw")
        ),
        ("ILLEGAL_TRANSITION", vec!["versionId".to_owned()])
    );
    let finance = t.vendor(Role::Finance).await;
    let refused = withdraw(&t, &finance, &august).await;
    assert_eq!(refused.refusal("programVersionWithdraw"), "FORBIDDEN");
    let refused = withdraw(&t, &ada, &id).await;
    assert_eq!(refused.refusal("programVersionWithdraw"), "NOT_FOUND");
    assert_eq!((traces(&t).await, written(&t).await), before);

    let withdrawn = withdraw(&t, &ada, &august).await;
    assert_eq!(
        withdrawn
            .done("programVersionWithdraw")
            .at("programVersionWithdraw/program/version"),
        4
    );
    let again = withdraw(&t, &ada, &august).await;
    assert_eq!(
        again.refusal("programVersionWithdraw"),
        "ILLEGAL_TRANSITION"
    );
    // Its date is free again.
    let corrected = schedule(&t, &ada, &id, "2026-08-01T00:00:00Z", 6).await;
    for (at, number, hours) in [
        ("2026-07-31T23:59:59Z", 2, 24),
        ("2026-08-01T00:00:00Z", 4, 6),
    ] {
        let rules = in_force(&t, &id, at.parse().unwrap()).await.unwrap();
        let found = (rules.number, rules.settings.pipeline.review_sla_hours);
        assert_eq!(found, (number, hours), "{at}");
    }
    let shown = t.ask(&ada, VERSIONS, json!({ "id": id })).await;
    let withdrawn: Vec<_> = shown
        .at("program/versions/nodes")
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["number"].clone(), row["withdrawnAt"].clone()))
        .collect();
    assert_eq!(
        withdrawn,
        [
            (json!(4), json!(null)),
            (json!(3), json!("2026-03-01T09:00:00Z")),
            (json!(2), json!(null)),
            (json!(1), json!(null)),
        ]
    );

    t.advance(TimeDelta::days(200));
    t.settle().await;
    for version in [&july, &corrected] {
        let refused = withdraw(&t, &ada, version).await;
        assert_eq!(
            refused.refusal("programVersionWithdraw"),
            "ILLEGAL_TRANSITION"
        );
    }
    let shown = t.ask(&ada, VERSIONS, json!({ "id": id })).await;
    assert_eq!(shown.at("program/settings/reviewSlaHours"), 6);
}

async fn a_scheduled_version_that_no_longer_fits_does_not_take_effect(t: TestApp) {
    let ada = t.admin().await;
    let id = open(&t, &ada, "Programme").await;
    let northwind = partner(&t, &ada, "Northwind").await;
    let place = json!({ "partnerId": northwind, "tier": "SILVER" });
    run(&t, &ada, "partnerEnroll", place.clone(), "partner { id }")
        .await
        .done("partnerEnroll");
    let silver = json!([{ "key": "SILVER", "name": "Silver", "rank": 1, "protectionDays": 30, "maxOpenRegistrations": 5 }]);
    let input = json!({ "programId": id, "effectiveFrom": "2026-07-01T00:00:00Z", "settings": { "tiers": silver } });
    change(&t, &ada, input).await.done("programSettingsChange");
    schedule(&t, &ada, &id, "2026-08-01T00:00:00Z", 12).await;

    // A tier that scheduled rules leave out is not given.
    let before = (traces(&t).await, written(&t).await);
    let gold = json!({ "partnerId": northwind, "tier": "GOLD" });
    let refused = run(&t, &ada, "partnerTierChange", gold, "partner { id }").await;
    assert_eq!(
        (
            refused.refusal("partnerTierChange").as_str(),
            fields(&refused, "partnerTierChange")
        ),
        ("BAD_USER_INPUT", vec!["tier".to_owned()])
    );
    assert_eq!((traces(&t).await, written(&t).await), before);

    // Past the API it is given all the same.
    crate::money::operator(&t, "UPDATE enrollment SET tier = 'GOLD'")
        .await
        .unwrap();
    t.advance(TimeDelta::days(122));
    t.settle().await;
    let shown = t.ask(&ada, VERSIONS, json!({ "id": id })).await;
    let reasons: Vec<_> = shown
        .at("program/versions/nodes")
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["withdrawalReason"].clone())
        .collect();
    let reason = "settings.tiers must keep GOLD, which partners have";
    assert_eq!(
        reasons,
        [json!(reason), json!(reason), json!(null)],
        "both, since the second builds on the first"
    );
    let rules = in_force(&t, &id, t.app.clock().now()).await.unwrap();
    assert_eq!(rules.number, 1);
    let nora = t
        .person(Role::PartnerMember, Some(super::partner_id(&northwind)))
        .await;
    let shown = t.ask(&nora, VERSIONS, json!({ "id": id })).await;
    assert_eq!(
        shown.at("program/versions/nodes/0/withdrawalReason"),
        &json!(null)
    );
}
