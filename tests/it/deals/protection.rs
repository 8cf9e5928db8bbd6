//! How long a claim is protected: reminders, extension, expiry.

use ensemble::{
    entity::{
        deal, deal_registration,
        protection::{self, ProtectionStatus},
        user::Role,
    },
    worker,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use super::market::*;
use crate::{
    cases,
    support::{Answer, TestApp},
};

cases!(
    protection_ends_at_midnight_of_the_deal_s_zone,
    reminders_come_on_days_76_and_87_once,
    missed_reminders_are_told_once_by_the_latest,
    reminders_beyond_one_chunk_are_told_at_the_same_due_time,
    an_extension_needs_progress_and_is_granted_once,
    an_extension_is_too_late_at_the_end,
    on_day_91_another_partner_is_approved,
    a_place_that_is_over_makes_room_before_the_job_runs,
);

async fn protection_ends_at_midnight_of_the_deal_s_zone(t: TestApp) {
    let market = market(&t).await;
    let (a, reviewer) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    for (zone, until) in [
        ("Europe/Berlin", "2026-05-30T22:00:00Z"),
        ("America/New_York", "2026-05-31T04:00:00Z"),
        ("Asia/Tokyo", "2026-05-30T15:00:00Z"),
    ] {
        let mut input = claim(
            market.router,
            zone,
            Some(&format!("{}.com", zone.replace(['/', '_'], "-"))),
        );
        input["timeZone"] = json!(zone);
        let id = registered(&t, &a.manager, input).await;
        let answer = decide(
            &t,
            &reviewer,
            "dealRegistrationApprove",
            json!({ "registrationId": id }),
        )
        .await;
        assert_eq!(
            answer.text("dealRegistrationApprove/dealRegistration/protectedUntil"),
            until
        );
    }
}

async fn reminders_come_on_days_76_and_87_once(t: TestApp) {
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
    approved(&t, &reviewer, &id).await;
    for (now, told) in [
        ("2026-05-15T23:59:59Z", vec![]),
        ("2026-05-16T00:00:00Z", vec![14]),
        ("2026-05-16T01:00:00Z", vec![14]),
        ("2026-05-26T23:59:59Z", vec![14]),
        ("2026-05-27T00:00:00Z", vec![14, 3]),
        ("2026-05-28T00:00:00Z", vec![14, 3]),
        ("2026-06-01T00:00:00Z", vec![14, 3]),
    ] {
        t.clock.set(at(now));
        t.settle().await;
        let mut days: Vec<_> = reminded(&t).await;
        days.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(days, told, "{now}");
    }
}

async fn missed_reminders_are_told_once_by_the_latest(t: TestApp) {
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
    approved(&t, &reviewer, &id).await;
    t.clock.set(at("2026-05-29T12:00:00Z"));
    let (one, two) = tokio::join!(worker::turn(&t.app), worker::turn(&t.app));
    one.and(two).unwrap();
    assert_eq!(reminded(&t).await, [3]);
}

async fn reminded(t: &TestApp) -> Vec<i64> {
    let told = events(t, "deal_registration.protection_reminder").await;
    told.iter()
        .map(|details| details["daysLeft"].as_i64().unwrap())
        .collect()
}

/// Why an extension was refused, for programs.
fn reasons(answer: &Answer) -> &Value {
    answer.at("dealRegistrationExtend/userErrors/0/reasons")
}

async fn reminders_beyond_one_chunk_are_told_at_the_same_due_time(t: TestApp) {
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
    approved(&t, &reviewer, &id).await;
    let first = deal_registration::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    // Twice a chunk, and one.
    t.write(move |tx| {
        let first = first.clone();
        Box::pin(async move {
            let copies = (0..1_000).map(|place| deal_registration::Model {
                id: tx.id(),
                number: format!("DR-COPY-{place}"),
                deal_id: None,
                ..first.clone()
            });
            tx.insert_models(copies.collect()).await
        })
    })
    .await
    .unwrap();
    t.clock.set("2026-05-16T00:00:00Z".parse().unwrap());
    worker::run_schedules(&t.app, &mut worker::Taken::default())
        .await
        .unwrap();
    let told = events(&t, "deal_registration.protection_reminder").await;
    assert_eq!(told.len(), 1_001);
    let due = deal_registration::Entity::find()
        .filter(deal_registration::Column::ReminderDueAt.lte(t.app.clock().now()))
        .count(t.app.db().reader());
    assert_eq!(due.await.unwrap(), 0);
}

async fn an_extension_needs_progress_and_is_granted_once(t: TestApp) {
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
    let deal = approved(&t, &reviewer, &id).await;
    let input = json!({ "registrationId": id, "evidence": "Two workshops." });
    let before = written(&t).await;
    let idle = decide(&t, &a.manager, "dealRegistrationExtend", input.clone()).await;
    assert_eq!(idle.refusal("dealRegistrationExtend"), "EXTENSION_REFUSED");
    assert_eq!(reasons(&idle), &json!(["NO_PROGRESS"]));
    assert_eq!(written(&t).await, before);
    t.advance(chrono::TimeDelta::days(20));
    on_deal(
        &t,
        &reviewer,
        "dealStageChange",
        json!({ "dealId": deal, "stage": "QUALIFIED" }),
    )
    .await
    .done("dealStageChange");
    let granted = decide(&t, &a.manager, "dealRegistrationExtend", input.clone()).await;
    let granted = granted
        .done("dealRegistrationExtend")
        .at("dealRegistrationExtend/dealRegistration")
        .clone();
    assert_eq!(granted["protectedUntil"], "2026-06-30T00:00:00Z");
    assert_eq!(granted["extensions"], 1);
    let places = protection::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(places[0].expires_at, Some(at("2026-06-30T00:00:00Z")));
    t.advance(chrono::TimeDelta::days(20));
    on_deal(
        &t,
        &reviewer,
        "dealStageChange",
        json!({ "dealId": deal, "stage": "PROPOSAL" }),
    )
    .await
    .done("dealStageChange");
    let again = decide(&t, &a.manager, "dealRegistrationExtend", input).await;
    assert_eq!(again.refusal("dealRegistrationExtend"), "EXTENSION_REFUSED");
    assert_eq!(reasons(&again), &json!(["LIMIT_REACHED"]));
    t.clock.set(at("2026-06-16T00:00:00Z"));
    t.settle().await;
    assert_eq!(reminded(&t).await, [14], "counted from the new end");
}

async fn an_extension_is_too_late_at_the_end(t: TestApp) {
    let market = market(&t).await;
    let (a, reviewer) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    let mut deals = Vec::new();
    for domain in ["acme.com", "globex.com"] {
        let id = registered(&t, &a.manager, claim(market.router, domain, Some(domain))).await;
        let deal = approved(&t, &reviewer, &id).await;
        t.advance(chrono::TimeDelta::minutes(1));
        on_deal(
            &t,
            &reviewer,
            "dealStageChange",
            json!({ "dealId": deal, "stage": "QUALIFIED" }),
        )
        .await
        .done("dealStageChange");
        deals.push(id);
    }
    let extend = |id: &str| json!({ "registrationId": id, "evidence": "Two workshops." });
    t.clock.set(at("2026-05-30T23:59:59Z"));
    let in_time = decide(&t, &a.manager, "dealRegistrationExtend", extend(&deals[0])).await;
    in_time.done("dealRegistrationExtend");
    t.clock.set(at("2026-05-31T00:00:00Z"));
    let late = decide(&t, &a.manager, "dealRegistrationExtend", extend(&deals[1])).await;
    assert_eq!(late.refusal("dealRegistrationExtend"), "EXTENSION_REFUSED");
    assert_eq!(reasons(&late), &json!(["ENDED"]));
    t.settle().await;
    let expired = decide(&t, &a.manager, "dealRegistrationExtend", extend(&deals[1])).await;
    assert_eq!(
        expired.refusal("dealRegistrationExtend"),
        "EXTENSION_REFUSED"
    );
}

async fn on_day_91_another_partner_is_approved(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let reviewer = t.vendor(Role::AllianceManager).await;
    let acme = || claim(market.router, "Acme", Some("acme.com"));
    let first = registered(&t, &a.manager, acme()).await;
    approved(&t, &reviewer, &first).await;
    t.clock.set(at("2026-05-30T23:59:59Z"));
    t.settle().await;
    assert_eq!(
        submit(&t, &b.manager, acme())
            .await
            .refusal("dealRegistrationSubmit"),
        "CONFLICT"
    );
    t.clock.set(at("2026-05-31T09:00:00Z"));
    t.settle().await;
    assert_eq!(events(&t, "deal_registration.expired").await.len(), 1);
    let second = registered(&t, &b.manager, acme()).await;
    approved(&t, &reviewer, &second).await;
    let document = "query($id: ID!) { dealRegistration(id: $id) { status deal { status } } }";
    let answer = t.ask(&a.manager, document, json!({ "id": first })).await;
    assert_eq!(
        answer.at("dealRegistration"),
        &json!({ "status": "EXPIRED", "deal": { "status": "OPEN" } })
    );
    assert_eq!(
        deal::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        2
    );
}

async fn a_place_that_is_over_makes_room_before_the_job_runs(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let reviewer = t.vendor(Role::AllianceManager).await;
    let first = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    approved(&t, &reviewer, &first).await;
    t.clock.set(at("2026-05-31T00:00:00Z"));
    let second = registered(
        &t,
        &b.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    approved(&t, &reviewer, &second).await;
    let places = protection::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    let mut statuses: Vec<_> = places.iter().map(|place| place.status).collect();
    statuses.sort_unstable();
    assert_eq!(
        statuses,
        [ProtectionStatus::Active, ProtectionStatus::Ended]
    );
    assert_eq!(events(&t, "deal_registration.expired").await.len(), 1);
}
