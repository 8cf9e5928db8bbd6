//! Plans, commission lines, refunds and payments that mails are about.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use ensemble::{
    entity::{
        accrual::{self, AccrualKind},
        deal::{self, SalesStatus},
        deal_refund,
        ids::*,
        incentive_plan::{self, PlanStatus},
        ledger_transaction::LedgerTransactionKind,
        payout::{self, PayoutStatus},
        payout_run::{self, RunStatus},
    },
    events::Event,
    incentives::PlanTerms,
    ledger::{
        post::{NewTransaction, post},
        rules::{clawed_back, won},
    },
    platform::{audit, ids::TypedId, money::Currency},
};
use sea_orm::{ActiveValue::Set, EntityTrait};
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
            activated_at: Set(Some(now)),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
        };
        t.write(move |tx| {
            let row = row.clone();
            Box::pin(async move {
                let activated = Event::PlanActivated { plan_id: id };
                audit::append_past(tx, &activated, now, None).await?;
                tx.insert(row).await
            })
        })
        .await
        .unwrap();
        id
    }

    /// Books one commission line of the deal as winning or refunding books it.
    pub async fn commission(&self, t: &TestApp, line: Line) {
        let world = self.clone();
        t.write(move |tx| {
            let world = world.clone();
            Box::pin(async move {
                let id: AccrualId = tx.id();
                let held = tx
                    .lock(deal::Entity::find_by_id(world.deal))
                    .await?
                    .remove(0);
                let won_at = held.closed_at.unwrap_or(tx.now());
                tx.save(&held, |row| {
                    row.status = SalesStatus::Won;
                    row.closed_at = Some(won_at);
                })
                .await?;
                tx.insert(world.accrual(id, line, won_at)).await?;
                let partner = line.partner.uuid();
                let (kind, postings) = match line.kind {
                    AccrualKind::Earned => (
                        LedgerTransactionKind::Commission,
                        won(partner, line.amount, 0),
                    ),
                    AccrualKind::Holdback => (
                        LedgerTransactionKind::Commission,
                        won(partner, 0, line.amount),
                    ),
                    AccrualKind::Clawback => (
                        LedgerTransactionKind::Clawback,
                        clawed_back(partner, -line.amount),
                    ),
                };
                let booked = NewTransaction {
                    kind,
                    key: format!("line:{id}"),
                    subject_type: DealId::PREFIX,
                    subject_id: world.deal.uuid(),
                    effective_at: tx.now(),
                    currency: Currency::USD,
                    postings: postings.unwrap(),
                };
                post(tx, vec![booked]).await.map(|_| ())
            })
        })
        .await
        .unwrap();
    }

    fn accrual(&self, id: AccrualId, line: Line, now: DateTime<Utc>) -> accrual::ActiveModel {
        let days = if line.kind == AccrualKind::Holdback {
            90
        } else {
            0
        };
        accrual::ActiveModel {
            id: Set(id),
            deal_id: Set(self.deal),
            plan_id: Set(line.plan),
            component: Set(0),
            partner_id: Set(line.partner),
            program_id: Set(self.program),
            kind: Set(line.kind),
            amount_minor: Set(line.amount),
            currency: Set(Currency::USD),
            weight: Set(1),
            pool_minor: Set(1_000_000),
            run_id: Set(None),
            refund_id: Set(line.refund),
            earned_at: Set(now),
            available_at: Set(now + TimeDelta::days(days)),
            payout_id: Set(line.payout),
            created_at: Set(now),
        }
    }

    /// A refund of 25,000.00 USD.
    pub async fn refund(&self, t: &TestApp) -> DealRefundId {
        let (id, deal_id) = (mint(t.app.clock().now()), self.deal);
        t.write(move |tx| {
            Box::pin(async move {
                let refunded = deal::ActiveModel {
                    id: Set(deal_id),
                    refunded_minor: Set(2_500_000),
                    ..Default::default()
                };
                deal::Entity::update(refunded).exec(tx).await?;
                tx.insert(deal_refund::ActiveModel {
                    id: Set(id),
                    deal_id: Set(deal_id),
                    amount_minor: Set(2_500_000),
                    currency: Set(Currency::USD),
                    reason: Set("Returned seats".to_owned()),
                    refunded_at: Set(tx.now()),
                    actor_id: Set(None),
                    created_at: Set(tx.now()),
                })
                .await
            })
        })
        .await
        .unwrap();
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
            after_partner_id: Set(None),
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
        let plan = self.plan(t).await;
        let (acme, bolt) = (
            earned(plan, self.acme, 142_857),
            earned(plan, self.bolt, 200_000),
        );
        let first = payment(t, run, acme, "P-1").await;
        let second = payment(t, run, bolt, "P-2").await;
        self.commission(
            t,
            Line {
                payout: Some(first),
                ..acme
            },
        )
        .await;
        self.commission(
            t,
            Line {
                payout: Some(second),
                ..bolt
            },
        )
        .await;
        (run, first, second)
    }
}

/// A commission line.
#[derive(Clone, Copy)]
pub struct Line {
    pub plan: IncentivePlanId,
    pub partner: PartnerId,
    pub kind: AccrualKind,
    pub amount: i64,
    pub refund: Option<DealRefundId>,
    pub payout: Option<PayoutId>,
}

/// A line earned by winning the deal.
pub fn earned(plan: IncentivePlanId, partner: PartnerId, amount: i64) -> Line {
    Line {
        plan,
        partner,
        kind: AccrualKind::Earned,
        amount,
        refund: None,
        payout: None,
    }
}

async fn payment(t: &TestApp, run: PayoutRunId, line: Line, number: &str) -> PayoutId {
    let now = t.app.clock().now();
    let id = mint(now);
    let row = payout::ActiveModel {
        id: Set(id),
        number: Set(number.to_owned()),
        run_id: Set(run),
        partner_id: Set(line.partner),
        amount_minor: Set(line.amount),
        currency: Set(Currency::USD),
        line_count: Set(1),
        status: Set(PayoutStatus::Review),
        provider: Set(None),
        provider_reference: Set(None),
        failure: Set(Some("account 4711 closed".to_owned())),
        payment_details_id: Set(None),
        attempt: Set(1),
        paid_at: Set(None),
        version: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    };
    insert(t, row).await;
    id
}
