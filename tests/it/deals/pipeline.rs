//! How deals move, end and add up.

use chrono::TimeDelta;
use ensemble::{
    entity::{
        protection::{self, ProtectionStatus},
        user::Role,
    },
    platform::ids::TypedId,
};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use super::market::*;
use crate::{
    cases,
    support::{Person, TestApp},
};

cases!(
    the_weighted_pipeline_is_exact,
    dwell_times_are_those_of_the_moves,
    a_lost_deal_needs_a_reason_and_a_competitor,
    a_won_deal_closes_its_registration_and_frees_the_place,
    an_expired_registration_is_won_with_its_deal,
    a_deal_is_won_once,
    the_day_and_the_value_of_a_win_are_checked,
    stages_are_those_of_the_programme,
);

async fn created(
    t: &TestApp,
    manager: &Person,
    market: Market,
    amount: &str,
    currency: &str,
) -> String {
    let input = json!({
        "name": format!("{amount} {currency}"),
        "products": [{ "productId": market.router.text() }],
        "value": { "amount": amount, "currency": currency },
    });
    on_deal(t, manager, "dealCreate", input)
        .await
        .done("dealCreate")
        .text("dealCreate/deal/id")
}

async fn moved(t: &TestApp, manager: &Person, deal: &str, stage: &str) {
    let input = json!({ "dealId": deal, "stage": stage });
    on_deal(t, manager, "dealStageChange", input)
        .await
        .done("dealStageChange");
}

async fn the_weighted_pipeline_is_exact(t: TestApp) {
    let market = market(&t).await;
    let manager = t.vendor(Role::AllianceManager).await;
    for (amount, currency, stage) in [
        ("100000", "USD", "QUALIFIED"),
        ("50000", "USD", "PROPOSAL"),
        ("20000", "USD", "COMMITTED"),
        ("1000", "JPY", "NEGOTIATION"),
    ] {
        let deal = created(&t, &manager, market, amount, currency).await;
        moved(&t, &manager, &deal, stage).await;
    }
    let lost = created(&t, &manager, market, "7", "USD").await;
    let input = json!({ "dealId": lost, "reason": "PRICE", "competitor": "none" });
    on_deal(&t, &manager, "dealLose", input)
        .await
        .done("dealLose");
    let document = "{ dealPipeline { currency count total { amount } weighted { amount } } }";
    let answer = t.ask(&manager, document, json!({})).await;
    assert_eq!(
        answer.at("dealPipeline"),
        &json!([
            { "currency": "JPY", "count": 1, "total": { "amount": "1000" }, "weighted": { "amount": "750" } },
            { "currency": "USD", "count": 3, "total": { "amount": "170000.00" }, "weighted": { "amount": "68000.00" } },
        ])
    );
    let stranger = gold(&t, market, "Northwind Partners").await;
    assert_eq!(
        t.ask(&stranger.manager, document, json!({}))
            .await
            .at("dealPipeline"),
        &json!([])
    );
}

async fn dwell_times_are_those_of_the_moves(t: TestApp) {
    let market = market(&t).await;
    let manager = t.vendor(Role::AllianceManager).await;
    let deal = created(&t, &manager, market, "100", "USD").await;
    for (hours, stage) in [
        (3, "QUALIFIED"),
        (24, "PROPOSAL"),
        (5, "QUALIFIED"),
        (1, "COMMITTED"),
    ] {
        t.advance(TimeDelta::hours(hours));
        moved(&t, &manager, &deal, stage).await;
    }
    t.advance(TimeDelta::minutes(30));
    let won = on_deal(&t, &manager, "dealWin", json!({ "dealId": deal })).await;
    assert_eq!(
        won.done("dealWin").text("dealWin/deal/closedAt"),
        "2026-03-02T18:30:00Z"
    );
    t.advance(TimeDelta::days(3));
    let document = "query($id: ID!) { deal(id: $id) { timeInStages { stage seconds }
        stageHistory { stage fromStage enteredAt leftAt dwellSeconds } } }";
    let answer = t.ask(&manager, document, json!({ "id": deal })).await;
    let seconds = |stage: &str, seconds: &str| json!({ "stage": stage, "seconds": seconds });
    assert_eq!(
        answer.at("deal/timeInStages"),
        &json!([
            seconds("PROSPECT", "10800"),
            seconds("QUALIFIED", "90000"),
            seconds("PROPOSAL", "18000"),
            seconds("COMMITTED", "1800"),
        ])
    );
    assert_eq!(answer.count("deal/stageHistory"), 6);
    assert_eq!(
        answer.at("deal/stageHistory/1"),
        &json!({ "stage": "QUALIFIED", "fromStage": "PROSPECT", "enteredAt": "2026-03-01T12:00:00Z",
            "leftAt": "2026-03-02T12:00:00Z", "dwellSeconds": "86400" })
    );
    assert_eq!(answer.at("deal/stageHistory/5/dwellSeconds"), &Value::Null);
}

async fn a_lost_deal_needs_a_reason_and_a_competitor(t: TestApp) {
    let market = market(&t).await;
    let (a, manager) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let deal = approved(&t, &manager, &id).await;
    let before = written(&t).await;
    for (input, code) in [
        (
            json!({ "dealId": deal, "competitor": "Initech" }),
            "REASON_REQUIRED",
        ),
        (
            json!({ "dealId": deal, "reason": "PRICE" }),
            "BAD_USER_INPUT",
        ),
        (
            json!({ "dealId": deal, "reason": "PRICE", "competitor": " " }),
            "BAD_USER_INPUT",
        ),
    ] {
        assert_eq!(
            on_deal(&t, &manager, "dealLose", input)
                .await
                .refusal("dealLose"),
            code
        );
    }
    assert_eq!(written(&t).await, before);
    let input = json!({ "dealId": deal, "reason": "PRICE", "competitor": "Initech" });
    let answer = on_deal(&t, &manager, "dealLose", input).await;
    let lost = answer.done("dealLose").at("dealLose/deal");
    assert_eq!(
        (&lost["status"], &lost["stage"]["key"]),
        (&json!("LOST"), &json!("LOST"))
    );
    assert_eq!(
        (&lost["lossReason"], &lost["competitor"]),
        (&json!("PRICE"), &json!("Initech"))
    );
    assert_eq!(lost["registration"]["status"], "LOST");
    let b = gold(&t, market, "Contoso Sales").await;
    registered(
        &t,
        &b.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
}

async fn a_won_deal_closes_its_registration_and_frees_the_place(t: TestApp) {
    let market = market(&t).await;
    let (a, manager) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let deal = approved(&t, &manager, &id).await;
    let input = json!({ "dealId": deal, "value": { "amount": "120000.50", "currency": "USD" } });
    let answer = on_deal(&t, &manager, "dealWin", input).await;
    let won = answer.done("dealWin").at("dealWin/deal");
    assert_eq!(
        (&won["status"], &won["stage"]["probability"]),
        (&json!("WON"), &json!("100"))
    );
    assert_eq!(
        won["value"],
        json!({ "amount": "120000.50", "currency": "USD" })
    );
    assert_eq!(won["registration"]["status"], "WON");
    let places = protection::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(
        places.iter().map(|place| place.status).collect::<Vec<_>>(),
        [ProtectionStatus::Ended]
    );
    assert_eq!(events(&t, "deal.won").await.len(), 1);
    let moved = on_deal(
        &t,
        &manager,
        "dealStageChange",
        json!({ "dealId": deal, "stage": "PROPOSAL" }),
    )
    .await;
    assert_eq!(moved.refusal("dealStageChange"), "ILLEGAL_TRANSITION");
}

async fn an_expired_registration_is_won_with_its_deal(t: TestApp) {
    let market = market(&t).await;
    let (a, manager) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let deal = approved(&t, &manager, &id).await;
    t.advance(TimeDelta::days(100));
    t.settle().await;
    let answer = on_deal(&t, &manager, "dealWin", json!({ "dealId": deal })).await;
    assert_eq!(
        answer
            .done("dealWin")
            .at("dealWin/deal/registration/status"),
        "WON"
    );
}

async fn a_deal_is_won_once(t: TestApp) {
    let market = market(&t).await;
    let manager = t.vendor(Role::AllianceManager).await;
    let deal = created(&t, &manager, market, "100", "USD").await;
    let input = || json!({ "dealId": deal });
    let (one, two) = tokio::join!(
        on_deal(&t, &manager, "dealWin", input()),
        on_deal(&t, &manager, "dealWin", input())
    );
    let refused = [one.refusals("dealWin"), two.refusals("dealWin")].concat();
    assert_eq!(refused, ["ILLEGAL_TRANSITION"]);
    assert_eq!(events(&t, "deal.won").await.len(), 1);
    let document =
        "mutation($input: DealWinInput!) { dealWin(input: $input) { userErrors { code } } }";
    let keyless = t.ask(&manager, document, json!({ "input": input() })).await;
    assert_eq!(keyless.refusal("dealWin"), "IDEMPOTENCY_KEY_REQUIRED");
}

async fn the_day_and_the_value_of_a_win_are_checked(t: TestApp) {
    let market = market(&t).await;
    let manager = t.vendor(Role::AllianceManager).await;
    let deal = created(&t, &manager, market, "100", "USD").await;
    t.advance(TimeDelta::days(10));
    let before = written(&t).await;
    for (won_at, value, field) in [
        ("2026-03-11T09:00:01Z", json!(null), json!(["wonAt"])),
        ("2026-03-01T08:59:59Z", json!(null), json!(["wonAt"])),
        (
            "2026-03-10T00:00:00Z",
            json!({ "amount": "1", "currency": "EUR" }),
            json!(["value", "currency"]),
        ),
        (
            "2026-03-10T00:00:00Z",
            json!({ "amount": "0.00", "currency": "USD" }),
            json!(["value", "amount"]),
        ),
    ] {
        let input = json!({ "dealId": deal, "wonAt": won_at, "value": value });
        let answer = on_deal(&t, &manager, "dealWin", input).await;
        assert_eq!(answer.refusal("dealWin"), "BAD_USER_INPUT");
        assert_eq!(answer.at("dealWin/userErrors/0/field"), &field);
    }
    assert_eq!(written(&t).await, before);
    let input = json!({ "dealId": deal, "wonAt": "2026-03-10T00:00:00Z" });
    let answer = on_deal(&t, &manager, "dealWin", input).await;
    assert_eq!(
        answer.done("dealWin").text("dealWin/deal/closedAt"),
        "2026-03-10T00:00:00Z"
    );
}

async fn stages_are_those_of_the_programme(t: TestApp) {
    let market = market(&t).await;
    let manager = t.vendor(Role::AllianceManager).await;
    let deal = created(&t, &manager, market, "100", "USD").await;
    for (stage, code) in [
        ("NOWHERE", "BAD_USER_INPUT"),
        ("WON", "ILLEGAL_TRANSITION"),
        ("PROSPECT", "ILLEGAL_TRANSITION"),
    ] {
        let answer = on_deal(
            &t,
            &manager,
            "dealStageChange",
            json!({ "dealId": deal, "stage": stage }),
        )
        .await;
        assert_eq!(answer.refusal("dealStageChange"), code);
    }
    let input = json!({ "dealId": deal, "stage": "QUALIFIED", "expectedVersion": 2 });
    assert_eq!(
        on_deal(&t, &manager, "dealStageChange", input)
            .await
            .refusal("dealStageChange"),
        "STALE_OBJECT"
    );
}
