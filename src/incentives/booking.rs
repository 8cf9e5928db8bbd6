//! Commission lines are written, with their ledger entries, and told.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

use super::accrual::Line;
use crate::{
    entity::{
        accrual::{self, AccrualKind},
        deal,
        ids::{AttributionRunId, DealId, DealRefundId, PartnerId, ProgramId},
        incentive_plan,
        ledger_account::LedgerAccountKind,
        ledger_transaction::LedgerTransactionKind,
    },
    error::{Error, Result},
    events::Event,
    ledger::{
        Posting,
        post::{self, NewTransaction},
        rules,
    },
    platform::ids::TypedId,
    tx::Tx,
};

/// Up to so many deals each partner is told of each deal; more are told as a batch.
const TOLD_ONE_BY_ONE: usize = 20;

/// Lines of one deal under one plan, about to be booked.
pub struct Booking<'a> {
    /// The deal.
    pub deal: &'a deal::Model,
    /// The plan.
    pub plan: &'a incentive_plan::Model,
    /// The lines.
    pub lines: Vec<Line<PartnerId>>,
    /// Why there are lines.
    pub origin: Origin,
}

/// Why there are lines.
#[derive(Clone, Copy)]
pub enum Origin {
    /// The deal was won, and this is its credit.
    Win(AttributionRunId),
    /// The customer got money back at this instant.
    Refund(DealRefundId, DateTime<Utc>),
}

/// Writes the lines and posts one transaction per deal and plan.
pub async fn book(tx: &Tx, bookings: &[Booking<'_>]) -> Result<u64> {
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
            kind: LedgerTransactionKind::Commission,
            key: format!("deal:{}:commission:{plan}", deal.id.uuid()),
            subject_type: DealId::PREFIX,
            subject_id: deal.id.uuid(),
            effective_at: won_at(deal)?,
            currency: deal.currency,
            postings,
        },
        Origin::Refund(refund, at) => NewTransaction {
            kind: LedgerTransactionKind::Clawback,
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
    let mut sums: BTreeMap<(LedgerAccountKind, Option<Uuid>), i64> = BTreeMap::new();
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
pub fn tell(tx: &Tx, bookings: &[Booking<'_>]) {
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

/// When a won deal was won.
pub fn won_at(deal: &deal::Model) -> Result<DateTime<Utc>> {
    deal.closed_at
        .ok_or_else(|| Error::internal(format!("the won deal {} has no end", deal.id)))
}
