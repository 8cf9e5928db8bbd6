//! Exchange rates, and what deals are expected to bring in the reporting currency.

use chrono::TimeDelta;
use ensemble::{
    entity::{exchange_rate, ids::PartnerId, partner::PartnerStatus, user::Role},
    platform::ids::TypedId,
    settings::ProgramSettings,
};
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use super::market::*;
use crate::{
    cases,
    support::{Answer, Person, TestApp},
};

cases!(
    deals_are_converted_at_the_rate_of_their_day,
    closed_deals_are_converted_at_the_rate_of_their_close,
    a_rate_counts_for_a_week_and_no_longer,
    deals_are_put_together_by_partner_tier_country_and_quarter,
    partners_learn_nothing_about_the_owners_of_shared_deals,
    rates_are_recorded_all_or_none,
    a_rate_is_corrected_and_never_changed,
    refunds_are_not_expected_any_more,
    the_day_of_a_rate_is_one_of_the_programme,
);

async fn record(t: &TestApp, person: &Person, rates: Value) -> Answer {
    let document = "mutation($input: ExchangeRateRecordInput!) { exchangeRateRecord(input: $input) {
        exchangeRates { id on from fromAmount to toAmount number recordedById } userErrors { code field } } }";
    t.ask(person, document, json!({ "input": { "rates": rates } }))
        .await
}

/// 1 EUR in USD on a day.
fn euro(on: &str, dollars: &str) -> Value {
    json!({ "on": on, "from": "EUR", "to": "USD", "toAmount": dollars })
}

struct Sale<'a> {
    amount: &'a str,
    currency: &'a str,
    stage: &'a str,
    owner: Option<PartnerId>,
    country: Option<&'a str>,
    close: Option<&'a str>,
}

impl Default for Sale<'_> {
    fn default() -> Self {
        Self {
            amount: "100000",
            currency: "USD",
            stage: "QUALIFIED",
            owner: None,
            country: None,
            close: None,
        }
    }
}

async fn sell(t: &TestApp, manager: &Person, market: Market, sale: Sale<'_>) -> String {
    let customer = match sale.country {
        None => Value::Null,
        Some(country) => {
            let document = "mutation($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } userErrors { code } } }";
            let input = json!({ "name": format!("Acme {country}"), "country": country });
            let answer = t.ask(manager, document, json!({ "input": input })).await;
            json!(
                answer
                    .done("customerCreate")
                    .text("customerCreate/customer/id")
            )
        }
    };
    let input = json!({
        "name": "A sale", "customerId": customer, "ownerPartnerId": sale.owner.map(TypedId::text),
        "products": [{ "productId": market.router.text() }], "expectedCloseOn": sale.close,
        "value": { "amount": sale.amount, "currency": sale.currency },
    });
    let deal = on_deal(t, manager, "dealCreate", input)
        .await
        .done("dealCreate")
        .text("dealCreate/deal/id");
    on_deal(
        t,
        manager,
        "dealStageChange",
        json!({ "dealId": deal, "stage": sale.stage }),
    )
    .await
    .done("dealStageChange");
    deal
}

const FORECAST: &str =
    "query($status: [SalesStatus!], $groupBy: DealForecastGrouping, $currency: CurrencyCode) {
    dealForecast(status: $status, groupBy: $groupBy, currency: $currency) {
        currency count value { amount } weighted { amount } withoutRate { currency count from to }
        groups { nodes { key count weighted { amount } partner { displayName } } } } }";

async fn forecast(t: &TestApp, person: &Person, variables: Value) -> Value {
    let answer = t.ask(person, FORECAST, variables).await;
    let mut forecast = answer.at("dealForecast").clone();
    if forecast["groups"]["nodes"] == json!([]) {
        forecast.as_object_mut().unwrap().remove("groups");
    }
    forecast
}

fn money(amount: &str) -> Value {
    json!({ "amount": amount })
}

async fn deals_are_converted_at_the_rate_of_their_day(t: TestApp) {
    let market = market(&t).await;
    let (manager, finance) = (
        t.vendor(Role::AllianceManager).await,
        t.vendor(Role::Finance).await,
    );
    for (amount, stage) in [
        ("100000", "QUALIFIED"),
        ("50000", "PROPOSAL"),
        ("20000", "COMMITTED"),
    ] {
        let sale = Sale {
            amount,
            stage,
            ..Sale::default()
        };
        sell(&t, &manager, market, sale).await;
    }
    assert_eq!(
        forecast(&t, &manager, json!({})).await,
        json!({ "currency": "USD", "count": 3, "value": money("170000.00"), "weighted": money("68000.00"), "withoutRate": [] })
    );
    t.advance(TimeDelta::days(1));
    let sale = Sale {
        amount: "1000.01",
        currency: "EUR",
        stage: "PROPOSAL",
        ..Sale::default()
    };
    sell(&t, &manager, market, sale).await;
    t.advance(TimeDelta::days(1));
    assert_eq!(
        forecast(&t, &manager, json!({})).await,
        json!({ "currency": "USD", "count": 4, "value": null, "weighted": null,
            "withoutRate": [{ "currency": "EUR", "count": 1, "from": "2026-03-02", "to": "2026-03-02" }] })
    );
    let rates = json!([euro("2026-03-02", "1.0837"), euro("2026-03-03", "1.2")]);
    record(&t, &finance, rates).await.done("exchangeRateRecord");
    // 1,000.01 EUR are 1,083.710837 USD, and half of it 541.8554185.
    assert_eq!(
        forecast(&t, &manager, json!({})).await,
        json!({ "currency": "USD", "count": 4, "value": money("171083.71"), "weighted": money("68541.86"), "withoutRate": [] })
    );
    // The other way round, and into a currency without decimals.
    let yen = json!([{ "on": "2026-03-01", "from": "JPY", "fromAmount": "150", "to": "USD", "toAmount": "1" },
        { "on": "2026-03-02", "from": "JPY", "fromAmount": "100", "to": "EUR", "toAmount": "0.6123" }]);
    record(&t, &finance, yen).await.done("exchangeRateRecord");
    // 170,000 x 150, and 1,000.01 EUR x 100 / 0.6123 = 163,320.27 JPY.
    let yen = forecast(&t, &manager, json!({ "currency": "JPY" })).await;
    assert_eq!(
        (&yen["currency"], &yen["value"]),
        (&json!("JPY"), &money("25663320"))
    );
}

async fn closed_deals_are_converted_at_the_rate_of_their_close(t: TestApp) {
    let market = market(&t).await;
    let (manager, finance) = (
        t.vendor(Role::AllianceManager).await,
        t.vendor(Role::Finance).await,
    );
    let sale = || Sale {
        amount: "1000",
        currency: "EUR",
        ..Sale::default()
    };
    let won = sell(&t, &manager, market, sale()).await;
    let lost = sell(&t, &manager, market, sale()).await;
    t.advance(TimeDelta::days(4));
    let rates = json!([euro("2026-03-01", "2"), euro("2026-03-05", "1.25")]);
    record(&t, &finance, rates).await.done("exchangeRateRecord");
    on_deal(&t, &manager, "dealWin", json!({ "dealId": won }))
        .await
        .done("dealWin");
    let input = json!({ "dealId": lost, "reason": "PRICE", "competitor": "none" });
    on_deal(&t, &manager, "dealLose", input)
        .await
        .done("dealLose");
    let both = forecast(&t, &manager, json!({ "status": ["WON", "LOST"] })).await;
    assert_eq!(
        both,
        json!({ "currency": "USD", "count": 2, "value": money("2500.00"), "weighted": money("1250.00"), "withoutRate": [] })
    );
    assert_eq!(forecast(&t, &manager, json!({})).await["count"], 0);
}

async fn a_rate_counts_for_a_week_and_no_longer(t: TestApp) {
    let market = market(&t).await;
    let (manager, finance) = (
        t.vendor(Role::AllianceManager).await,
        t.vendor(Role::Finance).await,
    );
    record(&t, &finance, json!([euro("2026-03-01", "1.1")]))
        .await
        .done("exchangeRateRecord");
    let sale = || Sale {
        amount: "1000",
        currency: "EUR",
        ..Sale::default()
    };
    t.advance(TimeDelta::days(7));
    sell(&t, &manager, market, sale()).await;
    assert_eq!(
        forecast(&t, &manager, json!({})).await["value"],
        money("1100.00")
    );
    t.advance(TimeDelta::days(1));
    sell(&t, &manager, market, sale()).await;
    let stale = forecast(&t, &manager, json!({})).await;
    assert_eq!(
        stale["withoutRate"],
        json!([{ "currency": "EUR", "count": 1, "from": "2026-03-09", "to": "2026-03-09" }])
    );
    assert_eq!(stale["value"], Value::Null);
}

/// Two partners with a deal each, and a deal of nobody's.
async fn three_sales(t: &TestApp, market: Market, manager: &Person) -> (Seller, Seller, String) {
    let north = gold(t, market, "Northwind Partners").await;
    let contoso = seller(t, market, "Contoso Sales", "SILVER", PartnerStatus::Active).await;
    let sale = Sale {
        owner: Some(north.partner),
        country: Some("DE"),
        close: Some("2026-06-30"),
        ..Sale::default()
    };
    sell(t, manager, market, sale).await;
    let sale = Sale {
        amount: "50000",
        stage: "PROPOSAL",
        owner: Some(contoso.partner),
        country: Some("FR"),
        close: Some("2026-07-01"),
        ..Sale::default()
    };
    let shared = sell(t, manager, market, sale).await;
    let sale = Sale {
        amount: "20000",
        stage: "COMMITTED",
        ..Sale::default()
    };
    sell(t, manager, market, sale).await;
    (north, contoso, shared)
}

/// Keys and weighted values of the groups.
async fn groups(t: &TestApp, person: &Person, by: &str) -> Vec<(Option<String>, String)> {
    let forecast = forecast(t, person, json!({ "groupBy": by })).await;
    let nodes = forecast["groups"]["nodes"].as_array().unwrap();
    let group = |node: &Value| {
        let weighted = node["weighted"]["amount"].as_str().unwrap().to_owned();
        (node["key"].as_str().map(str::to_owned), weighted)
    };
    nodes.iter().map(group).collect()
}

fn group(key: &str, weighted: &str) -> (Option<String>, String) {
    (Some(key.to_owned()), weighted.to_owned())
}

async fn deals_are_put_together_by_partner_tier_country_and_quarter(t: TestApp) {
    let market = market(&t).await;
    let manager = t.vendor(Role::AllianceManager).await;
    let (north, contoso, _) = three_sales(&t, market, &manager).await;
    let nobody = || (None, "18000.00".to_owned());
    assert_eq!(
        groups(&t, &manager, "PARTNER").await,
        [
            nobody(),
            group(&north.partner.text(), "25000.00"),
            group(&contoso.partner.text(), "25000.00"),
        ]
    );
    assert_eq!(
        groups(&t, &manager, "TIER").await,
        [
            nobody(),
            group("GOLD", "25000.00"),
            group("SILVER", "25000.00")
        ]
    );
    assert_eq!(
        groups(&t, &manager, "COUNTRY").await,
        [nobody(), group("DE", "25000.00"), group("FR", "25000.00")]
    );
    assert_eq!(
        groups(&t, &manager, "QUARTER").await,
        [
            nobody(),
            group("2026-Q2", "25000.00"),
            group("2026-Q3", "25000.00"),
        ]
    );
    let page = "{ dealForecast(groupBy: PARTNER) { groups(first: 1, after: \"-\") { totalCount pageInfo { hasNextPage }
        nodes { count partner { displayName } } } } }";
    assert_eq!(
        t.ask(&manager, page, json!({}))
            .await
            .at("dealForecast/groups"),
        &json!({ "totalCount": 3, "pageInfo": { "hasNextPage": true },
            "nodes": [{ "count": 1, "partner": { "displayName": "Northwind Partners" } }] })
    );
    let executive = t.vendor(Role::Executive).await;
    assert_eq!(
        t.ask(&executive, page, json!({})).await.error(),
        "FORBIDDEN"
    );
}

async fn partners_learn_nothing_about_the_owners_of_shared_deals(t: TestApp) {
    let market = market(&t).await;
    let manager = t.vendor(Role::AllianceManager).await;
    let (north, _, shared) = three_sales(&t, market, &manager).await;
    let own = || vec![group(&north.partner.text(), "25000.00")];
    assert_eq!(groups(&t, &north.manager, "PARTNER").await, own());
    invited(&t, &manager, &shared, north.partner, "INFLUENCER").await;
    let others = (None, "25000.00".to_owned());
    assert_eq!(
        groups(&t, &north.manager, "PARTNER").await,
        [vec![others.clone()], own()].concat()
    );
    assert_eq!(
        groups(&t, &north.manager, "TIER").await,
        [others, group("GOLD", "25000.00")]
    );
}

async fn refunds_are_not_expected_any_more(t: TestApp) {
    let market = market(&t).await;
    let manager = t.vendor(Role::AllianceManager).await;
    let finance = t.vendor(Role::Finance).await;
    for (amount, refunded) in [("1000", "1000"), ("300", ""), ("500.50", "100.25")] {
        let sale = Sale {
            amount,
            ..Sale::default()
        };
        let deal = sell(&t, &manager, market, sale).await;
        on_deal(&t, &manager, "dealWin", json!({ "dealId": deal }))
            .await
            .done("dealWin");
        if !refunded.is_empty() {
            let input = json!({ "dealId": deal, "reason": "Returned",
                "amount": { "amount": refunded, "currency": "USD" } });
            on_deal(&t, &finance, "dealRefund", input)
                .await
                .done("dealRefund");
        }
    }
    let won = forecast(&t, &manager, json!({ "status": ["WON"] })).await;
    assert_eq!(
        (&won["count"], &won["value"], &won["weighted"]),
        (&json!(3), &money("700.25"), &money("700.25"))
    );
    let groups = groups_of_won(&t, &manager).await;
    assert_eq!(groups, [(None, "700.25".to_owned())]);
}

async fn groups_of_won(t: &TestApp, person: &Person) -> Vec<(Option<String>, String)> {
    let asked = json!({ "groupBy": "PARTNER", "status": ["WON"] });
    let forecast = forecast(t, person, asked).await;
    let nodes = forecast["groups"]["nodes"].as_array().unwrap();
    let group = |node: &Value| {
        let weighted = node["weighted"]["amount"].as_str().unwrap().to_owned();
        (node["key"].as_str().map(str::to_owned), weighted)
    };
    nodes.iter().map(group).collect()
}

async fn the_day_of_a_rate_is_one_of_the_programme(t: TestApp) {
    let mut settings = ProgramSettings::default();
    settings.program.default_time_zone = "Asia/Tokyo".parse().unwrap();
    let market = market_with(&t, settings).await;
    let (manager, finance) = (
        t.vendor(Role::AllianceManager).await,
        t.vendor(Role::Finance).await,
    );
    // 23:30 on 1 March in Tokyo, then 0:30 on 2 March.
    for now in ["2026-03-01T14:30:00Z", "2026-03-01T15:30:00Z"] {
        t.clock.set(now.parse().unwrap());
        let sale = Sale {
            amount: "1000",
            currency: "EUR",
            ..Sale::default()
        };
        sell(&t, &manager, market, sale).await;
    }
    let rates = json!([euro("2026-03-01", "1.1"), euro("2026-03-02", "1.2")]);
    record(&t, &finance, rates).await.done("exchangeRateRecord");
    let both = forecast(&t, &manager, json!({})).await;
    assert_eq!(
        (&both["count"], &both["value"]),
        (&json!(2), &money("2300.00"))
    );
}

async fn rates_are_recorded_all_or_none(t: TestApp) {
    let finance = t.vendor(Role::Finance).await;
    let before = written(&t).await;
    let bad = json!([
        euro("2026-03-01", "1.1"),
        euro("2026-03-02", "1.1"),
        euro("2026-02-27", "0"),
        { "on": "2026-02-26", "from": "EUR", "to": "EUR", "toAmount": "1" },
        { "on": "2026-03-01", "from": "USD", "to": "EUR", "toAmount": "0.9" },
    ]);
    let answer = record(&t, &finance, bad).await;
    assert_eq!(
        answer.at("exchangeRateRecord/userErrors"),
        &json!([{ "code": "BAD_USER_INPUT", "field": ["rates", "2", "toAmount"] }])
    );
    let bad = json!([
        euro("2026-03-01", "1.1"),
        euro("2026-03-02", "1.1"),
        { "on": "2026-02-26", "from": "EUR", "to": "EUR", "toAmount": "1" },
        { "on": "2026-03-01", "from": "USD", "to": "EUR", "toAmount": "0.9" },
    ]);
    let answer = record(&t, &finance, bad).await;
    let fault = |place: &str, field: &str| json!({ "code": "BAD_USER_INPUT", "field": ["rates", place, field] });
    assert_eq!(
        answer.at("exchangeRateRecord/userErrors"),
        &json!([fault("1", "on"), fault("2", "to"), fault("3", "on")])
    );
    let many = (1..=101).map(|n| euro("2026-03-01", &n.to_string()));
    let answer = record(&t, &finance, many.collect()).await;
    assert_eq!(
        answer.at("exchangeRateRecord/userErrors/0/field"),
        &json!(["rates"])
    );
    let manager = t.vendor(Role::AllianceManager).await;
    let refused = record(&t, &manager, json!([euro("2026-03-01", "1.1")])).await;
    assert_eq!(refused.refusal("exchangeRateRecord"), "FORBIDDEN");
    assert_eq!(written(&t).await, before);
    let stored = exchange_rate::Entity::find().count(t.app.db().reader());
    assert_eq!(stored.await.unwrap(), 0);
}

async fn a_rate_is_corrected_and_never_changed(t: TestApp) {
    let finance = t.vendor(Role::Finance).await;
    let given = json!([{ "on": "2026-03-01", "from": "USD", "to": "EUR", "fromAmount": "1.08370", "toAmount": "01.0" }]);
    let first = record(&t, &finance, given.clone()).await;
    let rate = first
        .done("exchangeRateRecord")
        .at("exchangeRateRecord/exchangeRates/0")
        .clone();
    assert_eq!(
        rate,
        json!({ "id": rate["id"], "on": "2026-03-01", "from": "EUR", "fromAmount": "1", "to": "USD",
            "toAmount": "1.0837", "number": 1, "recordedById": finance.id.text() })
    );
    let again = record(&t, &finance, given).await;
    assert_eq!(again.at("exchangeRateRecord/exchangeRates"), &json!([rate]));
    let corrected = record(&t, &finance, json!([euro("2026-03-01", "1.1")])).await;
    assert_eq!(
        corrected.at("exchangeRateRecord/exchangeRates/0/number"),
        &json!(2)
    );
    assert_eq!(
        events(&t, "exchange_rate.recorded").await.len(),
        2,
        "what is known already is not recorded"
    );
    let document = "query($currency: CurrencyCode, $lt: Date) {
        exchangeRates(filter: { currency: $currency, gte: \"2026-03-01\", lt: $lt }) { totalCount nodes { toAmount number } } }";
    let listed = t
        .ask(&finance, document, json!({ "currency": "USD" }))
        .await;
    assert_eq!(
        listed.at("exchangeRates"),
        &json!({ "totalCount": 2, "nodes": [{ "toAmount": "1.1", "number": 2 }, { "toAmount": "1.0837", "number": 1 }] })
    );
    for nothing in [json!({ "currency": "JPY" }), json!({ "lt": "2026-03-01" })] {
        let listed = t.ask(&finance, document, nothing).await;
        assert_eq!(listed.at("exchangeRates/totalCount"), &json!(0));
    }
    for statement in [
        "UPDATE exchange_rate SET to_amount = '2'",
        "DELETE FROM exchange_rate",
    ] {
        let refused = t.app.db().maintenance().execute_unprepared(statement).await;
        assert!(refused.unwrap_err().to_string().contains("append-only"));
    }
}
