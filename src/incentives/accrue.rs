//! From credit to commission: the lines of won deals and of refunds, with their ledger entries.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::ActiveEnum;

use super::{
    accrual::Line,
    booking::{Booking, Origin, book, tell, won_at},
    clawback,
    compute::{self, DealFacts},
    plan, store,
    volume::{self, Volumes},
    volume_store,
};
use crate::{
    access::Scope,
    attribution::{
        attribute::{self, Attributed},
        computation::Participant,
        facts::out_of_bounds,
    },
    entity::{
        accrual::{self, AccrualKind},
        deal::{self, DealBusiness},
        deal_participant, deal_refund,
        ids::{DealId, IncentivePlanId, PartnerId, ProgramId},
        incentive_plan,
    },
    error::Result,
    events::Event,
    platform::money::Currency,
    programs::rules,
    tx::Tx,
};

/// Books the commission of attributed deals under the plans in force when each was won: commission lines and
/// ledger entries in the same transaction, in bulk. What is booked already stays as it is: a deal earns once under a
/// plan, whatever the number of the plan. What a refund noted before takes back is taken back at once. Returns the number
/// of lines.
///
/// # Errors
/// The database failed; an amount exceeds the bounds of money.
pub async fn won(tx: &Tx, deals: &[Attributed]) -> Result<u64> {
    let programs: BTreeSet<ProgramId> = deals.iter().map(|won| won.deal.program_id).collect();
    let plans = store::active_plans(tx, &programs).await?;
    if plans.is_empty() {
        return Ok(0);
    }
    let ids: Vec<DealId> = deals.iter().map(|won| won.deal.id).collect();
    let booked = booked_by_name(tx, &ids).await?;
    let families = if plans.iter().any(asks_for_products) {
        store::families_of(tx, &ids).await?
    } else {
        HashMap::new()
    };
    let mut due = Vec::with_capacity(deals.len());
    for won in deals {
        let deal = &won.deal;
        let lacks = |plan: &&incentive_plan::Model| {
            let booked = booked.get(&deal.id);
            booked.is_none_or(|names| !names.contains(&plan.name))
        };
        let paying = paying(&plans, deal.program_id, deal.currency, won_at(deal)?);
        let plans: Vec<_> = paying.into_iter().filter(lacks).collect();
        if !plans.is_empty() {
            due.push((won, deal_facts(won, families.get(&won.deal.id))?, plans));
        }
    }
    let mut keys = BTreeSet::new();
    for (_, facts, plans) in &due {
        for plan in plans {
            let counted = volume::counted(plan, facts);
            keys.extend(counted.iter().map(|counted| counted.key));
        }
    }
    let mut volumes = Volumes::hold(tx, keys).await?;
    let mut bookings = Vec::new();
    for (won, facts, plans) in &due {
        for plan in plans {
            let counted = volume::counted(plan, facts);
            let lines = compute::lines(facts, &plan.terms, &volumes.before(&counted));
            for counted in &counted {
                volumes.add(tx, counted, (won.deal.id, None), won.deal.value_minor)?;
            }
            let lines = lines.map_err(out_of_bounds)?;
            if !lines.is_empty() {
                bookings.push(Booking {
                    deal: &won.deal,
                    plan,
                    lines,
                    origin: Origin::Win(won.run.id),
                });
            }
        }
    }
    volumes.save(tx).await?;
    let lines = book(tx, &bookings).await?;
    tell(tx, &bookings);
    let refunded = due
        .iter()
        .map(|(won, _, _)| &won.deal)
        .filter(|deal| deal.refunded_minor > 0);
    let mut taken_back = 0;
    for deal in refunded {
        if let Some(last) = store::refunds(tx, deal.id).await?.last() {
            taken_back += self::refunded(tx, deal, last).await?;
        }
    }
    Ok(lines + taken_back)
}

/// Takes commission back after a refund inside the plan's window, and from rebates after any refund: negative lines
/// and ledger entries. `deal` carries `refunded_minor` with this refund included. Returns the number of lines.
///
/// # Errors
/// The database failed.
pub async fn refunded(tx: &Tx, deal: &deal::Model, refund: &deal_refund::Model) -> Result<u64> {
    let rows = in_order_of_booking(tx, store::accruals(tx, Scope::All, &[deal.id]).await?).await?;
    let entries = volume_store::entries(tx, &[deal.id]).await?;
    let plan_ids: BTreeSet<IncentivePlanId> = rows
        .iter()
        .map(|row| row.plan_id)
        .chain(entries.iter().map(|entry| entry.plan_id))
        .collect();
    let plans = store::plans_by_id(tx, Scope::All, &Vec::from_iter(plan_ids)).await?;
    let refunds = store::refunds(tx, deal.id).await?;
    let refunds: Vec<_> = refunds
        .iter()
        .map(|row| clawback::Refund {
            at: row.refunded_at,
            amount_minor: row.amount_minor,
        })
        .collect();
    let zone = rules::zone_of(tx, deal.program_version_id).await?;
    let mut rebates = volume::refunded(tx, deal, refund, &plans, &entries).await?;
    let mut bookings = Vec::new();
    for plan in &plans {
        let facts = clawback::Refunded {
            value_minor: deal.value_minor,
            won_at: won_at(deal)?,
            zone,
            clawback_days: plan.terms.clawback_days,
            refunds: refunds.clone(),
        };
        let booked = booked_rows(&rows, plan);
        let mut lines =
            clawback::lines(&booked, &facts, refund.refunded_at).map_err(out_of_bounds)?;
        lines.extend(rebates.remove(&plan.id).unwrap_or_default());
        let lines = clawback::held_first(lines, |line| still_held(&rows, plan, line));
        if !lines.is_empty() {
            bookings.push(Booking {
                deal,
                plan,
                lines,
                origin: Origin::Refund(refund.id, refund.refunded_at),
            });
        }
    }
    let lines = book(tx, &bookings).await?;
    let partners: BTreeSet<PartnerId> = bookings
        .iter()
        .flat_map(|booking| booking.lines.iter().map(|line| line.partner))
        .collect();
    for partner_id in partners {
        tx.record(Event::CommissionClawedBack {
            deal_id: deal.id,
            partner_id,
            refund_id: refund.id,
        });
    }
    Ok(lines)
}

/// The plans that pay for a deal of a programme in a currency that was won at an instant: of the numbers of a plan that
/// cover it the latest only.
pub(super) fn paying(
    plans: &[incentive_plan::Model],
    program: ProgramId,
    currency: Currency,
    at: DateTime<Utc>,
) -> Vec<&incentive_plan::Model> {
    let pays = |plan: &&incentive_plan::Model| {
        plan.program_id == program && plan.currency == currency && covers(plan, at)
    };
    let mut latest: BTreeMap<&str, i32> = BTreeMap::new();
    for plan in plans.iter().filter(pays) {
        let number = latest.entry(&plan.name).or_insert(plan.number);
        *number = plan.number.max(*number);
    }
    plans
        .iter()
        .filter(pays)
        .filter(|plan| latest.get(plan.name.as_str()) == Some(&plan.number))
        .collect()
}

/// Whether a plan covers an instant.
pub(super) fn covers(plan: &incentive_plan::Model, at: DateTime<Utc>) -> bool {
    plan::range(plan).contains(at)
}

/// The names of the plans under which deals earned, or counted for a rebate. A deal is of one programme, so a name is
/// one plan.
async fn booked_by_name(tx: &Tx, deals: &[DealId]) -> Result<HashMap<DealId, HashSet<String>>> {
    let booked = store::booked(tx, deals).await?;
    let ids: BTreeSet<IncentivePlanId> = booked.iter().map(|(_, plan)| *plan).collect();
    let plans = store::plans_by_id(tx, Scope::All, &Vec::from_iter(ids)).await?;
    let names: HashMap<IncentivePlanId, String> =
        plans.into_iter().map(|plan| (plan.id, plan.name)).collect();
    let mut by_name: HashMap<DealId, HashSet<String>> = HashMap::new();
    for (deal, plan) in booked {
        let name = names.get(&plan).cloned();
        by_name.entry(deal).or_default().extend(name);
    }
    Ok(by_name)
}

pub(super) fn asks_for_products(plan: &incentive_plan::Model) -> bool {
    plan.terms
        .components
        .iter()
        .any(|component| component.product_family.is_some())
}

pub(super) fn deal_facts(
    won: &Attributed,
    families: Option<&BTreeSet<String>>,
) -> Result<DealFacts<PartnerId>> {
    Ok(DealFacts {
        value_minor: won.deal.value_minor,
        currency: won.deal.currency,
        won_at: won_at(&won.deal)?,
        zone: won.zone,
        is_renewal: won.deal.business == DealBusiness::Renewal,
        leader: won.deal.partner_id,
        participants: participants(&won.participants),
        credits: attribute::weights(&won.credits),
        product_families: families.cloned().unwrap_or_default(),
    })
}

pub(super) fn participants(rows: &[deal_participant::Model]) -> Vec<Participant<PartnerId>> {
    let participant = |row: &deal_participant::Model| {
        Some(Participant {
            partner: row.partner_id,
            role: row.role.to_value(),
            accepted_at: row.accepted_at?,
        })
    };
    rows.iter().filter_map(participant).collect()
}

/// Lines in the order in which they were computed. Rows of one unit of work share their instant, so it is read from
/// the credit that they were computed from; clawbacks follow what they take back.
async fn in_order_of_booking(
    tx: &Tx,
    mut rows: Vec<accrual::Model>,
) -> Result<Vec<accrual::Model>> {
    let runs: BTreeSet<_> = rows.iter().filter_map(|row| row.run_id).collect();
    let credits = store::places(tx, &runs).await?;
    let place = |row: &accrual::Model| {
        let credit = row
            .run_id
            .and_then(|run| credits.get(&(run, row.partner_id)));
        credit.map_or(i32::MAX, |credit| credit.position)
    };
    rows.sort_by_key(|row| (row.kind, row.component, place(row), row.partner_id));
    Ok(rows)
}

/// What the deal still has held of the component and for the partner of a line: its holdback, unless a payout took it,
/// less what refunds took of it before.
fn still_held(
    rows: &[accrual::Model],
    plan: &incentive_plan::Model,
    line: &Line<PartnerId>,
) -> Option<clawback::Held> {
    let own = |row: &&accrual::Model| {
        row.plan_id == plan.id
            && usize::try_from(row.component) == Ok(line.component)
            && row.partner_id == line.partner
    };
    let holdback = rows
        .iter()
        .filter(own)
        .find(|row| row.kind == AccrualKind::Holdback && row.payout_id.is_none())?;
    let until = holdback.available_at;
    let taken = rows
        .iter()
        .filter(own)
        .filter(|row| row.kind == AccrualKind::Clawback && row.available_at == until)
        .fold(0_i64, |sum, row| sum.saturating_add(row.amount_minor));
    Some(clawback::Held {
        left_minor: holdback.amount_minor.saturating_add(taken).max(0),
        until,
    })
}

/// What each partner has from each component of a plan, in the order of booking; rebates follow volumes instead.
fn booked_rows(
    rows: &[accrual::Model],
    plan: &incentive_plan::Model,
) -> Vec<clawback::Booked<PartnerId>> {
    let mut booked: Vec<clawback::Booked<PartnerId>> = Vec::new();
    let components = &plan.terms.components;
    for row in rows.iter().filter(|row| row.plan_id == plan.id) {
        let component = usize::try_from(row.component).unwrap_or_default();
        if components
            .get(component)
            .is_some_and(|component| component.rebate.is_some())
        {
            continue;
        }
        let known = booked
            .iter()
            .position(|known| known.component == component && known.partner == row.partner_id);
        let place = known.unwrap_or(booked.len());
        if known.is_none() {
            booked.push(clawback::Booked {
                component,
                partner: row.partner_id,
                earned_minor: 0,
                clawed_back_minor: 0,
                weight: u64::try_from(row.weight).unwrap_or_default(),
                pool_minor: row.pool_minor,
            });
        }
        match row.kind {
            AccrualKind::Earned | AccrualKind::Holdback => {
                booked[place].earned_minor += row.amount_minor
            }
            AccrualKind::Clawback => booked[place].clawed_back_minor -= row.amount_minor,
        }
    }
    booked
}
