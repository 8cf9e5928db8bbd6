//! Commission is earned once and settled once: across the numbers of a plan, in each period, and with what is held.

use chrono::{DateTime, TimeDelta, Utc};
use ensemble::{
    entity::{
        accrual,
        attribution_run::AttributionModel,
        deal::DealBusiness,
        deal_participant::ParticipantRole,
        ids::{DealId, PartnerId},
        ledger_account::LedgerAccountKind,
        payout_exception,
    },
    platform::ids::{self, TypedId},
};
use sea_orm::{ColumnTrait, QueryFilter};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use super::{World, plans::pool};
use crate::{
    cases,
    money::{APPROVE, CREATE, EXECUTE, at, operator},
    support::{Answer, TestApp},
};

cases!(
    a_number_that_reaches_back_over_booked_deals_is_refused,
    a_rebate_that_paid_nothing_yet_is_not_counted_again_by_another_number,
    deals_that_nobody_booked_are_paid_once_by_the_number_that_covers_them,
    a_deal_earns_once_whatever_numbers_are_active,
    a_refund_recorded_late_is_in_the_run_and_the_statement_of_its_period,
    a_clawback_takes_first_what_the_deal_still_has_held,
    refunds_in_parts_leave_nothing_with_anybody,
    a_deal_that_pays_nothing_names_the_cause,
);

const WIN: &str = "mutation($input: DealWinInput!, $key: String!) { dealWin(input: $input) @idempotent(key: $key) \
    { deal { id } commissionExceptions { dealId reason } userErrors { code field message } } }";
const REFUND: &str = "mutation($input: DealRefundInput!, $key: String!) { dealRefund(input: $input) @idempotent(key: $key) \
    { deal { id } userErrors { code field message } } }";
const ACTIVATE: &str = "mutation($id: ID!) { incentivePlanActivate(input: {planId: $id}) { incentivePlan { id status } \
    userErrors { code field message } } }";
const RETIRE: &str =
    "mutation($id: ID!) { incentivePlanRetire(input: {planId: $id}) { userErrors { code } } }";
const RUN: &str = "mutation($id: ID!) { accrualRun(input: {programId: $id}) \
    { report { deals lines exceptions { reason deals dealIds } } userErrors { code } } }";

/// A fee to whoever brought the deal, from an instant on.
fn fee(percent: &str, from: DateTime<Utc>) -> Value {
    json!({"name": "P", "currency": "USD", "clawbackDays": 365, "effectiveFrom": from.to_rfc3339(),
        "components": [{"kind": "REFERRAL_FEE", "ratePercent": percent}]})
}

impl World {
    /// An open deal that a partner brought.
    async fn brought(&self, partner: PartnerId, value_minor: i64) -> DealId {
        let deal = self.deal(value_minor, "USD").await;
        self.join(deal, partner, ParticipantRole::Sourcer, 10).await;
        deal
    }

    fn key(&self) -> String {
        ids::mint(self.now()).to_string()
    }

    /// Wins a deal through the API, at an instant.
    async fn win_with(&self, deal: DealId, won_at: DateTime<Utc>) -> Answer {
        let input = json!({"dealId": deal.text(), "wonAt": won_at.to_rfc3339()});
        let won = json!({"input": input, "key": self.key()});
        let answer = self.ask(&self.manager, WIN, won).await;
        answer.done("dealWin");
        answer
    }

    async fn give_back(&self, deal: DealId, amount: &str, refunded_at: DateTime<Utc>) {
        let input = json!({"dealId": deal.text(), "amount": {"amount": amount, "currency": "USD"},
            "reason": "Returned", "refundedAt": refunded_at.to_rfc3339()});
        let refund = json!({"input": input, "key": self.key()});
        self.ask(&self.admin, REFUND, refund)
            .await
            .done("dealRefund");
    }

    async fn drafted(&self, input: Value) -> String {
        let drafted = self.draft(input).await;
        drafted
            .done("incentivePlanCreate")
            .text("incentivePlanCreate/incentivePlan/id")
    }

    async fn caught_up(&self) -> Value {
        let id = json!({"id": self.program.text()});
        let answer = self.ask(&self.finance, RUN, id).await;
        answer.done("accrualRun").at("accrualRun/report").clone()
    }

    /// What a partner has earned on a deal, less what was taken back.
    async fn earned_on(&self, deal: DealId) -> i64 {
        let lines = accrual::Entity::find().filter(accrual::Column::DealId.eq(deal));
        let lines = lines.all(self.t.app.db().reader()).await.unwrap();
        lines.iter().map(|line| line.amount_minor).sum()
    }

    /// Creates, approves and executes a run of a period; returns its payments as status and amount.
    async fn pay(&self, start: &str, end: &str) -> Vec<(String, String)> {
        let input =
            json!({"programId": self.program.text(), "periodStart": start, "periodEnd": end});
        let created = json!({"input": input, "key": self.key()});
        let created = self.ask(&self.finance, CREATE, created).await;
        let id = created
            .done("payoutRunCreate")
            .text("payoutRunCreate/payoutRun/id");
        self.ask(&self.admin, APPROVE, json!({ "id": id }))
            .await
            .done("payoutRunApprove");
        self.ask(&self.finance, EXECUTE, json!({"id": id, "key": id}))
            .await
            .done("payoutRunExecute");
        let shown = "query($id: ID!) { payoutRun(id: $id) { status payouts { nodes { status amount { amount } } } } }";
        let shown = self.ask(&self.finance, shown, json!({ "id": id })).await;
        assert_eq!(shown.text("payoutRun/status"), "COMPLETED");
        let payments = shown.at("payoutRun/payouts/nodes").as_array().unwrap();
        let payment = |node: &Value| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&node["status"]), text(&node["amount"]["amount"]))
        };
        payments.iter().map(payment).collect()
    }

    async fn statement_of(&self, partner: PartnerId, start: &str, end: &str) -> Value {
        let query = "query($id: ID!, $start: Date!, $end: Date!) { partner(id: $id) { statement(currency: \"USD\", \
            periodStart: $start, periodEnd: $end) { opening { amount } earned { amount } adjustments { amount } \
            paid { amount } closing { amount } } } }";
        let asked = json!({"id": partner.text(), "start": start, "end": end});
        let answer = self.ask(&self.finance, query, asked).await;
        let shown = answer.at("partner/statement");
        json!(
            ["opening", "earned", "adjustments", "paid", "closing"]
                .map(|sum| &shown[sum]["amount"])
        )
    }

    async fn exceptions(&self) -> u64 {
        let exceptions = payout_exception::Entity::find();
        exceptions.count(self.t.app.db().reader()).await.unwrap()
    }
}

fn paid(amounts: &[(&str, &str)]) -> Vec<(String, String)> {
    let payment = |(status, amount): &(&str, &str)| ((*status).to_owned(), (*amount).to_owned());
    amounts.iter().map(payment).collect()
}

async fn a_number_that_reaches_back_over_booked_deals_is_refused(t: TestApp) {
    t.clock.set(at("2026-10-15T09:00:00Z"));
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let first = w.plan(fee("10", at("2015-01-01T00:00:00Z"))).await;
    let partner = w.partner("Alpha").await;
    let deal = w.brought(partner, 100_000).await;
    w.win_with(deal, at("2026-10-01T12:00:00Z")).await;
    assert_eq!(w.earned_on(deal).await, 10_000);

    let second = w.drafted(fee("12", at("2026-09-01T00:00:00Z"))).await;
    let before = (w.written().await, w.booked().await);
    let refused = w.ask(&w.finance, ACTIVATE, json!({ "id": second })).await;
    let errors = refused.at("incentivePlanActivate/userErrors");
    assert_eq!(errors.as_array().unwrap().len(), 1);
    assert_eq!(errors[0]["code"], "ILLEGAL_TRANSITION");
    assert_eq!(errors[0]["field"], json!(["planId"]));
    let message = errors[0]["message"].as_str().unwrap();
    for part in ["Number 2 of \"P\"", "number 1", "2026-10-01T12:00:00Z"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!((w.written().await, w.booked().await), before);

    // Retiring the number that paid changes nothing about what it paid.
    w.ask(&w.finance, RETIRE, json!({ "id": first }))
        .await
        .done("incentivePlanRetire");
    let again = w.ask(&w.finance, ACTIVATE, json!({ "id": second })).await;
    assert_eq!(again.refusal("incentivePlanActivate"), "ILLEGAL_TRANSITION");
    w.caught_up().await;
    assert_eq!(w.earned_on(deal).await, 10_000);

    // One that begins after the last deal, one that ends before it, and one for another currency are none of this.
    let mut other = fee("12", at("2026-09-01T00:00:00Z"));
    other["currency"] = json!("EUR");
    w.plan(other).await;
    let mut earlier = fee("12", at("2026-09-01T00:00:00Z"));
    earlier["effectiveTo"] = json!("2026-10-01T12:00:00Z");
    w.plan(earlier).await;
    w.plan(fee("12", at("2026-10-01T12:00:00.000001Z"))).await;
    w.caught_up().await;
    assert_eq!(w.earned_on(deal).await, 10_000);
    // A refund follows the number that paid.
    w.give_back(deal, "500.00", at("2026-10-10T00:00:00Z"))
        .await;
    assert_eq!(w.earned_on(deal).await, 5_000);
}

async fn a_rebate_that_paid_nothing_yet_is_not_counted_again_by_another_number(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let rebate = |from: &str, since: DateTime<Utc>| {
        json!({"name": "Volume", "currency": "USD", "clawbackDays": 90, "effectiveFrom": since.to_rfc3339(),
            "components": [{"kind": "VOLUME_REBATE", "rebate": {"period": "YEAR", "method": "RETROACTIVE",
            "tiers": [{"from": from, "ratePercent": "2"}]}}]})
    };
    w.plan(rebate("5000.00", w.ago(400))).await;
    let partner = w.partner("Alpha").await;
    let deal = w.brought(partner, 400_000).await;
    w.join(deal, partner, ParticipantRole::Reseller, 10).await;
    w.win(deal).await;
    assert_eq!(w.earned_on(deal).await, 0);
    let second = w.drafted(rebate("1000.00", w.ago(100))).await;
    let refused = w.ask(&w.finance, ACTIVATE, json!({ "id": second })).await;
    assert_eq!(
        refused.refusal("incentivePlanActivate"),
        "ILLEGAL_TRANSITION"
    );
    // A deal that counts for a rebate is not one that pays nothing.
    let report = w.caught_up().await;
    assert_eq!(
        report,
        json!({"deals": "1", "lines": "0", "exceptions": []})
    );
}

async fn deals_that_nobody_booked_are_paid_once_by_the_number_that_covers_them(t: TestApp) {
    t.clock.set(at("2026-10-15T09:00:00Z"));
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let partner = w.partner("Alpha").await;
    let mut deals = Vec::new();
    for won_at in ["2026-08-20T00:00:00Z", "2026-09-20T00:00:00Z"] {
        let deal = w.brought(partner, 100_000).await;
        w.win_with(deal, at(won_at)).await;
        deals.push(deal);
    }
    w.plan(fee("10", at("2015-01-01T00:00:00Z"))).await;
    w.plan(fee("12", at("2026-09-01T00:00:00Z"))).await;
    let report = w.caught_up().await;
    assert_eq!(report["lines"], "2");
    assert_eq!(w.earned_on(deals[0]).await, 10_000);
    assert_eq!(w.earned_on(deals[1]).await, 12_000);
    assert_eq!(w.caught_up().await["lines"], "0");
    // A win that is recorded late is paid by the number of its day.
    let late = w.brought(partner, 100_000).await;
    w.win_with(late, at("2026-08-25T00:00:00Z")).await;
    assert_eq!(w.earned_on(late).await, 10_000);
}

async fn a_deal_earns_once_whatever_numbers_are_active(t: TestApp) {
    t.leaves_books_altered();
    t.clock.set(at("2026-10-15T09:00:00Z"));
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    w.plan(fee("10", at("2015-01-01T00:00:00Z"))).await;
    let partner = w.partner("Alpha").await;
    let (booked, open) = (
        w.brought(partner, 100_000).await,
        w.brought(partner, 100_000).await,
    );
    w.win_with(booked, at("2026-10-01T00:00:00Z")).await;
    w.drafted(fee("12", at("2026-09-01T00:00:00Z"))).await;
    // Past the API, both numbers cover the same days.
    operator(&t, "UPDATE incentive_plan SET status = 'ACTIVE'")
        .await
        .unwrap();
    w.win_with(open, at("2026-10-02T00:00:00Z")).await;
    w.caught_up().await;
    assert_eq!(w.earned_on(booked).await, 10_000);
    assert_eq!(w.earned_on(open).await, 12_000);
    operator(
        &t,
        "UPDATE incentive_plan SET status = 'RETIRED' WHERE number = 1",
    )
    .await
    .unwrap();
    w.caught_up().await;
    assert_eq!(w.earned_on(booked).await, 10_000);
    assert_eq!(
        w.balance(LedgerAccountKind::Accrued, Some(partner)).await,
        22_000
    );
}

async fn a_refund_recorded_late_is_in_the_run_and_the_statement_of_its_period(t: TestApp) {
    t.clock.set(at("2026-08-20T09:00:00Z"));
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    w.plan(fee("10", at("2015-01-01T00:00:00Z"))).await;
    let (alpha, beta) = (w.partner("Alpha").await, w.partner("Beta").await);
    let (deal, kept) = (
        w.brought(alpha, 100_000).await,
        w.brought(beta, 300_000).await,
    );
    w.win_with(deal, w.now()).await;
    w.win_with(kept, w.now()).await;

    t.clock.set(at("2026-09-02T09:00:00Z"));
    w.give_back(deal, "1000.00", at("2026-08-31T23:59:59.999999Z"))
        .await;
    // A refund of the next month is not in the run of this one.
    w.give_back(kept, "100.00", at("2026-09-01T00:00:00Z"))
        .await;
    let august = ("2026-08-01", "2026-08-31");
    assert_eq!(
        w.pay(august.0, august.1).await,
        paid(&[("NETTED", "0.00"), ("PAID", "300.00")])
    );
    assert_eq!(
        w.statement_of(alpha, august.0, august.1).await,
        json!(["0.00", "100.00", "-100.00", "0.00", "0.00"])
    );
    let account = |kind| w.balance(kind, Some(alpha));
    assert_eq!(account(LedgerAccountKind::Accrued).await, 0);
    assert_eq!(account(LedgerAccountKind::ClawbackReceivable).await, 0);
    assert_eq!(account(LedgerAccountKind::Paid).await, 0);
    assert_eq!(w.exceptions().await, 0);

    // What was settled does not come back; what was taken back afterwards is carried.
    assert_eq!(w.pay(august.0, august.1).await, paid(&[]));
    t.clock.set(at("2026-10-01T09:00:00Z"));
    assert_eq!(w.pay("2026-09-01", "2026-09-30").await, paid(&[]));
    assert_eq!(w.exceptions().await, 1);
    assert_eq!(
        w.statement_of(beta, "2026-09-01", "2026-09-30").await,
        json!(["300.00", "0.00", "-10.00", "300.00", "-10.00"])
    );
    t.settle().await;
}

async fn a_clawback_takes_first_what_the_deal_still_has_held(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let mut input = pool();
    input["holdback"] = json!({"percent": "50", "days": 60});
    w.plan(input).await;
    let partner = w.partner("Alpha").await;
    let mut deals = Vec::new();
    for _ in 0..2 {
        let deal = w.deal(10_000_000, "USD").await;
        w.touch(deal, partner, 5).await;
        w.win(deal).await;
        deals.push(deal);
    }
    w.give_back(deals[0], "100000.00", w.now()).await;
    assert_eq!(
        w.pay("2026-03-01", "2026-03-31").await,
        paid(&[("PAID", "5000.00")])
    );
    // A quarter of the other deal: it is taken from what is held, and the partner owes nothing meanwhile.
    t.advance(TimeDelta::days(1));
    w.give_back(deals[1], "25000.00", w.now()).await;
    assert_eq!(w.pay("2026-03-01", "2026-03-31").await, paid(&[]));
    assert_eq!(w.exceptions().await, 0);
    t.advance(TimeDelta::days(59));
    t.settle().await;
    assert_eq!(
        w.pay("2026-04-01", "2026-04-30").await,
        paid(&[("PAID", "2500.00")])
    );
    assert_eq!(
        w.balance(LedgerAccountKind::Paid, Some(partner)).await,
        750_000
    );
    // After the release the rest is owed at once.
    w.give_back(deals[1], "75000.00", w.now()).await;
    assert_eq!(w.pay("2026-04-01", "2026-04-30").await, paid(&[]));
    assert_eq!(w.exceptions().await, 1);
    assert_eq!(
        w.balance(LedgerAccountKind::ClawbackReceivable, Some(partner))
            .await,
        750_000
    );
    assert_eq!(w.earned_on(deals[0]).await + w.earned_on(deals[1]).await, 0);
}

async fn refunds_in_parts_leave_nothing_with_anybody(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    let mut input = pool();
    input["holdback"] = json!({"percent": "30", "days": 60});
    w.plan(input).await;
    let (deal, partners) = w.won_by_three().await;
    // Half of what was earned is more than what is held.
    for amount in ["33333.33", "16666.67"] {
        t.advance(TimeDelta::days(1));
        w.give_back(deal, amount, w.now()).await;
    }
    let lines = w.lines(&w.finance, deal).await;
    let taken = lines.iter().filter(|line| line["kind"] == "CLAWBACK");
    // The first takes from what is held alone for one partner and splits for none or some; amounts are never zero.
    assert!(taken.clone().count() >= 6);
    assert!(taken.clone().all(|line| line["amount"]["amount"] != "0.00"));
    w.give_back(deal, "50000.00", w.now()).await;
    assert_eq!(w.earned_on(deal).await, 0);
    let settled = w.pay("2026-03-01", "2026-03-31").await;
    assert_eq!(settled, paid(&[("NETTED", "0.00"); 3]));
    t.advance(TimeDelta::days(60));
    t.settle().await;
    let settled = w.pay("2026-05-01", "2026-05-31").await;
    assert_eq!(settled, paid(&[("NETTED", "0.00"); 3]));
    for partner in partners {
        for kind in [
            LedgerAccountKind::Accrued,
            LedgerAccountKind::Held,
            LedgerAccountKind::ClawbackReceivable,
            LedgerAccountKind::Paid,
        ] {
            assert_eq!(w.balance(kind, Some(partner)).await, 0, "{kind:?}");
        }
    }
    assert_eq!(w.exceptions().await, 0);
    assert_eq!(w.pay("2026-05-01", "2026-05-31").await, paid(&[]));
}

async fn a_deal_that_pays_nothing_names_the_cause(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    w.plan(fee("10", w.ago(20))).await;
    let partner = w.partner("Alpha").await;
    let euros = w.deal(100_000, "EUR").await;
    w.join(euros, partner, ParticipantRole::Sourcer, 5).await;
    let (early, renewal, resold, paying) = (
        w.brought(partner, 100_000).await,
        w.brought(partner, 100_000).await,
        w.deal(100_000, "USD").await,
        w.brought(partner, 100_000).await,
    );
    w.join(resold, partner, ParticipantRole::Reseller, 5).await;
    t.change_deal(renewal, |row| row.business = DealBusiness::Renewal)
        .await;
    let expected = [
        (early, w.ago(30), "NO_ACTIVE_PLAN"),
        (euros, w.now(), "NO_PLAN_IN_CURRENCY"),
        (renewal, w.now(), "BUSINESS_NOT_COVERED"),
        (resold, w.now(), "NO_BENEFICIARY"),
    ];
    let mut listed = Vec::new();
    for (deal, won_at, reason) in expected {
        let answer = w.win_with(deal, won_at).await;
        assert_eq!(
            answer.at("dealWin/commissionExceptions"),
            &json!([{"dealId": deal.text(), "reason": reason}])
        );
        listed.push(json!({"reason": reason, "deals": "1", "dealIds": [deal.text()]}));
    }
    let answer = w.win_with(paying, w.now()).await;
    assert_eq!(answer.at("dealWin/commissionExceptions"), &json!([]));
    let report = w.caught_up().await;
    assert_eq!(
        report,
        json!({"deals": "5", "lines": "0", "exceptions": listed})
    );
}
