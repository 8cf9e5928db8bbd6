//! Days are those of the programme's time zone, in every rule that works by days.

use chrono::{DateTime, Utc};
use ensemble::{
    entity::{
        accrual::{self, AccrualKind},
        attribution_run::AttributionModel,
        ids::{PartnerId, ProgramId},
        rebate_volume,
    },
    platform::ids::TypedId,
};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};

use super::World;
use crate::{cases, support::TestApp};

cases!(
    a_deal_is_in_the_statement_of_its_day_in_the_zone_of_the_programme,
    a_statement_over_two_zones_counts_each_line_by_its_own,
    windows_of_days_end_at_the_same_time_of_day,
    a_period_of_a_payout_run_ends_in_the_zone_of_the_programme,
);

/// A programme in a time zone that pays a tenth by credit, holding back a tenth of that for 30 days.
async fn paying_in(t: &TestApp, zone: &str, rebate: bool) -> World {
    let w = World::with(t, |settings| {
        settings.attribution.official_model = AttributionModel::Linear;
        settings.program.default_time_zone = zone.parse().unwrap();
    })
    .await;
    let component = if rebate {
        json!({ "kind": "VOLUME_REBATE", "rebate": { "period": "QUARTER", "method": "MARGINAL",
            "tiers": [{ "from": "0", "ratePercent": "1" }] } })
    } else {
        json!({ "kind": "INFLUENCE_POOL", "ratePercent": "10" })
    };
    let input = json!({ "programId": w.program.text(), "name": "Plan", "currency": "USD", "components": [component],
        "holdback": { "percent": "10", "days": 30 }, "clawbackDays": 30, "effectiveFrom": "2026-01-01T00:00:00Z" });
    let create = "mutation($input: IncentivePlanCreateInput!) { incentivePlanCreate(input: $input) { incentivePlan { id } userErrors { code message field } } }";
    let plan = w
        .ask(&w.admin, create, json!({ "input": input }))
        .await
        .done("incentivePlanCreate")
        .text("incentivePlanCreate/incentivePlan/id");
    let activate = "mutation($plan: ID!) { incentivePlanActivate(input: { planId: $plan }) { incentivePlan { id } userErrors { code message } } }";
    w.ask(&w.finance, activate, json!({ "plan": plan }))
        .await
        .done("incentivePlanActivate");
    w
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

impl World {
    /// A deal of 1,000.00 USD with one partner, won at an instant through the API.
    async fn sold(&self, partner: PartnerId, won_at: &str) -> ensemble::entity::ids::DealId {
        let deal = self.deal(100_000, "USD").await;
        self.touch(deal, partner, 90).await;
        self.won_on(deal, won_at).await;
        deal
    }

    /// Opening, earned, adjustments and closing of a statement.
    async fn statement(&self, partner: PartnerId, start: &str, end: &str) -> [String; 4] {
        let document = "query($id: ID!, $start: Date!, $end: Date!) { partner(id: $id) { statement(periodStart: $start, periodEnd: $end, currency: \"USD\") \
            { opening { amount } earned { amount } adjustments { amount } closing { amount } } } }";
        let variables = json!({ "id": partner.text(), "start": start, "end": end });
        let answer = self.ask(&self.finance, document, variables).await;
        ["opening", "earned", "adjustments", "closing"]
            .map(|field| answer.text(&format!("partner/statement/{field}/amount")))
    }
}

async fn a_deal_is_in_the_statement_of_its_day_in_the_zone_of_the_programme(t: TestApp) {
    t.clock.set(at("2026-06-10T09:00:00Z"));
    // Where 1 May begins, and the last second of 31 May.
    for (zone, first, last) in [
        (
            "Europe/Berlin",
            "2026-04-30T22:00:00Z",
            "2026-05-31T21:59:59Z",
        ),
        (
            "America/Los_Angeles",
            "2026-05-01T07:00:00Z",
            "2026-06-01T06:59:59Z",
        ),
        (
            "Asia/Kolkata",
            "2026-04-30T18:30:00Z",
            "2026-05-31T18:29:59Z",
        ),
        ("UTC", "2026-05-01T00:00:00Z", "2026-05-31T23:59:59Z"),
    ] {
        let w = paying_in(&t, zone, false).await;
        let partner = w.partner("Alpha").await;
        w.sold(partner, first).await;
        w.sold(partner, last).await;
        let may = w.statement(partner, "2026-05-01", "2026-05-31").await;
        assert_eq!(may, ["0.00", "200.00", "0.00", "200.00"], "{zone}");
        let april = w.statement(partner, "2026-04-01", "2026-04-30").await;
        assert_eq!(april, ["0.00", "0.00", "0.00", "0.00"], "{zone}");
        let june = w.statement(partner, "2026-06-01", "2026-06-30").await;
        assert_eq!(june, ["200.00", "0.00", "0.00", "200.00"], "{zone}");
        let csv = "query($id: ID!) { partner(id: $id) { statement(periodStart: \"2026-05-01\", periodEnd: \"2026-05-31\", currency: \"USD\") \
            { csv lines { totalCount } } } }";
        let answer = w
            .ask(&w.finance, csv, json!({ "id": partner.text() }))
            .await;
        assert_eq!(answer.at("partner/statement/lines/totalCount"), 4);
        let table = answer.text("partner/statement/csv");
        let days: Vec<_> = table.lines().skip(1).map(|line| &line[..10]).collect();
        assert_eq!(
            days,
            [
                "2026-05-01",
                "2026-05-01",
                "2026-05-01",
                "2026-05-31",
                "2026-05-31"
            ],
            "{zone}"
        );
    }
}

async fn a_statement_over_two_zones_counts_each_line_by_its_own(t: TestApp) {
    t.clock.set(at("2026-06-10T09:00:00Z"));
    let east = paying_in(&t, "Pacific/Auckland", false).await;
    let west = paying_in(&t, "America/Los_Angeles", false).await;
    let partner = east.partner("Alpha").await;
    // It is 1 May in Auckland, and still 30 April in Los Angeles.
    east.sold(partner, "2026-04-30T13:00:00Z").await;
    west.sold(partner, "2026-04-30T13:00:00Z").await;
    let april = east.statement(partner, "2026-04-01", "2026-04-30").await;
    assert_eq!(april, ["0.00", "100.00", "0.00", "100.00"]);
    let may = east.statement(partner, "2026-05-01", "2026-05-31").await;
    assert_eq!(may, ["100.00", "100.00", "0.00", "200.00"]);
    let lines = "query($id: ID!) { partner(id: $id) { statement(periodStart: \"2026-05-01\", periodEnd: \"2026-05-31\", currency: \"USD\") \
        { lines { nodes { kind amount { amount } } } csv } } }";
    let answer = east
        .ask(&east.finance, lines, json!({ "id": partner.text() }))
        .await;
    assert_eq!(answer.count("partner/statement/lines/nodes"), 2);
    assert_eq!(answer.text("partner/statement/csv").lines().count(), 4);
    // In Los Angeles May is over only hours after the end of it in UTC.
    t.clock.set(at("2026-06-01T06:59:59Z"));
    let publish = "mutation { statementsPublish(input: { periodStart: \"2026-05-01\", periodEnd: \"2026-05-31\" }) { published userErrors { code field } } }";
    let early = east.ask(&east.finance, publish, json!({})).await;
    assert_eq!(
        early.at("statementsPublish/userErrors"),
        &json!([{ "code": "BAD_USER_INPUT", "field": ["periodEnd"] }])
    );
    t.clock.set(at("2026-06-01T07:00:00Z"));
    let published = east.ask(&east.finance, publish, json!({})).await;
    assert_eq!(published.at("statementsPublish/published"), 1);
    let shown = "query($id: ID!) { partner(id: $id) { publishedStatements { nodes { opening { amount } earned { amount } } } } }";
    let shown = east
        .ask(&east.finance, shown, json!({ "id": partner.text() }))
        .await;
    assert_eq!(
        shown.at("partner/publishedStatements/nodes"),
        &json!([{ "opening": { "amount": "100.00" }, "earned": { "amount": "100.00" } }])
    );
}

async fn windows_of_days_end_at_the_same_time_of_day(t: TestApp) {
    t.clock.set(at("2026-05-10T09:00:00Z"));
    let w = paying_in(&t, "Europe/Berlin", false).await;
    let partner = w.partner("Alpha").await;
    // Noon on 15 March, an hour ahead of UTC; noon on 14 April is two hours ahead.
    let deal = w.sold(partner, "2026-03-15T11:00:00Z").await;
    let lines = accrual::Entity::find()
        .order_by_asc(accrual::Column::AvailableAt)
        .all(t.app.db().reader())
        .await
        .unwrap();
    let held: Vec<_> = lines
        .iter()
        .map(|line| (line.kind, line.available_at))
        .collect();
    assert_eq!(
        held,
        [
            (AccrualKind::Earned, at("2026-03-15T11:00:00Z")),
            (AccrualKind::Holdback, at("2026-04-14T10:00:00Z")),
        ]
    );
    let refund = "mutation($deal: ID!, $at: DateTime!, $key: String!) { dealRefund(input: { dealId: $deal, amount: { amount: \"100\", currency: \"USD\" }, \
        reason: \"Returned\", refundedAt: $at }) @idempotent(key: $key) { deal { id } userErrors { code message field } } }";
    let mut lines = Vec::new();
    for at in ["2026-04-14T10:00:00.000001Z", "2026-04-14T10:00:00Z"] {
        let variables = json!({ "deal": deal.text(), "at": at, "key": at });
        w.ask(&w.finance, refund, variables)
            .await
            .done("dealRefund");
        let april = w.statement(partner, "2026-04-01", "2026-04-30").await;
        lines.push(april[2].clone());
    }
    // A microsecond too late takes nothing back; in time it takes back a tenth.
    assert_eq!(lines, ["0.00", "-10.00"]);

    let rebates = paying_in(&t, "Europe/Berlin", true).await;
    let reseller = rebates.partner("Beta").await;
    for won_at in ["2026-03-31T21:59:59Z", "2026-03-31T22:00:00Z"] {
        let deal = rebates.deal(100_000, "USD").await;
        rebates
            .join(
                deal,
                reseller,
                ensemble::entity::deal_participant::ParticipantRole::Reseller,
                80,
            )
            .await;
        rebates.won_on(deal, won_at).await;
    }
    let quarters = rebate_volume::Entity::find()
        .order_by_asc(rebate_volume::Column::PeriodStart)
        .all(t.app.db().reader())
        .await
        .unwrap();
    let quarters: Vec<_> = quarters
        .iter()
        .map(|row| (row.period_start.to_string(), row.volume_minor))
        .collect();
    assert_eq!(
        quarters,
        [
            ("2026-01-01".to_owned(), 100_000),
            ("2026-04-01".to_owned(), 100_000)
        ]
    );
}

async fn a_period_of_a_payout_run_ends_in_the_zone_of_the_programme(t: TestApp) {
    t.clock.set(at("2026-06-10T09:00:00Z"));
    let w = paying_in(&t, "Europe/Berlin", false).await;
    let (alpha, beta) = (w.partner("Alpha").await, w.partner("Beta").await);
    w.sold(alpha, "2026-04-30T21:59:59Z").await;
    w.sold(beta, "2026-04-30T22:00:00Z").await;
    assert_eq!(april_run(&w, w.program).await, json!(["90.00"]));
}

/// The payments of a run for April.
async fn april_run(w: &World, program: ProgramId) -> Value {
    let create = "mutation($program: ID!) { payoutRunCreate(input: { programId: $program, periodStart: \"2026-04-01\", periodEnd: \"2026-04-30\" }) \
        @idempotent(key: \"april\") { payoutRun { payouts { nodes { amount { amount } } } } userErrors { code message field } } }";
    let run = w
        .ask(&w.finance, create, json!({ "program": program.text() }))
        .await;
    let run = run
        .done("payoutRunCreate")
        .at("payoutRunCreate/payoutRun/payouts/nodes")
        .clone();
    run.as_array()
        .unwrap()
        .iter()
        .map(|payout| payout["amount"]["amount"].clone())
        .collect()
}
