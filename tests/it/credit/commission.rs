//! Previews, commission lines, clawbacks and holdbacks.

use chrono::TimeDelta;
use ensemble::{
    entity::{
        accrual,
        attribution_run::AttributionModel,
        deal_participant::ParticipantRole,
        deal_product,
        ids::{DealId, IncentivePlanId, PartnerId, ProductFamilyId, ProductId},
        ledger_account::{self, LedgerAccountKind},
        ledger_entry, ledger_transaction, product, product_family,
        user::Role,
    },
    incentives::batch,
    platform::ids::{self, TypedId},
};
use sea_orm::{ActiveValue::Set, EntityTrait, IntoActiveModel, PaginatorTrait};
use serde_json::{Value, json};

use super::{World, plans::pool};
use crate::{
    cases,
    support::{Answer, Person, TestApp},
};

cases!(
    the_preview_is_what_the_deal_pays,
    a_pool_is_capped,
    a_pool_is_shared_by_credit,
    commission_is_booked_once,
    a_partner_sees_its_own_lines,
    fees_and_margins_go_to_their_roles,
    a_bonus_asks_for_a_product_of_its_family,
    a_refund_takes_the_same_part_of_every_line_back,
    a_refund_after_the_window_takes_nothing_back,
    refunding_everything_leaves_nothing,
    a_holdback_is_released_on_its_day_and_once,
    deals_won_before_the_plan_are_caught_up_with,
    a_refund_before_the_commission_is_taken_back_with_it,
    only_finance_runs_a_programme,
);

const PREVIEW: &str = "query($input: PayoutPreviewInput!) { payoutPreview(input: $input) { total { amount } \
    lines { kind component amount { amount } pool { amount } partner { displayName } plan { planText } } } }";
const ACCRUALS: &str = "query($id: ID!) { node(id: $id) { ... on Deal { accruals { totalCount nodes \
    { kind component amount { amount } pool { amount } share partner { displayName } payoutId plan { name number } } } } } }";
const RUN: &str = "mutation($input: AccrualRunInput!) { accrualRun(input: $input) { report { deals lines } userErrors { code field } } }";

impl World {
    /// A, B and C with a touchpoint each, 60, 30 and 0 days ago, won today under the programme's plans.
    pub async fn won_by_three(&self) -> (DealId, [PartnerId; 3]) {
        let deal = self.deal(10_000_000, "USD").await;
        let partners = [
            self.partner("Alpha").await,
            self.partner("Beta").await,
            self.partner("Gamma").await,
        ];
        for (partner, days) in partners.into_iter().zip([60, 30, 0]) {
            self.touch(deal, partner, days).await;
        }
        self.win(deal).await;
        (deal, partners)
    }

    pub async fn lines(&self, person: &Person, deal: DealId) -> Vec<Value> {
        let answer = self.ask(person, ACCRUALS, json!({"id": deal.text()})).await;
        answer.at("node/accruals/nodes").as_array().unwrap().clone()
    }

    /// The amounts of a deal's lines of a kind, smallest first in size.
    pub async fn amounts(&self, deal: DealId, kind: &str) -> Vec<String> {
        let lines = self.lines(&self.finance, deal).await;
        let of_kind = lines.iter().filter(|line| line["kind"] == kind);
        let mut amounts: Vec<String> = of_kind
            .map(|line| line["amount"]["amount"].as_str().unwrap().to_owned())
            .collect();
        amounts.sort_by_key(|amount| {
            amount
                .trim_start_matches('-')
                .replace('.', "")
                .parse::<i64>()
                .unwrap()
        });
        amounts
    }

    /// What the ledger shows in an account of a partner, or of the house.
    pub async fn balance(&self, kind: LedgerAccountKind, partner: Option<PartnerId>) -> i64 {
        let accounts = ledger_account::Entity::find()
            .all(self.t.app.db().reader())
            .await
            .unwrap();
        let account = accounts
            .into_iter()
            .find(|row| row.kind == kind && row.partner_id == partner);
        account.map_or(0, |row| kind.shown(row.balance_minor))
    }

    /// Commission lines, ledger transactions and entries there are.
    pub async fn booked(&self) -> [u64; 3] {
        let db = self.t.app.db().reader();
        [
            accrual::Entity::find().count(db).await.unwrap(),
            ledger_transaction::Entity::find().count(db).await.unwrap(),
            ledger_entry::Entity::find().count(db).await.unwrap(),
        ]
    }

    pub async fn run_program(&self, person: &Person) -> Answer {
        self.ask(
            person,
            RUN,
            json!({"input": {"programId": self.program.text()}}),
        )
        .await
    }

    pub async fn preview_of(&self, value: &str, share: &str) -> Answer {
        let input = json!({"programId": self.program.text(), "value": {"amount": value, "currency": "USD"}, "share": share});
        self.ask(&self.manager, PREVIEW, json!({"input": input}))
            .await
    }
}

async fn the_preview_is_what_the_deal_pays(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    w.plan(pool()).await;
    let preview = w.preview_of("100000.00", "28.5714").await;
    assert_eq!(preview.text("payoutPreview/total/amount"), "2857.14");

    let deal = w.deal(10_000_000, "USD").await;
    let partners = [
        w.partner("Alpha").await,
        w.partner("Beta").await,
        w.partner("Gamma").await,
    ];
    for (partner, days) in partners.into_iter().zip([60, 30, 0]) {
        w.touch(deal, partner, days).await;
    }
    w.join(deal, partners[1], ParticipantRole::Influencer, 30)
        .await;
    let own = w.manager_of(partners[1]).await;
    let expected = w
        .ask(&own, PREVIEW, json!({"input": {"dealId": deal.text()}}))
        .await;
    assert_eq!(expected.text("payoutPreview/total/amount"), "2857.14");
    assert_eq!(expected.count("payoutPreview/lines"), 1);
    w.win(deal).await;
    let lines = w.lines(&own, deal).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["amount"]["amount"], "2857.14");
    assert_eq!(lines[0]["share"], "28.5714");
    assert_eq!(lines[0]["pool"]["amount"], "10000.00");
    assert_eq!(lines[0]["payoutId"], json!(null));
}

async fn a_pool_is_capped(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    w.plan(pool()).await;
    let preview = w.preview_of("250000.00", "100").await;
    assert_eq!(
        preview.text("payoutPreview/lines/0/pool/amount"),
        "20000.00"
    );
    assert_eq!(preview.text("payoutPreview/total/amount"), "20000.00");
    let wrong = w.preview_of("250000.005", "101").await;
    assert_eq!(wrong.error(), "BAD_USER_INPUT");
}

async fn a_pool_is_shared_by_credit(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    w.plan(pool()).await;
    let (deal, [alpha, beta, gamma]) = w.won_by_three().await;
    assert_eq!(
        w.amounts(deal, "EARNED").await,
        ["1428.57", "2857.14", "5714.29"]
    );
    assert_eq!(
        w.balance(LedgerAccountKind::Accrued, Some(alpha)).await,
        142_857
    );
    assert_eq!(
        w.balance(LedgerAccountKind::Accrued, Some(beta)).await,
        285_714
    );
    assert_eq!(
        w.balance(LedgerAccountKind::Accrued, Some(gamma)).await,
        571_429
    );
    assert_eq!(
        w.balance(LedgerAccountKind::CommissionExpense, None).await,
        1_000_000
    );
}

async fn commission_is_booked_once(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    w.plan(pool()).await;
    w.won_by_three().await;
    let before = w.booked().await;
    assert_eq!(before, [3, 1, 4]);
    let answer = w.run_program(&w.finance).await;
    assert_eq!(
        answer.done("accrualRun").at("accrualRun/report"),
        &json!({"deals": "1", "lines": "0"})
    );
    assert_eq!(w.booked().await, before);
}

async fn a_partner_sees_its_own_lines(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    w.plan(pool()).await;
    let (deal, [alpha, ..]) = w.won_by_three().await;
    w.join(deal, alpha, ParticipantRole::Influencer, 0).await;
    let own = w.manager_of(alpha).await;
    let answer = w.ask(&own, ACCRUALS, json!({"id": deal.text()})).await;
    assert_eq!(answer.at("node/accruals/totalCount"), 1);
    assert_eq!(
        answer.text("node/accruals/nodes/0/amount/amount"),
        "1428.57"
    );
    assert!(!answer.json.to_string().contains("Beta"));
    assert_eq!(w.lines(&w.finance, deal).await.len(), 3);
    let member = t.person(Role::PartnerMember, Some(alpha)).await;
    let answer = w.ask(&member, ACCRUALS, json!({"id": deal.text()})).await;
    assert_eq!(answer.error(), "FORBIDDEN");
    let deal = &answer.json["data"]["node"];
    assert_eq!(*deal, json!({ "accruals": null }), "the deal stays");
}

async fn fees_and_margins_go_to_their_roles(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    w.plan(json!({"name": "Roles", "currency": "USD", "components": [
        {"kind": "REFERRAL_FEE", "ratePercent": "5"}, {"kind": "RESALE_MARGIN", "ratePercent": "12.5"}]}))
        .await;
    let deal = w.deal(10_000_000, "USD").await;
    let (sourcer, second, reseller) = (
        w.partner("Alpha").await,
        w.partner("Beta").await,
        w.partner("Gamma").await,
    );
    w.join(deal, sourcer, ParticipantRole::Sourcer, 30).await;
    w.join(deal, second, ParticipantRole::Sourcer, 20).await;
    w.join(deal, reseller, ParticipantRole::Reseller, 10).await;
    w.win(deal).await;
    assert_eq!(
        w.amounts(deal, "EARNED").await,
        ["2500.00", "2500.00", "12500.00"]
    );
    let lines = w.lines(&w.finance, deal).await;
    let fee = lines
        .iter()
        .find(|line| line["component"] == "REFERRAL_FEE")
        .unwrap();
    assert_eq!(fee["share"], "50");
    // A plan in another currency has nothing to do with the deal.
    let euros = w.deal(10_000_000, "EUR").await;
    w.join(euros, sourcer, ParticipantRole::Sourcer, 30).await;
    w.win(euros).await;
    assert_eq!(w.lines(&w.finance, euros).await.len(), 0);
}

async fn a_bonus_asks_for_a_product_of_its_family(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let (family, product) = (
        ProductFamilyId::of(ids::mint(w.now())),
        ProductId::of(ids::mint(w.now())),
    );
    let row = product_family::Model {
        id: family,
        code: "BACKUP".to_owned(),
        name: "Backup".to_owned(),
        created_at: w.now(),
    };
    w.insert(row.into_active_model()).await;
    let row = product::ActiveModel {
        id: Set(product),
        sku: Set("BK-1".to_owned()),
        name: Set("Backup One".to_owned()),
        family_id: Set(family),
        version: Set(1),
        created_at: Set(w.now()),
        updated_at: Set(w.now()),
        ..Default::default()
    };
    w.insert(row).await;
    w.plan(json!({"name": "Bonus", "currency": "USD", "components": [
        {"kind": "SPIFF", "flatAmount": "250.00", "productFamily": "BACKUP"}]}))
        .await;
    let sourcer = w.partner("Alpha").await;
    let (with, without) = (
        w.deal(10_000_000, "USD").await,
        w.deal(10_000_000, "USD").await,
    );
    w.insert(deal_product::ActiveModel {
        deal_id: Set(with),
        product_id: Set(product),
        quantity: Set(1),
    })
    .await;
    for deal in [with, without] {
        w.join(deal, sourcer, ParticipantRole::Sourcer, 30).await;
        w.win(deal).await;
    }
    assert_eq!(w.amounts(with, "EARNED").await, ["250.00"]);
    assert_eq!(w.lines(&w.finance, without).await.len(), 0);
}

async fn a_refund_takes_the_same_part_of_every_line_back(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    w.plan(pool()).await;
    let (deal, [alpha, ..]) = w.won_by_three().await;
    t.advance(TimeDelta::days(60));
    assert_eq!(w.refund(deal, 2_500_000).await, 3);
    assert_eq!(
        w.amounts(deal, "CLAWBACK").await,
        ["-357.14", "-714.29", "-1428.57"]
    );
    assert_eq!(
        w.balance(LedgerAccountKind::ClawbackReceivable, Some(alpha))
            .await,
        35_714
    );
    assert_eq!(
        w.balance(LedgerAccountKind::CommissionExpense, None).await,
        750_000
    );
    let lines = w.lines(&w.finance, deal).await;
    let taken = lines
        .iter()
        .find(|line| line["amount"]["amount"] == "-357.14")
        .unwrap();
    assert_eq!(
        (&taken["share"], &taken["plan"]["name"]),
        (&json!("14.2857"), &json!("Influence"))
    );
}

async fn a_refund_after_the_window_takes_nothing_back(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    w.plan(pool()).await;
    let (deal, _) = w.won_by_three().await;
    t.advance(TimeDelta::days(91));
    let before = w.booked().await;
    assert_eq!(w.refund(deal, 2_500_000).await, 0);
    assert_eq!(w.booked().await, before);
}

async fn refunding_everything_leaves_nothing(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    w.plan(pool()).await;
    let (deal, partners) = w.won_by_three().await;
    for part in [1, 3_333_333, 666, 6_666_000] {
        t.advance(TimeDelta::days(1));
        w.refund(deal, part).await;
    }
    for partner in partners {
        let (accrued, taken) = (
            w.balance(LedgerAccountKind::Accrued, Some(partner)).await,
            w.balance(LedgerAccountKind::ClawbackReceivable, Some(partner))
                .await,
        );
        assert_eq!(accrued, taken);
    }
    assert_eq!(
        w.balance(LedgerAccountKind::CommissionExpense, None).await,
        0
    );
}

async fn a_holdback_is_released_on_its_day_and_once(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    let mut input = pool();
    input["holdback"] = json!({"percent": "10", "days": 90});
    w.plan(input).await;
    let (deal, [_, _, gamma]) = w.won_by_three().await;
    assert_eq!(
        w.amounts(deal, "HOLDBACK").await,
        ["142.86", "285.71", "571.43"]
    );
    assert_eq!(
        w.amounts(deal, "EARNED").await,
        ["1285.71", "2571.43", "5142.86"]
    );
    assert_eq!(
        w.lines(&w.finance, deal).await[0]["pool"]["amount"],
        "10000.00"
    );
    let held = |w: World| async move {
        (
            w.balance(LedgerAccountKind::Held, Some(gamma)).await,
            w.balance(LedgerAccountKind::Accrued, Some(gamma)).await,
        )
    };
    assert_eq!(held(w.clone()).await, (57_143, 514_286));
    t.advance(TimeDelta::days(89));
    t.settle().await;
    assert_eq!(held(w.clone()).await, (57_143, 514_286));
    t.advance(TimeDelta::days(1));
    t.settle().await;
    assert_eq!(held(w.clone()).await, (0, 571_429));
    let before = w.booked().await;
    t.advance(TimeDelta::hours(2));
    t.settle().await;
    assert_eq!(w.booked().await, before);
}

async fn deals_won_before_the_plan_are_caught_up_with(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    let (attributed, _) = w.won_by_three().await;
    let bare = w.deal(20_000_000, "USD").await;
    w.touch(bare, w.partner("Delta").await, 5).await;
    w.close(bare).await;
    let mut input = pool();
    input["effectiveFrom"] = json!(w.ago(400).to_rfc3339());
    w.plan(input).await;
    let answer = w.run_program(&w.finance).await;
    assert_eq!(
        answer.done("accrualRun").at("accrualRun/report"),
        &json!({"deals": "2", "lines": "4"})
    );
    assert_eq!(
        w.amounts(attributed, "EARNED").await,
        ["1428.57", "2857.14", "5714.29"]
    );
    assert_eq!(w.amounts(bare, "EARNED").await, ["20000.00"]);
    let again = batch::run(&t.app, w.program).await.unwrap();
    assert_eq!((again.deals, again.lines), (2, 0));

    // Chunk by chunk it comes to the same, and goes on where it stopped.
    let program = w.program;
    let chunk = |after| {
        t.write(move |tx| Box::pin(async move { batch::catch_up(tx, program, after, 1).await }))
    };
    let (first, next) = chunk(None).await.unwrap();
    let (second, next) = chunk(next).await.unwrap();
    let (third, next) = chunk(next).await.unwrap();
    assert_eq!([first.deals, second.deals, third.deals], [1, 1, 0]);
    assert_eq!(next, None);
}

async fn a_refund_before_the_commission_is_taken_back_with_it(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    let (deal, _) = w.won_by_three().await;
    t.advance(TimeDelta::days(1));
    assert_eq!(w.refund(deal, 2_500_000).await, 0);
    let mut input = pool();
    input["effectiveFrom"] = json!(w.ago(400).to_rfc3339());
    w.plan(input).await;
    assert_eq!(batch::run(&t.app, w.program).await.unwrap().lines, 6);
    assert_eq!(
        w.amounts(deal, "CLAWBACK").await,
        ["-357.14", "-714.29", "-1428.57"]
    );
}

async fn only_finance_runs_a_programme(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    assert_eq!(
        w.run_program(&w.manager).await.refusal("accrualRun"),
        "FORBIDDEN"
    );
    let unknown = w
        .ask(
            &w.finance,
            RUN,
            json!({"input": {"programId": IncentivePlanId::of(uuid::Uuid::nil()).text()}}),
        )
        .await;
    assert_eq!(unknown.refusal("accrualRun"), "NOT_FOUND");
    w.run_program(&w.admin).await.done("accrualRun");
}
