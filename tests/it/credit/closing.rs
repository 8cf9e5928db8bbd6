//! What counts when a deal is closed: the last touch of a busy day, and nothing after the close.

use ensemble::{
    entity::{attribution_run::AttributionModel, deal_participant::ParticipantRole, ids::DealId},
    platform::ids::TypedId,
};
use serde_json::json;

use super::{World, expect};
use crate::{cases, support::TestApp};

cases!(
    the_last_touch_of_a_day_has_the_credit_whatever_the_cap,
    what_happens_after_the_close_earns_nothing,
    a_touch_later_on_the_day_of_a_close_without_a_time_counts,
    influenced_revenue_is_net_of_refunds_and_read_for_one_partner,
);

const WIN: &str = "mutation($input: DealWinInput!, $key: String!) { dealWin(input: $input) @idempotent(key: $key) \
    { deal { id status } userErrors { code field message } } }";

impl World {
    /// Wins a deal as of an instant, through the API.
    pub(super) async fn won_on(&self, deal: DealId, won_at: &str) {
        let input = json!({ "dealId": deal.text(), "wonAt": won_at });
        let variables = json!({ "input": input, "key": format!("win-{deal}") });
        self.ask(&self.manager, WIN, variables)
            .await
            .done("dealWin");
    }
}

async fn the_last_touch_of_a_day_has_the_credit_whatever_the_cap(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Last).await;
    let deal = w.deal(10_000_000, "USD").await;
    let (alpha, beta) = (w.partner("Alpha").await, w.partner("Beta").await);
    let mut managers = Vec::new();
    for partner in [alpha, beta] {
        w.join(deal, partner, ParticipantRole::Influencer, 50).await;
        managers.push(w.manager_of(partner).await);
    }
    for (whose, at) in [
        (0, "2026-02-27T09:00:00Z"),
        (1, "2026-02-27T17:00:00Z"),
        (0, "2026-02-27T18:00:00Z"),
    ] {
        let input = json!({ "dealId": deal.text(), "kind": "DEMO", "phase": "CONSIDERATION", "occurredAt": at });
        let id = w
            .record_with(&managers[whose], input)
            .await
            .done("touchpointRecord")
            .text("touchpointRecord/touchpoint/id");
        w.verify(&w.manager, &id).await.done("touchpointVerify");
    }
    w.won_on(deal, "2026-02-27T20:00:00Z").await;
    assert_eq!(
        w.credit(deal).await,
        expect(&[("Beta", "0", "0.00"), ("Alpha", "100", "100000.00")])
    );
    let explained = w.explain(&w.manager, deal).await;
    let judged = |partner: usize| {
        let path = format!("attributionExplanation/credits/{partner}/touchpoints");
        let touches = explained.at(&path).as_array().unwrap().clone();
        touches
            .iter()
            .map(|touch| touch["exclusion"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(judged(0), [json!(null)]);
    // The cap still limits what a partner's day weighs: of the two at 9:00 and 18:00 one counts.
    assert_eq!(judged(1), [json!("DAILY_CAP"), json!(null)]);
}

async fn what_happens_after_the_close_earns_nothing(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Last).await;
    let deal = w.deal(10_000_000, "USD").await;
    let (alpha, beta) = (w.partner("Alpha").await, w.partner("Beta").await);
    let mut ids = Vec::new();
    for (partner, days) in [(alpha, 12), (beta, 1)] {
        w.join(deal, partner, ParticipantRole::Influencer, 50).await;
        let own = w.manager_of(partner).await;
        let id = w
            .record(&own, deal, None, days, "DEMO")
            .await
            .done("touchpointRecord")
            .text("touchpointRecord/touchpoint/id");
        w.verify(&w.manager, &id).await.done("touchpointVerify");
        ids.push(id);
    }
    // The deal was won three days ago; that is entered today.
    w.won_on(deal, &w.ago(3).to_rfc3339()).await;
    assert_eq!(
        w.credit(deal).await,
        expect(&[("Alpha", "100", "100000.00")])
    );
    let touch = "query($id: ID!) { node(id: $id) { ... on Deal { touchpoints { nodes { id status verifiedAt } } } } }";
    let listed = w.ask(&w.manager, touch, json!({ "id": deal.text() })).await;
    assert_eq!(
        listed.at("node/touchpoints/nodes/1"),
        &json!({ "id": ids[1], "status": "AWAITING_APPROVAL", "verifiedAt": null })
    );
    assert_eq!(listed.text("node/touchpoints/nodes/0/status"), "VERIFIED");
    // Only the vendor decides about it, and stored credit stays.
    let own = w.manager_of(beta).await;
    assert_eq!(
        w.verify(&own, &ids[1]).await.refusal("touchpointVerify"),
        "FORBIDDEN"
    );
    w.verify(&w.manager, &ids[1]).await.done("touchpointVerify");
    assert_eq!(
        w.credit(deal).await,
        expect(&[("Alpha", "100", "100000.00")])
    );
}

async fn a_touch_later_on_the_day_of_a_close_without_a_time_counts(t: TestApp) {
    let berlin = |settings: &mut ensemble::settings::ProgramSettings| {
        settings.attribution.official_model = AttributionModel::Last;
        settings.program.default_time_zone = "Europe/Berlin".parse().unwrap();
    };
    let w = World::with(&t, berlin).await;
    let deal = w.deal(10_000_000, "USD").await;
    let (alpha, beta, gamma) = (
        w.partner("Alpha").await,
        w.partner("Beta").await,
        w.partner("Gamma").await,
    );
    // 20 February ends at 23:00 in UTC.
    for (partner, at) in [
        (alpha, "2026-02-19T12:00:00Z"),
        (beta, "2026-02-20T22:59:59Z"),
        (gamma, "2026-02-20T23:00:00Z"),
    ] {
        let input = json!({ "dealId": deal.text(), "partnerId": partner.text(), "kind": "DEMO",
            "phase": "CONSIDERATION", "occurredAt": at });
        let id = w
            .record_with(&w.manager, input)
            .await
            .done("touchpointRecord")
            .text("touchpointRecord/touchpoint/id");
        w.verify(&w.admin, &id).await.done("touchpointVerify");
    }
    w.won_on(deal, "2026-02-19T23:00:00Z").await;
    let credit = w.credit(deal).await;
    assert_eq!(
        credit,
        expect(&[("Alpha", "0", "0.00"), ("Beta", "100", "100000.00")])
    );
}

async fn influenced_revenue_is_net_of_refunds_and_read_for_one_partner(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let (alpha, beta) = (w.partner("Alpha").await, w.partner("Beta").await);
    let (first, second) = (w.deal(100_000, "USD").await, w.deal(30_000, "USD").await);
    for deal in [first, second] {
        w.touch(deal, alpha, 10).await;
        w.touch(deal, beta, 5).await;
        w.win(deal).await;
    }
    let third = w.deal(70_000, "USD").await;
    w.touch(third, beta, 5).await;
    w.win(third).await;
    w.refund(first, 100_000).await;
    w.refund(third, 20_000).await;
    let document = "query($partner: ID) { influencedRevenue(periodStart: \"2026-03-01\", periodEnd: \"2026-03-01\", partnerId: $partner) \
        { currency deals fullCredit { amount } fractional { amount } distinctTotal { amount } } }";
    let all = w.ask(&w.manager, document, json!({})).await;
    assert_eq!(
        all.at("influencedRevenue"),
        &json!([{ "currency": "USD", "deals": 3, "fullCredit": { "amount": "1100.00" },
            "fractional": { "amount": "800.00" }, "distinctTotal": { "amount": "800.00" } }])
    );
    let own = w.manager_of(alpha).await;
    t.statements();
    let mine = w.ask(&own, document, json!({})).await;
    assert_eq!(
        mine.at("influencedRevenue"),
        &json!([{ "currency": "USD", "deals": 2, "fullCredit": { "amount": "300.00" },
            "fractional": { "amount": "150.00" }, "distinctTotal": { "amount": "300.00" } }])
    );
    let named = w
        .ask(&w.manager, document, json!({ "partner": alpha.text() }))
        .await;
    assert_eq!(named.at("influencedRevenue"), mine.at("influencedRevenue"));
}
