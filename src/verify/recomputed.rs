//! What deals earned is computed again, by the rules that booked it, from the facts as they are stored: the deal, its
//! credit, its participants and products, its refunds, the plan, and the volume before it.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Finding;
use crate::{
    entity::{
        accrual::{self, AccrualKind},
        attribution_run,
        ids::{DealId, IncentivePlanId, PartnerId},
        incentive_plan,
    },
    error::Result,
    incentives::{
        accrual::Line,
        recompute::{self, Won},
    },
    platform::ids::TypedId,
};

/// What is promised.
pub(super) const PROMISE: &str =
    "every deal with credit earned and gave back exactly what its plans and its credit say";

/// Deals looked at together.
const CHUNK: u64 = 500;

type Plans = HashMap<IncentivePlanId, incentive_plan::Model>;

pub(super) async fn equal<C: ConnectionTrait>(db: &C) -> Result<Finding> {
    use attribution_run::Column;
    let mut finding = Finding::new(PROMISE, 0);
    let all = incentive_plan::Entity::find().all(db).await?;
    let plans: Plans = all.iter().map(|plan| (plan.id, plan.clone())).collect();
    let mut after = DealId::of(uuid::Uuid::nil());
    loop {
        let deals: Vec<DealId> = attribution_run::Entity::find()
            .select_only()
            .column(Column::DealId)
            .filter(Column::Official.eq(true))
            .filter(Column::SupersededAt.is_null())
            .filter(Column::DealId.gt(after))
            .order_by_asc(Column::DealId)
            .limit(CHUNK)
            .into_tuple()
            .all(db)
            .await?;
        let Some(last) = deals.last() else {
            return Ok(finding);
        };
        after = *last;
        for won in recompute::won(db, &deals).await? {
            finding.rows += 1;
            for difference in differences(&won, &all, &plans) {
                finding.name(format!("{} {difference}", won.attributed.deal.id));
            }
        }
    }
}

fn differences(won: &Won, all: &[incentive_plan::Model], plans: &Plans) -> Vec<String> {
    let mut found = Vec::new();
    let mut booked: Vec<IncentivePlanId> = won
        .lines
        .iter()
        .map(|row| row.plan_id)
        .chain(won.volumes.iter().map(|row| row.plan_id))
        .collect();
    booked.sort_unstable();
    booked.dedup();
    let booked: Vec<&incentive_plan::Model> =
        booked.iter().filter_map(|id| plans.get(id)).collect();
    for plan in &booked {
        found.extend(of_plan(won, plan));
        found.extend(taken_back(won, plan));
        found.extend(counted(won, plan));
    }
    let is_booked = |plan: &&incentive_plan::Model| {
        booked
            .iter()
            .any(|one| one.name == plan.name && won.is_booked(one))
    };
    for plan in won.promised(all) {
        let lines = won.due(plan).map(|(lines, _)| lines).unwrap_or_default();
        if !lines.is_empty() && !is_booked(&plan) {
            found.push(format!("earned nothing under {}", plan.id));
        }
    }
    found
}

/// What makes one line another: all that decides who gets how much, and when.
type Said = (usize, PartnerId, AccrualKind, i64, u64, i64, i64);

fn of_plan(won: &Won, plan: &incentive_plan::Model) -> Option<String> {
    let (due, unknown) = match won.due(plan) {
        Ok(due) => due,
        Err(error) => return Some(format!("cannot earn under {}: {error}", plan.id)),
    };
    let booked = won
        .earned(plan)
        .filter(|row| {
            !usize::try_from(row.component).is_ok_and(|component| unknown.contains(&component))
        })
        .map(said_by_row);
    first_difference(due.iter().map(said_by_line), booked)
        .map(|difference| format!("under {}: {difference}", plan.id))
}

fn said_by_line(line: &Line<PartnerId>) -> Said {
    (
        line.component,
        line.partner,
        line.kind,
        line.amount_minor,
        line.weight,
        line.pool_minor,
        line.available_at.timestamp_micros(),
    )
}

/// A component or a weight below nothing is none that a plan has.
fn said_by_row(row: &accrual::Model) -> Said {
    (
        usize::try_from(row.component).unwrap_or(usize::MAX),
        row.partner_id,
        row.kind,
        row.amount_minor,
        u64::try_from(row.weight).unwrap_or(u64::MAX),
        row.pool_minor,
        row.available_at.timestamp_micros(),
    )
}

/// The first line that is only in one of both, in words.
fn first_difference(
    due: impl Iterator<Item = Said>,
    booked: impl Iterator<Item = Said>,
) -> Option<String> {
    let mut sums: BTreeMap<Said, i32> = BTreeMap::new();
    for line in due {
        *sums.entry(line).or_default() += 1;
    }
    for line in booked {
        *sums.entry(line).or_default() -= 1;
    }
    let mut differing = sums.iter().filter(|(_, sum)| **sum != 0);
    let (line, sum) = differing.next()?;
    let (component, partner, kind, amount, ..) = line;
    let what = format!("{kind:?} of {amount} minor units of component {component} for {partner}");
    // A line that differs is in both, as it is and as it should be.
    let other = differing.find(|(other, of)| {
        (other.0, other.1, other.2) == (*component, *partner, *kind) && (**of > 0) != (*sum > 0)
    });
    Some(match (*sum > 0, other) {
        (true, Some((booked, _))) => format!("{what} is due, {} are booked", booked.3),
        (false, Some((due, _))) => format!("{what} is booked, {} are due", due.3),
        (true, None) => format!("{what} is due and not booked"),
        (false, None) => format!("{what} is booked and not due"),
    })
}

/// What refunds take back of a component is what they take, whatever their order, and no partner gives more than it got.
fn taken_back(won: &Won, plan: &incentive_plan::Model) -> Vec<String> {
    let due = match won.to_take_back(plan) {
        Ok(due) => due,
        Err(error) => return vec![format!("cannot give back under {}: {error}", plan.id)],
    };
    let is_rebate = |component: usize| {
        let terms = plan.terms.components.get(component);
        terms.is_some_and(|component| component.rebate.is_some())
    };
    let mut sums: BTreeMap<usize, i64> = BTreeMap::new();
    let mut left: BTreeMap<(usize, PartnerId), i64> = BTreeMap::new();
    for row in won.lines.iter().filter(|row| row.plan_id == plan.id) {
        let component = usize::try_from(row.component).unwrap_or(usize::MAX);
        if is_rebate(component) {
            continue;
        }
        let of_partner = left.entry((component, row.partner_id)).or_default();
        *of_partner = of_partner.saturating_add(row.amount_minor);
        if row.kind == AccrualKind::Clawback {
            let sum = sums.entry(component).or_default();
            *sum = sum.saturating_sub(row.amount_minor);
        }
    }
    let mut found = Vec::new();
    let components: std::collections::BTreeSet<usize> =
        due.keys().chain(sums.keys()).copied().collect();
    for component in components {
        let of = |sums: &BTreeMap<usize, i64>| sums.get(&component).copied().unwrap_or_default();
        if of(&due) != of(&sums) {
            found.push(format!(
                "gave back {} minor units of component {component} of {}, not {}",
                of(&sums),
                plan.id,
                of(&due)
            ));
        }
    }
    for ((component, partner), left) in left {
        if left < 0 {
            found.push(format!(
                "took back more than {partner} earned of component {component} of {}",
                plan.id
            ));
        }
    }
    found
}

/// What each entry of a rebate says follows from the volume before it.
fn counted(won: &Won, plan: &incentive_plan::Model) -> Option<String> {
    won.volumes
        .iter()
        .filter(|row| row.plan_id == plan.id)
        .find_map(|row| {
            let component = usize::try_from(row.component).ok();
            let component = component.and_then(|place| plan.terms.components.get(place));
            let rebate = component.and_then(|component| component.rebate.as_ref());
            let cap = component.and_then(|component| component.cap_minor);
            let after =
                rebate.map(|rebate| rebate.after(recompute::before(row), row.volume_minor, cap));
            let is_so = after.is_some_and(|after| {
                after.is_ok_and(|after| {
                    (after.volume_minor, after.rebate_minor)
                        == (row.volume_after_minor, row.rebate_after_minor)
                })
            });
            (!is_so).then(|| {
                format!(
                    "counts a rebate of {} minor units in {}, which its tiers do not give",
                    row.rebate_minor, row.id
                )
            })
        })
}
