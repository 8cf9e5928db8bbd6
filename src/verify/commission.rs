//! Commission is what plans promise for a deal, once: not more than a component's pool, not more than a partner's part of
//! it, and under however many numbers of one plan not more than under the best of them.
//!
//! What was earned is compared, taken back or not. A later number of a plan may add the difference to what an earlier one
//! paid; it may not pay the deal again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, Statement, Value};
use uuid::Uuid;

use super::Finding;
use crate::{
    entity::{
        ids::{DealId, IncentivePlanId, PartnerId},
        incentive_plan,
    },
    error::Result,
    incentives::{
        compute,
        terms::{Component, ComponentKind, Payee},
    },
    platform::{
        ids::TypedId,
        money::{Currency, allocate},
    },
};

/// Lines read at once.
const CHUNK: u32 = 4_000;

/// What one partner earned under one component of one plan.
#[derive(FromQueryResult)]
struct Earned {
    deal_id: DealId,
    plan_id: IncentivePlanId,
    component: i32,
    partner_id: PartnerId,
    run_id: Option<Uuid>,
    currency: Currency,
    value_minor: i64,
    amount_minor: i64,
    lines: i64,
}

#[derive(FromQueryResult)]
struct Credit {
    run_id: Uuid,
    partner_id: Option<PartnerId>,
    weight: i64,
}

/// The weights of a computation, in their order.
type Credits = HashMap<Uuid, Vec<(Option<PartnerId>, u64)>>;
type Plans = HashMap<IncentivePlanId, incentive_plan::Model>;

/// What is promised.
pub(super) const PROMISE: &str = "no deal pays more than its plans promise, whatever their numbers";

pub(super) async fn within_terms<C: ConnectionTrait>(db: &C) -> Result<Finding> {
    let mut finding = Finding::new(PROMISE, 0);
    let plans = incentive_plan::Entity::find().all(db).await?;
    let plans: Plans = plans.into_iter().map(|plan| (plan.id, plan)).collect();
    let mut after = Uuid::nil();
    while let Some(last) = last_deal(db, after).await? {
        let earned = earned(db, after, last).await?;
        let credits = credits(db, after, last).await?;
        for deal in earned.chunk_by(|one, next| one.deal_id == next.deal_id) {
            for row in deal {
                finding.rows += u64::try_from(row.lines).unwrap_or_default();
            }
            for excess in excesses(deal, &plans, &credits) {
                finding.name(excess);
            }
        }
        after = last;
    }
    Ok(finding)
}

/// The deal up to which the next lines are read: all lines of a deal are looked at together.
async fn last_deal<C: ConnectionTrait>(db: &C, after: Uuid) -> Result<Option<Uuid>> {
    let place = |sql: &str| {
        Statement::from_sql_and_values(db.get_database_backend(), sql, [Value::from(after)])
    };
    let far = format!(
        "SELECT deal_id FROM accrual WHERE deal_id > $1 ORDER BY deal_id LIMIT 1 OFFSET {CHUNK}"
    );
    let mut row = db.query_one_raw(place(&far)).await?;
    if row.is_none() {
        let end = "SELECT deal_id FROM accrual WHERE deal_id > $1 ORDER BY deal_id DESC LIMIT 1";
        row = db.query_one_raw(place(end)).await?;
    }
    Ok(match row {
        Some(row) => Some(row.try_get_by_index(0)?),
        None => None,
    })
}

async fn earned<C: ConnectionTrait>(db: &C, after: Uuid, last: Uuid) -> Result<Vec<Earned>> {
    let sql = "SELECT a.deal_id, a.plan_id, a.component, a.partner_id, a.run_id, a.currency, \
         COALESCE(r.value_minor, d.value_minor) AS value_minor, CAST(SUM(a.amount_minor) AS BIGINT) AS amount_minor, \
         COUNT(*) AS lines FROM accrual a JOIN deal d ON d.id = a.deal_id LEFT JOIN attribution_run r ON r.id = a.run_id \
         WHERE a.kind IN ('EARNED', 'HOLDBACK') AND a.deal_id > $1 AND a.deal_id <= $2 \
         GROUP BY a.deal_id, a.plan_id, a.component, a.partner_id, a.run_id, a.currency, r.value_minor, d.value_minor \
         ORDER BY a.deal_id, a.plan_id, a.component, a.partner_id";
    let rows =
        Statement::from_sql_and_values(db.get_database_backend(), sql, [after.into(), last.into()]);
    Ok(Earned::find_by_statement(rows).all(db).await?)
}

async fn credits<C: ConnectionTrait>(db: &C, after: Uuid, last: Uuid) -> Result<Credits> {
    let sql = "SELECT run_id, partner_id, weight FROM attribution_credit WHERE deal_id > $1 AND deal_id <= $2 \
         ORDER BY run_id, position";
    let rows =
        Statement::from_sql_and_values(db.get_database_backend(), sql, [after.into(), last.into()]);
    let mut credits = Credits::new();
    for credit in Credit::find_by_statement(rows).all(db).await? {
        let weight = u64::try_from(credit.weight).unwrap_or_default();
        credits
            .entry(credit.run_id)
            .or_default()
            .push((credit.partner_id, weight));
    }
    Ok(credits)
}

/// What a deal pays beyond its plans, in words; nothing when all is within.
fn excesses(deal: &[Earned], plans: &Plans, credits: &Credits) -> Vec<String> {
    let mut found = Vec::new();
    let mut pools: BTreeMap<(IncentivePlanId, i32), i64> = BTreeMap::new();
    // Of one plan, one kind of component and one partner: what was earned, and what each number would pay by itself.
    type Key<'p> = (Uuid, &'p str, ComponentKind, PartnerId);
    let mut sums: BTreeMap<Key<'_>, (i64, BTreeMap<i32, i64>)> = BTreeMap::new();
    for row in deal {
        let plan = plans.get(&row.plan_id);
        let component = usize::try_from(row.component)
            .ok()
            .and_then(|place| plan?.terms.components.get(place));
        let (Some(plan), Some(component)) = (plan, component) else {
            let what = format!(
                "the plan {} has no component {}",
                row.plan_id, row.component
            );
            found.push(format!("{} {what}", row.deal_id));
            continue;
        };
        let pool = pools.entry((row.plan_id, row.component)).or_default();
        *pool = pool.saturating_add(row.amount_minor);
        let most = part(row, component, credits);
        let key = (
            plan.program_id.uuid(),
            plan.name.as_str(),
            component.kind,
            row.partner_id,
        );
        let (sum, by_number) = sums.entry(key).or_default();
        *sum = sum.saturating_add(row.amount_minor);
        let of_number = by_number.entry(plan.number).or_default();
        *of_number = of_number.saturating_add(most);
    }
    let money = |minor: i64| {
        deal.first()
            .map(|row| row.currency.decimal(minor))
            .unwrap_or_default()
    };
    for ((plan_id, place), sum) in pools {
        let row = deal
            .iter()
            .find(|row| row.plan_id == plan_id && row.component == place);
        let most = row.and_then(|row| Some((row, pool(row, plans)?)));
        if let Some((row, most)) = most.filter(|(_, most)| sum > *most) {
            found.push(format!(
                "{} earned {} of component {place} of {plan_id}, at most {}",
                row.deal_id,
                money(sum),
                money(most)
            ));
        }
    }
    for ((_, name, kind, partner), (sum, by_number)) in sums {
        let most = by_number.values().copied().max().unwrap_or_default();
        let numbers: BTreeSet<String> = by_number.keys().map(ToString::to_string).collect();
        let deal_id = deal.first().map(|row| row.deal_id);
        if let Some(deal_id) = deal_id.filter(|_| sum > most) {
            found.push(format!(
                "{deal_id} pays {partner} {} as {kind:?} of {name:?} under number {}, at most {}",
                money(sum),
                numbers.into_iter().collect::<Vec<_>>().join(" and "),
                money(most)
            ));
        }
    }
    found
}

/// The pool of a component, if it has one: a rebate is compared with the volume it was counted on.
fn pool(row: &Earned, plans: &Plans) -> Option<i64> {
    let plan = plans.get(&row.plan_id)?;
    let component = plan
        .terms
        .components
        .get(usize::try_from(row.component).ok()?)?;
    match component.rebate {
        Some(_) => None,
        None => compute::most(row.value_minor, component).ok(),
    }
}

/// The most that a partner has of a component: its part by the credit where it is divided by that, else all of it. Of a
/// rebate it is what was earned, which makes a second number that counts the deal again too much.
fn part(row: &Earned, component: &Component, credits: &Credits) -> i64 {
    if component.rebate.is_some() {
        return row.amount_minor;
    }
    let Ok(pool) = compute::most(row.value_minor, component) else {
        return 0;
    };
    let credit = row.run_id.and_then(|run| credits.get(&run));
    let Some(credit) = credit.filter(|_| component.kind.payee() == Payee::Credit) else {
        return pool;
    };
    let weights: Vec<u64> = credit.iter().map(|(_, weight)| *weight).collect();
    let Ok(parts) = allocate(pool, &weights) else {
        return 0;
    };
    let of_partner =
        |(credit, _): &(&(Option<PartnerId>, u64), i64)| credit.0 == Some(row.partner_id);
    credit
        .iter()
        .zip(parts)
        .filter(of_partner)
        .map(|(_, part)| part)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        entity::{
            ids::{ProgramId, UserId},
            incentive_plan::PlanStatus,
        },
        incentives::PlanTerms,
        platform::ppm::Ppm,
    };
    use chrono::{DateTime, Utc};

    fn plan(number: i32, percent: i32) -> incentive_plan::Model {
        let at: DateTime<Utc> = "2026-03-01T08:00:00Z".parse().unwrap();
        let component = Component {
            kind: ComponentKind::InfluencePool,
            rate_ppm: Some(Ppm::new(percent * 10_000)),
            flat_minor: None,
            cap_minor: None,
            product_family: None,
            includes_renewals: false,
            rebate: None,
        };
        incentive_plan::Model {
            id: IncentivePlanId::of(Uuid::from_u128(u128::try_from(number).unwrap())),
            program_id: ProgramId::of(Uuid::from_u128(1)),
            name: "P".to_owned(),
            number,
            status: PlanStatus::Active,
            terms: PlanTerms {
                currency: Currency::USD,
                components: vec![component],
                holdback: Default::default(),
                clawback_days: 90,
            },
            currency: Currency::USD,
            effective_from: at,
            effective_to: None,
            created_by: UserId::of(Uuid::from_u128(1)),
            activated_by: None,
            activated_at: None,
            version: 1,
            created_at: at,
            updated_at: at,
        }
    }

    fn earned(number: i32, partner: u128, amount_minor: i64) -> Earned {
        Earned {
            deal_id: DealId::of(Uuid::from_u128(9)),
            plan_id: plan(number, 10).id,
            component: 0,
            partner_id: PartnerId::of(Uuid::from_u128(partner)),
            run_id: Some(Uuid::from_u128(5)),
            currency: Currency::USD,
            value_minor: 100_000,
            amount_minor,
            lines: 1,
        }
    }

    /// Two partners with three quarters and a quarter of the credit.
    fn found(rows: &[Earned]) -> Vec<String> {
        let plans = [plan(1, 10), plan(2, 12)];
        let plans = plans.into_iter().map(|plan| (plan.id, plan)).collect();
        let partner = |id| Some(PartnerId::of(Uuid::from_u128(id)));
        let credit = vec![(partner(1), 3), (partner(2), 1)];
        excesses(rows, &plans, &HashMap::from([(Uuid::from_u128(5), credit)]))
    }

    #[test]
    fn what_the_plan_promises_is_within_it() {
        assert_eq!(found(&[earned(1, 1, 7_500), earned(1, 2, 2_500)]), [""; 0]);
        assert_eq!(found(&[earned(1, 1, 7_400)]), [""; 0]);
    }

    #[test]
    fn a_deal_paid_again_under_another_number_is_found() {
        let found = found(&[earned(1, 1, 7_500), earned(2, 1, 9_000)]);
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .ends_with("165.00 as InfluencePool of \"P\" under number 1 and 2, at most 90.00"),
            "{found:?}"
        );
    }

    #[test]
    fn the_difference_to_a_later_number_is_no_second_payment() {
        assert_eq!(found(&[earned(1, 1, 7_500), earned(2, 1, 1_500)]), [""; 0]);
    }

    #[test]
    fn more_than_a_pool_and_more_than_a_part_of_it_are_found() {
        let of_pool = found(&[earned(1, 1, 7_500), earned(1, 2, 2_501)]);
        assert_eq!(of_pool.len(), 2, "{of_pool:?}");
        let of_part = found(&[earned(1, 2, 2_501)]);
        assert_eq!(of_part.len(), 1, "{of_part:?}");
        assert!(of_part[0].contains("25.01"), "{of_part:?}");
    }
}
