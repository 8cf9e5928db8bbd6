//! From a preview to money: what is promised is what is paid, and every sum over it agrees.

use ensemble::platform::ids::TypedId;
use serde_json::{Value, json};

use super::{CREATE, House, ONE_EACH, amount, key, sum, ten_percent};
use crate::{cases, support::TestApp};

cases!(
    the_payment_is_what_the_preview_promised,
    a_win_beyond_the_cap_pays_the_cap,
    a_run_is_the_sum_of_its_lines_and_of_the_statements,
);

/// A pool of ten percent, capped at 20,000.00.
fn capped() -> Value {
    let mut plan = ten_percent();
    plan["components"][0]["cap"] = json!("20000.00");
    plan
}

async fn the_payment_is_what_the_preview_promised(t: TestApp) {
    let house = House::open(&t, json!({})).await;
    house.plan(capped()).await;
    let deal = house.deal("100000.00", &ONE_EACH).await;
    let bo = &house.partners[1];
    let preview =
        "query($input: PayoutPreviewInput!) { payoutPreview(input: $input) { total { amount } } }";
    let supposed = json!({
        "programId": house.program, "value": { "amount": "100000.00", "currency": "USD" }, "share": "28.5714",
    });
    for (by, input) in [
        (&house.luis, supposed),
        (&bo.own, json!({ "dealId": deal })),
    ] {
        let answer = t.ask(by, preview, json!({ "input": input })).await;
        assert_eq!(answer.text("payoutPreview/total/amount"), "2857.14");
    }
    house.win(&deal).await;
    house.pay("2026-03-01", "2026-03-01").await;
    let payouts = "{ payouts { nodes { status amount { amount currency } partner { id } } } }";
    let answer = t.ask(&bo.own, payouts, json!({})).await;
    assert_eq!(
        answer.at("payouts/nodes"),
        &json!([{
            "status": "PAID", "amount": { "amount": "2857.14", "currency": "USD" }, "partner": { "id": bo.id.text() },
        }])
    );
}

async fn a_win_beyond_the_cap_pays_the_cap(t: TestApp) {
    let house = House::open(&t, json!({})).await;
    house.plan(capped()).await;
    let deal = house.won("250000.00").await;
    let lines = ["2857.14", "5714.29", "11428.57"];
    assert_eq!(house.lines(&deal, "EARNED").await, lines);
    let run = house.pay("2026-03-01", "2026-03-01").await;
    assert_eq!(
        run["totals"],
        json!([{ "amount": "20000.00", "currency": "USD" }])
    );
}

async fn a_run_is_the_sum_of_its_lines_and_of_the_statements(t: TestApp) {
    let house = House::open(&t, json!({})).await;
    house.plan(ten_percent()).await;
    house.won("100000.00").await;
    let run = house.pay("2026-03-01", "2026-03-31").await;
    let whole = amount("10000.00");
    assert_eq!(
        run["totals"],
        json!([{ "amount": "10000.00", "currency": "USD" }])
    );
    let payouts = run["payouts"]["nodes"].as_array().unwrap();
    assert_eq!((payouts.len(), &run["payoutCount"]), (3, &json!(3)));
    assert!(payouts.iter().all(|payout| payout["status"] == "PAID"));
    assert_eq!(sum(payouts.iter().map(text)), whole);
    let lines = payouts
        .iter()
        .flat_map(|payout| payout["lines"]["nodes"].as_array().unwrap());
    assert_eq!(lines.clone().count(), 3);
    assert_eq!(sum(lines.map(text)), whole);
    let statements = house.statements("2026-03-01", "2026-03-31").await;
    let paid: Vec<_> = statements.iter().map(|sums| sums[3].as_str()).collect();
    assert_eq!(paid, ["1428.57", "2857.14", "5714.29"]);
    assert_eq!(sum(paid), whole);
    // A second run over the same days finds nothing.
    let again = house.pay("2026-03-01", "2026-03-31").await;
    assert_eq!(
        (&again["payoutCount"], &again["totals"]),
        (&json!(0), &json!([]))
    );
    // Nobody approves what he made.
    let input = json!({ "programId": house.program, "periodStart": "2026-03-01", "periodEnd": "2026-03-31" });
    let third = t
        .ask(
            &house.mina,
            CREATE,
            json!({ "input": input, "key": key(&t) }),
        )
        .await
        .done("payoutRunCreate")
        .text("payoutRunCreate/payoutRun/id");
    let own = t
        .ask(&house.mina, crate::money::APPROVE, json!({ "id": third }))
        .await;
    assert_eq!(own.refusal("payoutRunApprove"), "SAME_PERSON");
}

/// The amount of a payment or a line.
fn text(row: &Value) -> &str {
    row["amount"]["amount"].as_str().unwrap()
}
