//! Money that goes back to the customer.

use ensemble::{entity::user::Role, platform::ids::TypedId};
use serde_json::{Value, json};

use super::market::*;
use crate::{
    cases,
    support::{Person, TestApp},
};

cases!(
    refunds_together_are_at_most_the_value,
    cents_add_up_as_decimals_do,
    refunds_at_once_never_exceed_the_value,
    only_won_deals_are_refunded_and_only_by_finance,
);

async fn won(t: &TestApp) -> (String, Person) {
    let market = market(t).await;
    let (manager, finance) = (
        t.vendor(Role::AllianceManager).await,
        t.vendor(Role::Finance).await,
    );
    let input = json!({
        "name": "Acme",
        "products": [{ "productId": market.router.text() }],
        "value": { "amount": "100", "currency": "USD" },
    });
    let deal = on_deal(t, &manager, "dealCreate", input)
        .await
        .done("dealCreate")
        .text("dealCreate/deal/id");
    on_deal(t, &manager, "dealWin", json!({ "dealId": deal }))
        .await
        .done("dealWin");
    (deal, finance)
}

fn back(deal: &str, amount: &str) -> Value {
    json!({ "dealId": deal, "amount": { "amount": amount, "currency": "USD" }, "reason": "returned goods" })
}

async fn refunds_together_are_at_most_the_value(t: TestApp) {
    let (deal, finance) = won(&t).await;
    let answer = on_deal(&t, &finance, "dealRefund", back(&deal, "40")).await;
    assert_eq!(
        answer
            .done("dealRefund")
            .text("dealRefund/deal/refunded/amount"),
        "40.00"
    );
    let before = written(&t).await;
    let answer = on_deal(&t, &finance, "dealRefund", back(&deal, "60.01")).await;
    assert_eq!(answer.refusal("dealRefund"), "BAD_USER_INPUT");
    assert_eq!(
        answer.at("dealRefund/userErrors/0/field"),
        &json!(["amount", "amount"])
    );
    assert_eq!(written(&t).await, before);
    let answer = on_deal(&t, &finance, "dealRefund", back(&deal, "60")).await;
    assert_eq!(
        answer
            .done("dealRefund")
            .text("dealRefund/deal/refunded/amount"),
        "100.00"
    );
    let document =
        "query($id: ID!) { deal(id: $id) { refunds { amount { amount } reason refundedAt } } }";
    let answer = t.ask(&finance, document, json!({ "id": deal })).await;
    let mut amounts: Vec<_> = answer
        .at("deal/refunds")
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["amount"]["amount"].to_string())
        .collect();
    amounts.sort_unstable();
    assert_eq!(amounts, ["\"40.00\"", "\"60.00\""]);
}

async fn cents_add_up_as_decimals_do(t: TestApp) {
    let (deal, finance) = won(&t).await;
    for amount in ["0.10", "0.20"] {
        on_deal(&t, &finance, "dealRefund", back(&deal, amount))
            .await
            .done("dealRefund");
    }
    let document =
        "query($id: ID!) { deal(id: $id) { refunded { amount } refunds { amount { amount } } } }";
    let answer = t.ask(&finance, document, json!({ "id": deal })).await;
    // As binary fractions they would be 0.30000000000000004.
    assert_eq!(answer.text("deal/refunded/amount"), "0.30");
    let refunds = answer.at("deal/refunds").as_array().unwrap();
    let mut amounts: Vec<_> = refunds
        .iter()
        .map(|row| row["amount"]["amount"].clone())
        .collect();
    amounts.sort_by_key(Value::to_string);
    assert_eq!(amounts, ["0.10", "0.20"]);
}

async fn refunds_at_once_never_exceed_the_value(t: TestApp) {
    let (deal, finance) = won(&t).await;
    let refunds = (0..8).map(|_| {
        let (t, person, input) = (t.clone(), finance.clone(), back(&deal, "30"));
        tokio::spawn(async move { on_deal(&t, &person, "dealRefund", input).await })
    });
    let mut refused = Vec::new();
    for answer in refunds.collect::<Vec<_>>() {
        refused.extend(answer.await.unwrap().refusals("dealRefund"));
    }
    assert_eq!(refused, ["BAD_USER_INPUT"; 5]);
    let document = "query($id: ID!) { deal(id: $id) { refunded { amount } } }";
    let answer = t.ask(&finance, document, json!({ "id": deal })).await;
    assert_eq!(answer.text("deal/refunded/amount"), "90.00");
}

async fn only_won_deals_are_refunded_and_only_by_finance(t: TestApp) {
    let (deal, finance) = won(&t).await;
    let manager = t.vendor(Role::AllianceManager).await;
    let before = written(&t).await;
    assert_eq!(
        on_deal(&t, &manager, "dealRefund", back(&deal, "1"))
            .await
            .refusal("dealRefund"),
        "FORBIDDEN"
    );
    let mut silent = back(&deal, "1");
    silent["reason"] = json!(" ");
    assert_eq!(
        on_deal(&t, &finance, "dealRefund", silent)
            .await
            .refusal("dealRefund"),
        "REASON_REQUIRED"
    );
    let mut foreign = back(&deal, "1");
    foreign["amount"]["currency"] = json!("EUR");
    foreign["refundedAt"] = json!("2026-03-02T00:00:00Z");
    let answer = on_deal(&t, &finance, "dealRefund", foreign).await;
    assert_eq!(
        answer.refusals("dealRefund"),
        ["BAD_USER_INPUT", "BAD_USER_INPUT"]
    );
    assert_eq!(written(&t).await, before);
}
