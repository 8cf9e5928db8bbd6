//! Volume rebates and renewals: what they pay, deal by deal, and what refunds take back.

use chrono::TimeDelta;
use ensemble::{
    entity::{
        attribution_run::AttributionModel,
        deal::{self, DealBusiness},
        deal_participant::ParticipantRole,
        ids::{DealId, PartnerId},
        ledger_account::LedgerAccountKind,
        rebate_entry, rebate_volume,
    },
    platform::ids::TypedId,
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use super::{World, plans::pool};
use crate::{cases, support::TestApp};

cases!(
    a_marginal_rebate_pays_each_part_at_its_rate,
    a_retroactive_rebate_pays_the_whole_at_the_rate_it_reaches,
    a_period_begins_with_nothing_sold,
    the_owner_is_paid_where_nobody_resells_and_everybody_for_itself,
    two_deals_won_at_once_lose_no_volume,
    deals_won_before_the_rebate_are_caught_up_with_once,
    a_deal_below_the_first_tier_counts_once,
    refunds_leave_the_rebate_on_what_is_left_and_everything_refunded_nothing,
    a_cap_limits_the_rebate_of_a_period,
    a_renewal_pays_its_rate_and_nothing_for_new_business,
    only_what_includes_renewals_pays_for_both,
    the_faults_of_a_rebate_are_told_at_their_fields,
    a_partner_previews_from_its_own_volume_only,
);

/// 2 % up to 100,000 and 3 % above.
fn rebate(method: &str) -> Value {
    json!({"name": "Volume", "currency": "USD", "clawbackDays": 90, "components": [{"kind": "VOLUME_REBATE", "rebate":
        {"period": "QUARTER", "method": method, "tiers": [{"from": "0.00", "ratePercent": "2"},
        {"from": "100000.00", "ratePercent": "3"}]}}]})
}

impl World {
    /// An open deal that this partner resells.
    async fn resold(&self, partner: PartnerId, value_minor: i64) -> DealId {
        let deal = self.deal(value_minor, "USD").await;
        self.join(deal, partner, ParticipantRole::Reseller, 10)
            .await;
        deal
    }

    async fn renewal(&self, partner: PartnerId, value_minor: i64) -> DealId {
        let deal = self.resold(partner, value_minor).await;
        self.t
            .change_deal(deal, |row| row.business = DealBusiness::Renewal)
            .await;
        assert_eq!(self.stored(deal).await.business, DealBusiness::Renewal);
        deal
    }

    async fn stored(&self, deal: DealId) -> deal::Model {
        let found = deal::Entity::find_by_id(deal).one(self.t.app.db().reader());
        found.await.unwrap().unwrap()
    }

    /// What a deal would pay, as its own preview says.
    async fn promised(&self, deal: DealId) -> Vec<String> {
        let query = "query($id: ID!) { payoutPreview(input: {dealId: $id}) { lines { amount { amount } } } }";
        let answer = self
            .ask(&self.finance, query, json!({"id": deal.text()}))
            .await;
        let lines = answer.at("payoutPreview/lines").as_array().unwrap();
        lines
            .iter()
            .map(|line| line["amount"]["amount"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Wins a deal and returns what it paid, which must be what was promised before and is told afterwards.
    async fn paid_for(&self, deal: DealId) -> Vec<String> {
        let promised = self.promised(deal).await;
        self.win(deal).await;
        let paid = self.amounts(deal, "EARNED").await;
        assert_eq!(paid, promised);
        assert_eq!(self.promised(deal).await, promised);
        paid
    }

    async fn counted(&self) -> [u64; 2] {
        let db = self.t.app.db().reader();
        [
            rebate_volume::Entity::find().count(db).await.unwrap(),
            rebate_entry::Entity::find().count(db).await.unwrap(),
        ]
    }

    async fn accrued(&self, partner: PartnerId) -> i64 {
        self.balance(LedgerAccountKind::Accrued, Some(partner))
            .await
            - self
                .balance(LedgerAccountKind::ClawbackReceivable, Some(partner))
                .await
    }
}

async fn a_marginal_rebate_pays_each_part_at_its_rate(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let plan = w.draft(rebate("MARGINAL")).await;
    let text = plan
        .done("incentivePlanCreate")
        .text("incentivePlanCreate/incentivePlan/planText");
    assert!(
        text.contains("2 % of the part up to 100,000.00 USD, 3 % of the part above 100,000.00 USD"),
        "{text}"
    );
    let id = plan.text("incentivePlanCreate/incentivePlan/id");
    w.activate(&w.finance, &id)
        .await
        .done("incentivePlanActivate");
    let partner = w.partner("Alpha").await;
    let (first, second) = (
        w.resold(partner, 6_000_000).await,
        w.resold(partner, 9_000_000).await,
    );
    assert_eq!(w.paid_for(first).await, ["1200.00"]);
    assert_eq!(w.paid_for(second).await, ["2300.00"]);
    assert_eq!(w.accrued(partner).await, 350_000);

    let lines = w.lines(&w.manager_of(partner).await, second).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["component"], "VOLUME_REBATE");
    assert_eq!(lines[0]["pool"]["amount"], "3500.00");
    assert_eq!(lines[0]["share"], "100");
    let terms = w
        .ask(
            &w.manager,
            "query($id: ID!) { incentivePlan(id: $id) { components { kind ratePercent includesRenewals rebate { period method tiers { from { amount } ratePercent } } } } }",
            json!({"id": id}),
        )
        .await;
    assert_eq!(
        terms.at("incentivePlan/components"),
        &json!([{"kind": "VOLUME_REBATE", "ratePercent": null, "includesRenewals": false, "rebate": {"period": "QUARTER",
            "method": "MARGINAL", "tiers": [{"from": {"amount": "0.00"}, "ratePercent": "2"},
            {"from": {"amount": "100000.00"}, "ratePercent": "3"}]}}])
    );
}

async fn a_retroactive_rebate_pays_the_whole_at_the_rate_it_reaches(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let mut input = rebate("RETROACTIVE");
    input["holdback"] = json!({"percent": "10", "days": 30});
    w.plan(input).await;
    let partner = w.partner("Alpha").await;
    let (first, second) = (
        w.resold(partner, 6_000_000).await,
        w.resold(partner, 9_000_000).await,
    );
    w.win(first).await;
    assert_eq!(w.amounts(first, "EARNED").await, ["1080.00"]);
    assert_eq!(w.amounts(first, "HOLDBACK").await, ["120.00"]);
    w.win(second).await;
    assert_eq!(w.amounts(second, "EARNED").await, ["2970.00"]);
    assert_eq!(w.amounts(second, "HOLDBACK").await, ["330.00"]);
    let held = w.balance(LedgerAccountKind::Held, Some(partner)).await;
    assert_eq!(w.accrued(partner).await + held, 450_000);
}

async fn a_period_begins_with_nothing_sold(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    w.plan(rebate("MARGINAL")).await;
    let mut yearly = rebate("MARGINAL");
    yearly["name"] = json!("Year");
    yearly["components"][0]["rebate"]["period"] = json!("YEAR");
    w.plan(yearly).await;
    let partner = w.partner("Alpha").await;
    let march = w.resold(partner, 10_000_000).await;
    assert_eq!(w.paid_for(march).await, ["2000.00", "2000.00"]);
    t.advance(TimeDelta::days(31));
    let april = w.resold(partner, 5_000_000).await;
    assert_eq!(w.paid_for(april).await, ["1000.00", "1500.00"]);
    assert_eq!(w.counted().await, [3, 4]);
}

async fn the_owner_is_paid_where_nobody_resells_and_everybody_for_itself(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    w.plan(rebate("MARGINAL")).await;
    let (alpha, beta) = (w.partner("Alpha").await, w.partner("Beta").await);
    let owned = w.deal(12_000_000, "USD").await;
    w.t.change_deal(owned, move |row| row.partner_id = Some(alpha))
        .await;
    assert_eq!(w.paid_for(owned).await, ["2600.00"]);
    let resold = w.resold(beta, 1_000_000).await;
    w.t.change_deal(resold, move |row| row.partner_id = Some(alpha))
        .await;
    assert_eq!(w.paid_for(resold).await, ["200.00"]);
    assert_eq!(w.accrued(beta).await, 20_000);
    let nobody = w.deal(1_000_000, "USD").await;
    assert_eq!(w.paid_for(nobody).await, Vec::<String>::new());
    assert_eq!(w.counted().await, [2, 2]);
}

async fn two_deals_won_at_once_lose_no_volume(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    w.plan(rebate("RETROACTIVE")).await;
    let partner = w.partner("Alpha").await;
    let mut deals = Vec::new();
    for _ in 0..6 {
        deals.push(w.resold(partner, 2_500_000).await);
    }
    let wins = deals.into_iter().map(|deal| {
        let w = w.clone();
        tokio::spawn(async move { w.win(deal).await })
    });
    for win in wins.collect::<Vec<_>>() {
        win.await.unwrap();
    }
    assert_eq!(w.accrued(partner).await, 450_000);
    let volume = rebate_volume::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (volume.volume_minor, volume.rebate_minor),
        (15_000_000, 450_000)
    );
}

async fn deals_won_before_the_rebate_are_caught_up_with_once(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let (alpha, beta) = (w.partner("Alpha").await, w.partner("Beta").await);
    for (partner, value) in [
        (alpha, 6_000_000),
        (beta, 10_000_000),
        (alpha, 9_000_000),
        (beta, 1_000_000),
    ] {
        let deal = w.resold(partner, value).await;
        w.win(deal).await;
    }
    let mut input = rebate("MARGINAL");
    input["effectiveFrom"] = json!(w.ago(30).to_rfc3339());
    w.plan(input).await;
    let run = w.run_program(&w.finance).await;
    assert_eq!(
        run.done("accrualRun").at("accrualRun/report"),
        &json!({"deals": "4", "lines": "4"})
    );
    assert_eq!(w.accrued(alpha).await, 350_000);
    assert_eq!(w.accrued(beta).await, 230_000);
    let counted = w.counted().await;
    let again = w.run_program(&w.finance).await;
    assert_eq!(
        again.done("accrualRun").at("accrualRun/report"),
        &json!({"deals": "4", "lines": "0"})
    );
    assert_eq!(w.counted().await, counted);
}

async fn a_deal_below_the_first_tier_counts_once(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let mut input = rebate("MARGINAL");
    input["components"][0]["rebate"]["tiers"] = json!([{"from": "50000.00", "ratePercent": "2"}]);
    w.plan(input).await;
    let partner = w.partner("Alpha").await;
    let small = w.resold(partner, 4_000_000).await;
    assert_eq!(w.paid_for(small).await, Vec::<String>::new());
    for _ in 0..2 {
        let run = w.run_program(&w.finance).await;
        assert_eq!(run.done("accrualRun").at("accrualRun/report/lines"), "0");
    }
    assert_eq!(w.counted().await, [1, 1]);
    let next = w.resold(partner, 2_000_000).await;
    assert_eq!(w.paid_for(next).await, ["200.00"]);
    assert_eq!(w.refund(small, 4_000_000).await, 1);
    assert_eq!(w.amounts(small, "CLAWBACK").await, ["-200.00"]);
    assert_eq!(w.accrued(partner).await, 0);
}

async fn refunds_leave_the_rebate_on_what_is_left_and_everything_refunded_nothing(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    w.plan(rebate("RETROACTIVE")).await;
    let partner = w.partner("Alpha").await;
    let (first, second) = (
        w.resold(partner, 6_000_000).await,
        w.resold(partner, 9_000_000).await,
    );
    w.win(first).await;
    w.win(second).await;
    assert_eq!(w.accrued(partner).await, 450_000);
    // 120,000 are left, at three percent.
    assert_eq!(w.refund(first, 3_000_000).await, 1);
    assert_eq!(w.amounts(first, "CLAWBACK").await, ["-900.00"]);
    // 90,000 are left, at two percent: more than the first deal earned goes back with it, long after the window.
    t.advance(TimeDelta::days(200));
    w.refund(first, 3_000_000).await;
    assert_eq!(w.amounts(first, "CLAWBACK").await, ["-900.00", "-1800.00"]);
    assert_eq!(w.accrued(partner).await, 180_000);
    // What is sold now is another period's.
    let later = w.resold(partner, 1_000_000).await;
    assert_eq!(w.paid_for(later).await, ["200.00"]);
    w.refund(second, 9_000_000).await;
    w.refund(later, 1_000_000).await;
    assert_eq!(w.accrued(partner).await, 0);
    let left = rebate_volume::Entity::find().all(t.app.db().reader());
    let left = left.await.unwrap();
    assert_eq!(left.len(), 2);
    assert!(
        left.iter()
            .all(|row| (row.volume_minor, row.rebate_minor) == (0, 0)),
        "{left:?}"
    );
}

async fn a_cap_limits_the_rebate_of_a_period(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let mut input = rebate("MARGINAL");
    input["components"][0]["cap"] = json!("3000.00");
    w.plan(input).await;
    let partner = w.partner("Alpha").await;
    let first = w.resold(partner, 10_000_000).await;
    assert_eq!(w.paid_for(first).await, ["2000.00"]);
    let second = w.resold(partner, 5_000_000).await;
    assert_eq!(w.paid_for(second).await, ["1000.00"]);
    let third = w.resold(partner, 5_000_000).await;
    assert_eq!(w.paid_for(third).await, Vec::<String>::new());
    assert_eq!(w.refund(third, 5_000_000).await, 0);
    assert_eq!(w.refund(second, 5_000_000).await, 1);
    assert_eq!(w.accrued(partner).await, 200_000);
}

async fn a_renewal_pays_its_rate_and_nothing_for_new_business(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    w.plan(pool()).await;
    let id = w
        .plan(
            json!({"name": "Renewals", "currency": "USD", "clawbackDays": 90,
            "components": [{"kind": "RENEWAL", "ratePercent": "3"}]}),
        )
        .await;
    let text = w
        .ask(
            &w.manager,
            "query($id: ID!) { incentivePlan(id: $id) { planText } }",
            json!({"id": id}),
        )
        .await
        .text("incentivePlan/planText");
    assert!(
        text.starts_with(
            "For each won renewal, 3 % of its value goes to the partner who resold it"
        ),
        "{text}"
    );
    let partner = w.partner("Alpha").await;
    let renewal = w.renewal(partner, 5_000_000).await;
    w.touch(renewal, partner, 5).await;
    assert_eq!(w.paid_for(renewal).await, ["1500.00"]);
    let new = w.resold(partner, 5_000_000).await;
    w.touch(new, partner, 5).await;
    assert_eq!(w.paid_for(new).await, ["5000.00"]);
    assert_eq!(w.refund(renewal, 1_250_000).await, 1);
    assert_eq!(w.amounts(renewal, "CLAWBACK").await, ["-375.00"]);
    let imagined =
        "query($input: PayoutPreviewInput!) { payoutPreview(input: $input) { total { amount } } }";
    let input = json!({"programId": w.program.text(), "value": {"amount": "50000.00", "currency": "USD"}, "business": "RENEWAL"});
    let told = w.ask(&w.manager, imagined, json!({"input": input})).await;
    assert_eq!(told.text("payoutPreview/total/amount"), "1500.00");
}

async fn only_what_includes_renewals_pays_for_both(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let mut input = rebate("MARGINAL");
    input["components"][0]["includesRenewals"] = json!(true);
    input["components"]
        .as_array_mut()
        .unwrap()
        .push(json!({"kind": "RESALE_MARGIN", "ratePercent": "5"}));
    w.plan(input).await;
    let partner = w.partner("Alpha").await;
    let renewal = w.renewal(partner, 10_000_000).await;
    assert_eq!(w.paid_for(renewal).await, ["2000.00"]);
    let new = w.resold(partner, 1_000_000).await;
    assert_eq!(w.paid_for(new).await, ["300.00", "500.00"]);
}

async fn the_faults_of_a_rebate_are_told_at_their_fields(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let before = w.written().await;
    let mut input = rebate("MARGINAL");
    input["components"][0]["ratePercent"] = json!("5");
    input["components"][0]["rebate"]["tiers"][1] = json!({"from": "0.00", "ratePercent": "1"});
    input["components"]
        .as_array_mut()
        .unwrap()
        .push(json!({"kind": "RENEWAL", "ratePercent": "3", "includesRenewals": true}));
    let answer = w.draft(input).await;
    let errors = answer
        .at("incentivePlanCreate/userErrors")
        .as_array()
        .unwrap();
    let field = |error: &Value| {
        let parts = error["field"].as_array().unwrap().iter();
        parts
            .map(|part| part.as_str().unwrap())
            .collect::<Vec<_>>()
            .join(".")
    };
    assert_eq!(
        errors.iter().map(field).collect::<Vec<_>>(),
        [
            "components.0.ratePercent",
            "components.0.rebate.tiers.1.from",
            "components.0.rebate.tiers.1.ratePercent",
            "components.1.includesRenewals"
        ]
    );
    assert_eq!(w.written().await, before);
    let mut bare = rebate("MARGINAL");
    bare["components"][0]["rebate"] = json!(null);
    let answer = w.draft(bare).await;
    assert_eq!(
        answer.at("incentivePlanCreate/userErrors/0/field"),
        &json!(["components", "0", "rebate"])
    );
}

async fn a_partner_previews_from_its_own_volume_only(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    w.plan(rebate("MARGINAL")).await;
    let (alpha, beta) = (w.partner("Alpha").await, w.partner("Beta").await);
    let sold = w.resold(alpha, 10_000_000).await;
    w.win(sold).await;
    let query =
        "query($input: PayoutPreviewInput!) { payoutPreview(input: $input) { total { amount } } }";
    let ask = async |person: &crate::support::Person, partner: Option<PartnerId>| {
        let mut input = json!({"programId": w.program.text(), "value": {"amount": "10000.00", "currency": "USD"}});
        if let Some(partner) = partner {
            input["partnerId"] = json!(partner.text());
        }
        w.ask(person, query, json!({"input": input})).await
    };
    let anna = w.manager_of(alpha).await;
    let total = "payoutPreview/total/amount";
    assert_eq!(ask(&anna, None).await.text(total), "300.00");
    assert_eq!(ask(&w.manager, Some(alpha)).await.text(total), "300.00");
    assert_eq!(ask(&w.manager, None).await.text(total), "200.00");
    let bert = w.manager_of(beta).await;
    assert_eq!(ask(&bert, None).await.text(total), "200.00");
    assert_eq!(ask(&bert, Some(alpha)).await.error(), "NOT_FOUND");
}
