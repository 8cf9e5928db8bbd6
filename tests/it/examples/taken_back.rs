//! What refunds take back, and what is held back until it is sure.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{House, ten_percent};
use crate::{cases, support::TestApp};

cases!(
    a_quarter_refunded_on_day_60_takes_a_quarter_back,
    a_refund_on_day_91_takes_nothing_back,
    what_is_to_give_back_is_kept_until_it_is_earned_again,
    a_holdback_is_released_on_day_90,
);

/// Three partners won 100,000.00 now, under a plan of ten percent with these terms more.
async fn won(t: &TestApp, terms: Value) -> (House, String) {
    let house = House::open(t, json!({ "minimumPayout": [] })).await;
    let mut plan = ten_percent();
    for (name, value) in terms.as_object().unwrap() {
        plan[name] = value.clone();
    }
    house.plan(plan).await;
    let deal = house.won("100000.00").await;
    (house, deal)
}

async fn a_quarter_refunded_on_day_60_takes_a_quarter_back(t: TestApp) {
    let (house, deal) = won(&t, json!({})).await;
    let earned = ["1428.57", "2857.14", "5714.29"];
    assert_eq!(house.lines(&deal, "EARNED").await, earned);
    t.advance(TimeDelta::days(60));
    house.refund(&deal, "25000.00").await;
    assert_eq!(
        house.lines(&deal, "CLAWBACK").await,
        ["-357.14", "-714.29", "-1428.57"]
    );
    // What was earned is not edited.
    assert_eq!(house.lines(&deal, "EARNED").await, earned);
    assert_eq!(
        house.statements("2026-03-01", "2026-04-30").await,
        [
            ["0.00", "1428.57", "-357.14", "0.00", "1071.43"],
            ["0.00", "2857.14", "-714.29", "0.00", "2142.85"],
            ["0.00", "5714.29", "-1428.57", "0.00", "4285.72"],
        ]
    );
    let run = house.pay("2026-03-01", "2026-04-30").await;
    assert_eq!(
        run["totals"],
        json!([{ "amount": "7500.00", "currency": "USD" }])
    );
}

async fn a_refund_on_day_91_takes_nothing_back(t: TestApp) {
    let (house, deal) = won(&t, json!({})).await;
    t.advance(TimeDelta::days(91));
    house.refund(&deal, "25000.00").await;
    assert_eq!(house.lines(&deal, "CLAWBACK").await, [""; 0]);
    assert_eq!(
        house.statements("2026-03-01", "2026-05-31").await,
        [
            ["0.00", "1428.57", "0.00", "0.00", "1428.57"],
            ["0.00", "2857.14", "0.00", "0.00", "2857.14"],
            ["0.00", "5714.29", "0.00", "0.00", "5714.29"],
        ]
    );
}

async fn what_is_to_give_back_is_kept_until_it_is_earned_again(t: TestApp) {
    let (house, deal) = won(&t, json!({})).await;
    let run = house.pay("2026-03-01", "2026-03-01").await;
    assert_eq!(
        run["totals"],
        json!([{ "amount": "10000.00", "currency": "USD" }])
    );
    t.advance(TimeDelta::days(60));
    house.refund(&deal, "25000.00").await;
    // Nothing is owed to anybody, so nothing is paid, and nothing is forgotten.
    let run = house.pay("2026-03-01", "2026-04-30").await;
    assert_eq!(
        (&run["payoutCount"], &run["totals"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(
        house.balances().await,
        [
            ["0.00", "0.00", "0.00", "0.00", "1428.57", "357.14"],
            ["0.00", "0.00", "0.00", "0.00", "2857.14", "714.29"],
            ["0.00", "0.00", "0.00", "0.00", "5714.29", "1428.57"],
        ]
    );
    assert_eq!(
        house.statements("2026-05-01", "2026-05-31").await,
        [["-357.14"; 5], ["-714.29"; 5], ["-1428.57"; 5]]
            .map(|[owed, ..]| [owed, "0.00", "0.00", "0.00", owed])
    );
    // The next commission is paid less what was to be given back: 600.00 - 357.14 and so on.
    house.won("42000.00").await;
    let run = house.pay("2026-03-01", "2026-05-31").await;
    assert_eq!(
        run["totals"],
        json!([{ "amount": "1700.00", "currency": "USD" }])
    );
    assert_eq!(
        house.balances().await,
        [
            ["0.00", "0.00", "0.00", "0.00", "1671.43", "0.00"],
            ["0.00", "0.00", "0.00", "0.00", "3342.85", "0.00"],
            ["0.00", "0.00", "0.00", "0.00", "6685.72", "0.00"],
        ]
    );
}

async fn a_holdback_is_released_on_day_90(t: TestApp) {
    let holdback = json!({ "holdback": { "percent": "10", "days": 90 } });
    let (house, deal) = won(&t, holdback).await;
    assert_eq!(
        house.lines(&deal, "HOLDBACK").await,
        ["142.86", "285.71", "571.43"]
    );
    let run = house.pay("2026-03-01", "2026-03-01").await;
    assert_eq!(
        run["totals"],
        json!([{ "amount": "9000.00", "currency": "USD" }])
    );
    let held = [
        ["0.00", "142.86", "0.00", "0.00", "1285.71", "0.00"],
        ["0.00", "285.71", "0.00", "0.00", "2571.43", "0.00"],
        ["0.00", "571.43", "0.00", "0.00", "5142.86", "0.00"],
    ];
    assert_eq!(house.balances().await, held);
    t.advance(TimeDelta::days(89));
    t.settle().await;
    assert_eq!(house.balances().await, held);
    t.advance(TimeDelta::days(1));
    t.settle().await;
    assert_eq!(
        house.balances().await,
        [
            ["142.86", "0.00", "0.00", "0.00", "1285.71", "0.00"],
            ["285.71", "0.00", "0.00", "0.00", "2571.43", "0.00"],
            ["571.43", "0.00", "0.00", "0.00", "5142.86", "0.00"],
        ]
    );
    let run = house.pay("2026-03-01", "2026-05-30").await;
    assert_eq!(
        run["totals"],
        json!([{ "amount": "1000.00", "currency": "USD" }])
    );
    let paid: Vec<_> = house
        .balances()
        .await
        .into_iter()
        .map(|row| row[4].clone())
        .collect();
    assert_eq!(paid, ["1428.57", "2857.14", "5714.29"]);
}
