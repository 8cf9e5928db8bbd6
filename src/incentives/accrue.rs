//! From credit to commission: the lines of won deals and of refunds, with their ledger entries.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{ActiveEnum, ActiveValue::Set};
use uuid::Uuid;

pub use super::batch::{Report, catch_up, run};
use super::{
    AccrualKind,
    accrual::Line,
    clawback,
    compute::{self, DealFacts},
    store,
};
use crate::{
    attribution::{
        attribute::{self, Attributed},
        facts::out_of_bounds,
        models::Participant,
    },
    entity::{
        accrual, deal, deal_participant, deal_refund,
        ids::{AttributionRunId, DealId, DealRefundId, IncentivePlanId, PartnerId, ProgramId},
        incentive_plan,
    },
    error::{Error, Result},
    events::Event,
    identity::Scope,
    ledger::{
        AccountKind, Posting, TransactionKind,
        post::{self, NewTransaction},
        rules,
    },
    platform::ids::TypedId,
    tx::Tx,
};

/// Up to so many deals each partner is told of each deal; more are told as a batch.
const TOLD_ONE_BY_ONE: usize = 20;

/// Books the commission of attributed deals under the plans in force when each was won: commission lines and
/// ledger entries in the same transaction, in bulk. What is booked already stays as it is. What a refund noted before
/// takes back is taken back at once. Returns the number of lines.
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
    let booked = store::booked(tx, &ids).await?;
    let families = if plans.iter().any(asks_for_products) {
        store::families_of(tx, &ids).await?
    } else {
        HashMap::new()
    };
    let mut bookings = Vec::new();
    for won in deals {
        let mut facts = None;
        for plan in plans
            .iter()
            .filter(|plan| pays(plan, &won.deal) && !booked.contains(&(won.deal.id, plan.id)))
        {
            let facts = match &mut facts {
                Some(facts) => &*facts,
                None => &*facts.insert(deal_facts(won, families.get(&won.deal.id))?),
            };
            let lines = compute::lines(facts, &plan.terms).map_err(out_of_bounds)?;
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
    let lines = book(tx, &bookings).await?;
    tell(tx, &bookings);
    let refunded: BTreeMap<DealId, &deal::Model> = bookings
        .iter()
        .filter(|booking| booking.deal.refunded_minor > 0)
        .map(|booking| (booking.deal.id, booking.deal))
        .collect();
    let mut taken_back = 0;
    for deal in refunded.into_values() {
        if let Some(last) = store::refunds(tx, deal.id).await?.last() {
            taken_back += self::refunded(tx, deal, last).await?;
        }
    }
    Ok(lines + taken_back)
}

/// Takes commission back after a refund inside the plan's window: negative lines and ledger entries. `deal`
/// carries `refunded_minor` with this refund included. Returns the number of lines.
///
/// # Errors
/// The database failed.
pub async fn refunded(tx: &Tx, deal: &deal::Model, refund: &deal_refund::Model) -> Result<u64> {
    let rows = in_order_of_booking(tx, store::accruals(tx, Scope::All, &[deal.id]).await?).await?;
    let plan_ids: BTreeSet<IncentivePlanId> = rows.iter().map(|row| row.plan_id).collect();
    let plans = store::plans_by_id(tx, Scope::All, &Vec::from_iter(plan_ids)).await?;
    let refunds = store::refunds(tx, deal.id).await?;
    let refunds: Vec<_> = refunds
        .iter()
        .map(|row| clawback::Refund {
            at: row.refunded_at,
            amount_minor: row.amount_minor,
        })
        .collect();
    let mut bookings = Vec::new();
    for plan in &plans {
        let facts = clawback::Refunded {
            value_minor: deal.value_minor,
            won_at: won_at(deal)?,
            clawback_days: plan.terms.clawback_days,
            refunds: refunds.clone(),
        };
        let lines = clawback::lines(&booked_rows(&rows, plan.id), &facts, tx.now())
            .map_err(out_of_bounds)?;
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

/// Lines of one deal under one plan, about to be booked.
struct Booking<'a> {
    deal: &'a deal::Model,
    plan: &'a incentive_plan::Model,
    lines: Vec<Line<PartnerId>>,
    origin: Origin,
}

/// Why there are lines.
#[derive(Clone, Copy)]
enum Origin {
    /// The deal was won, and this is its credit.
    Win(AttributionRunId),
    /// The customer got money back at this instant.
    Refund(DealRefundId, DateTime<Utc>),
}

/// Writes the lines and posts one transaction per deal and plan.
async fn book(tx: &Tx, bookings: &[Booking<'_>]) -> Result<u64> {
    let mut rows = Vec::new();
    let mut transactions = Vec::with_capacity(bookings.len());
    for booking in bookings {
        for line in &booking.lines {
            rows.push(row(tx, booking, line)?);
        }
        transactions.push(transaction(booking)?);
    }
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    tx.insert_all(rows).await?;
    post::post(tx, transactions).await?;
    Ok(count)
}

fn row(tx: &Tx, booking: &Booking<'_>, line: &Line<PartnerId>) -> Result<accrual::ActiveModel> {
    let fault = |error: std::num::TryFromIntError| Error::Internal(Box::new(error));
    let (run_id, refund_id, earned_at) = match booking.origin {
        Origin::Win(run) => (Some(run), None, won_at(booking.deal)?),
        Origin::Refund(refund, at) => (None, Some(refund), at),
    };
    Ok(accrual::ActiveModel {
        id: Set(tx.id()),
        deal_id: Set(booking.deal.id),
        plan_id: Set(booking.plan.id),
        component: Set(i32::try_from(line.component).map_err(fault)?),
        partner_id: Set(line.partner),
        program_id: Set(booking.deal.program_id),
        kind: Set(line.kind),
        amount_minor: Set(line.amount_minor),
        currency: Set(booking.deal.currency),
        weight: Set(i64::try_from(line.weight).map_err(fault)?),
        pool_minor: Set(line.pool_minor),
        run_id: Set(run_id),
        refund_id: Set(refund_id),
        earned_at: Set(earned_at),
        available_at: Set(line.available_at),
        payout_id: Set(None),
        created_at: Set(tx.now()),
    })
}

fn transaction(booking: &Booking<'_>) -> Result<NewTransaction> {
    let (deal, plan) = (booking.deal, booking.plan.id.uuid());
    let postings = postings(&booking.lines)?;
    Ok(match booking.origin {
        Origin::Win(_) => NewTransaction {
            kind: TransactionKind::Commission,
            key: format!("deal:{}:commission:{plan}", deal.id.uuid()),
            subject_type: DealId::PREFIX,
            subject_id: deal.id.uuid(),
            effective_at: won_at(deal)?,
            currency: deal.currency,
            postings,
        },
        Origin::Refund(refund, at) => NewTransaction {
            kind: TransactionKind::Clawback,
            key: format!("refund:{}:clawback:{plan}", refund.uuid()),
            subject_type: DealRefundId::PREFIX,
            subject_id: refund.uuid(),
            effective_at: at,
            currency: deal.currency,
            postings,
        },
    })
}

/// The entries of lines, one per account.
fn postings(lines: &[Line<PartnerId>]) -> Result<Vec<Posting>> {
    let mut sums: BTreeMap<(AccountKind, Option<Uuid>), i64> = BTreeMap::new();
    for line in lines {
        let partner = line.partner.uuid();
        let entries = match line.kind {
            AccrualKind::Earned => rules::won(partner, line.amount_minor, 0),
            AccrualKind::Holdback => rules::won(partner, 0, line.amount_minor),
            AccrualKind::Clawback => {
                rules::clawed_back(partner, line.amount_minor.saturating_neg())
            }
        };
        for entry in entries.map_err(|error| Error::Internal(Box::new(error)))? {
            let sum = sums.entry((entry.account, entry.owner)).or_default();
            *sum = sum
                .checked_add(entry.amount_minor)
                .ok_or_else(|| Error::internal("an entry is out of range"))?;
        }
    }
    Ok(sums
        .into_iter()
        .map(|((account, owner), amount_minor)| Posting {
            account,
            owner,
            amount_minor,
        })
        .collect())
}

/// What partners and the audit trail hear of a booking.
fn tell(tx: &Tx, bookings: &[Booking<'_>]) {
    let deals: BTreeSet<DealId> = bookings.iter().map(|booking| booking.deal.id).collect();
    if deals.len() <= TOLD_ONE_BY_ONE {
        let told: BTreeSet<(DealId, PartnerId)> = bookings
            .iter()
            .flat_map(|booking| {
                booking
                    .lines
                    .iter()
                    .map(|line| (booking.deal.id, line.partner))
            })
            .collect();
        for (deal_id, partner_id) in told {
            tx.record(Event::CommissionAccrued {
                deal_id,
                partner_id,
            });
        }
        return;
    }
    let mut batches: BTreeMap<ProgramId, (BTreeSet<DealId>, u64)> = BTreeMap::new();
    for booking in bookings {
        let batch = batches.entry(booking.deal.program_id).or_default();
        batch.0.insert(booking.deal.id);
        batch.1 += u64::try_from(booking.lines.len()).unwrap_or(u64::MAX);
    }
    for (program_id, (deals, lines)) in batches {
        let deals = u64::try_from(deals.len()).unwrap_or(u64::MAX);
        tx.record(Event::CommissionBatch {
            program_id,
            deals,
            lines,
        });
    }
}

/// Whether a plan pays for a deal: its programme, its currency, and in force when the deal was won.
fn pays(plan: &incentive_plan::Model, deal: &deal::Model) -> bool {
    let applies = plan.program_id == deal.program_id && plan.currency == deal.currency;
    applies && deal.closed_at.is_some_and(|at| in_force(plan, at))
}

/// Whether a plan covers an instant.
pub(super) fn in_force(plan: &incentive_plan::Model, at: DateTime<Utc>) -> bool {
    plan.effective_from <= at && plan.effective_to.is_none_or(|until| at < until)
}

fn asks_for_products(plan: &incentive_plan::Model) -> bool {
    plan.terms
        .components
        .iter()
        .any(|component| component.product_family.is_some())
}

fn deal_facts(
    won: &Attributed,
    families: Option<&BTreeSet<String>>,
) -> Result<DealFacts<PartnerId>> {
    Ok(DealFacts {
        value_minor: won.deal.value_minor,
        currency: won.deal.currency,
        won_at: won_at(&won.deal)?,
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

fn won_at(deal: &deal::Model) -> Result<DateTime<Utc>> {
    deal.closed_at
        .ok_or_else(|| Error::internal(format!("the won deal {} has no end", deal.id)))
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

/// What each partner has from each component of a plan, in the order of booking.
fn booked_rows(rows: &[accrual::Model], plan: IncentivePlanId) -> Vec<clawback::Booked<PartnerId>> {
    let mut booked: Vec<clawback::Booked<PartnerId>> = Vec::new();
    for row in rows.iter().filter(|row| row.plan_id == plan) {
        let component = usize::try_from(row.component).unwrap_or_default();
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
