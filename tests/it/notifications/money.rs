//! Plans, commission lines, refunds and payments that mails are about.

use chrono::{NaiveDate, TimeDelta};
use ensemble::{
    entity::{accrual, deal_refund, ids::*, incentive_plan, payout, payout_run},
    incentives::{AccrualKind, PlanStatus, PlanTerms},
    payouts::{PayoutStatus, RunStatus},
    platform::money::Currency,
};
use sea_orm::ActiveValue::Set;
use serde_json::json;

use super::rows::{World, insert, mint};
use crate::support::{Person, TestApp};

impl World {
    pub async fn plan(&self, t: &TestApp) -> IncentivePlanId {
        let now = t.app.clock().now();
        let id = mint(now);
        let terms: PlanTerms = serde_json::from_value(json!({
            "currency": "USD", "components": [{"kind": "INFLUENCE_POOL", "rate_ppm": 100_000}],
        }))
        .unwrap();
        let row = incentive_plan::ActiveModel {
            id: Set(id),
            program_id: Set(self.program),
            name: Set("Influence".to_owned()),
            number: Set(1),
            status: Set(PlanStatus::Active),
            terms: Set(terms),
            currency: Set(Currency::USD),
            effective_from: Set(now),
            effective_to: Set(None),
            created_by: Set(self.alma.id),
            activated_by: Set(None),
            activated_at: Set(None),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
        };
        insert(t, row).await;
        id
    }

    pub async fn commission(
        &self,
        t: &TestApp,
        plan: IncentivePlanId,
        partner: PartnerId,
        kind: AccrualKind,
        amount_minor: i64,
        refund: Option<DealRefundId>,
    ) {
        let now = t.app.clock().now();
        let row = accrual::ActiveModel {
            id: Set(mint(now)),
            deal_id: Set(self.deal),
            plan_id: Set(plan),
            component: Set(0),
            partner_id: Set(partner),
            program_id: Set(self.program),
            kind: Set(kind),
            amount_minor: Set(amount_minor),
            currency: Set(Currency::USD),
            weight: Set(1),
            pool_minor: Set(1_000_000),
            run_id: Set(None),
            refund_id: Set(refund),
            earned_at: Set(now),
            available_at: Set(
                now + TimeDelta::days(if kind == AccrualKind::Holdback { 90 } else { 0 })
            ),
            payout_id: Set(None),
            created_at: Set(now),
        };
        insert(t, row).await;
    }

    pub async fn refund(&self, t: &TestApp) -> DealRefundId {
        let now = t.app.clock().now();
        let id = mint(now);
        let row = deal_refund::ActiveModel {
            id: Set(id),
            deal_id: Set(self.deal),
            amount_minor: Set(2_500_000),
            currency: Set(Currency::USD),
            reason: Set("Returned seats".to_owned()),
            refunded_at: Set(now),
            actor_id: Set(None),
            created_at: Set(now),
        };
        insert(t, row).await;
        id
    }

    /// A run made by this person, with a payment to each partner: 1,428.57 and 2,000.00 USD.
    pub async fn payout_run(
        &self,
        t: &TestApp,
        creator: &Person,
    ) -> (PayoutRunId, PayoutId, PayoutId) {
        let now = t.app.clock().now();
        let run: PayoutRunId = mint(now);
        let row = payout_run::ActiveModel {
            id: Set(run),
            number: Set("PR-1".to_owned()),
            program_id: Set(self.program),
            program_version_id: Set(self.version),
            period_start: Set(NaiveDate::from_ymd_opt(2026, 2, 1).unwrap()),
            period_end: Set(NaiveDate::from_ymd_opt(2026, 2, 28).unwrap()),
            status: Set(RunStatus::Review),
            created_by: Set(creator.id),
            approved_by: Set(None),
            approved_at: Set(None),
            executed_by: Set(None),
            executed_at: Set(None),
            completed_at: Set(None),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
        };
        insert(t, row).await;
        let first = payment(t, run, self.acme, "P-1", 142_857).await;
        let second = payment(t, run, self.bolt, "P-2", 200_000).await;
        (run, first, second)
    }
}

async fn payment(
    t: &TestApp,
    run: PayoutRunId,
    partner: PartnerId,
    number: &str,
    minor: i64,
) -> PayoutId {
    let now = t.app.clock().now();
    let id = mint(now);
    let row = payout::ActiveModel {
        id: Set(id),
        number: Set(number.to_owned()),
        run_id: Set(run),
        partner_id: Set(partner),
        amount_minor: Set(minor),
        currency: Set(Currency::USD),
        line_count: Set(1),
        status: Set(PayoutStatus::Review),
        provider: Set(None),
        provider_reference: Set(None),
        failure: Set(Some("account 4711 closed".to_owned())),
        paid_at: Set(None),
        version: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    };
    insert(t, row).await;
    id
}
