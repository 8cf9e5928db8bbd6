//! The volume behind a rebate, brought forward from deal to deal and from refund to refund.
//!
//! One row holds what a partner sold under a component of a plan in a period. Whoever books takes the rows it needs in
//! the order of their keys and holds them until its unit of work ends, so two deals won at once count one after the
//! other. Each number of a plan counts for itself: what was sold under the number before it is not brought over.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait, IntoActiveModel};

use super::{
    accrual::Line,
    compute::{self, DealFacts},
    rebate::{Rebate, Volume},
    volume_store::{self, Key},
};
use crate::{
    entity::{
        accrual::AccrualKind,
        deal, deal_refund,
        ids::{DealId, DealRefundId, IncentivePlanId, PartnerId},
        incentive_plan, rebate_entry,
    },
    error::{Code, Error, Refusal, Result},
    platform::{calendar, money::MAX_SUM},
    tx::Tx,
};

/// A volume that a deal counts towards, and the promise on it.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'p> {
    /// Which volume.
    pub key: Key,
    place: usize,
    rebate: &'p Rebate,
    cap_minor: Option<i64>,
}

/// The volumes that a deal counts towards under a plan, by component: those of its partner of record in the period in
/// which it was won.
pub fn counted<'p>(
    plan: &'p incentive_plan::Model,
    deal: &DealFacts<PartnerId>,
) -> Vec<Counted<'p>> {
    of_partner(plan, deal, compute::of_record(deal))
}

/// The same for a partner of record that is known otherwise.
pub fn of_partner<'p, K>(
    plan: &'p incentive_plan::Model,
    deal: &DealFacts<K>,
    partner: Option<PartnerId>,
) -> Vec<Counted<'p>> {
    let Some(partner) = partner.filter(|_| deal.value_minor > 0) else {
        return Vec::new();
    };
    let components = plan.terms.components.iter().enumerate();
    components
        .filter(|(_, component)| component.pays_for(deal.is_renewal))
        .filter_map(|(place, component)| {
            let rebate = component.rebate.as_ref()?;
            let key = Key {
                plan: plan.id,
                component: i32::try_from(place).ok()?,
                partner,
                period_start: rebate
                    .period
                    .start(calendar::day_of(deal.zone, deal.won_at)),
            };
            Some(Counted {
                key,
                place,
                rebate,
                cap_minor: component.cap_minor,
            })
        })
        .collect()
}

/// Volumes that a unit of work holds.
#[derive(Debug, Default)]
pub struct Volumes {
    now: BTreeMap<Key, Volume>,
    entries: Vec<rebate_entry::Model>,
}

impl Volumes {
    /// Takes hold of volumes; those that are not there yet begin with nothing.
    ///
    /// # Errors
    /// The database failed.
    pub async fn hold(tx: &Tx, keys: BTreeSet<Key>) -> Result<Self> {
        let keys: Vec<Key> = keys.into_iter().collect();
        volume_store::open(tx, &keys).await?;
        let rows = volume_store::lock(tx, &keys).await?;
        Ok(Self {
            now: rows.into_iter().map(known).collect(),
            entries: Vec::new(),
        })
    }

    /// The volumes before a deal, by component.
    pub fn before(&self, counted: &[Counted<'_>]) -> compute::Volumes {
        let volume = |counted: &Counted<'_>| Some((counted.place, *self.now.get(&counted.key)?));
        counted.iter().filter_map(volume).collect()
    }

    /// Adds a won deal, or takes off a refund, and returns the volume before and after.
    ///
    /// # Errors
    /// An amount exceeds the bounds of money.
    pub fn add(
        &mut self,
        tx: &Tx,
        counted: &Counted<'_>,
        (deal_id, refund_id): (DealId, Option<DealRefundId>),
        added_minor: i64,
    ) -> Result<(Volume, Volume)> {
        let key = counted.key;
        let now = self
            .now
            .get_mut(&key)
            .ok_or_else(|| Error::internal("a volume is not held"))?;
        let before = *now;
        let after = counted.rebate.after(before, added_minor, counted.cap_minor);
        *now = after.map_err(|_| beyond_the_bound(key))?;
        self.entries.push(rebate_entry::Model {
            id: tx.id(),
            plan_id: key.plan,
            component: key.component,
            partner_id: key.partner,
            period_start: key.period_start,
            deal_id,
            refund_id,
            volume_minor: added_minor,
            rebate_minor: now.rebate_minor - before.rebate_minor,
            volume_after_minor: now.volume_minor,
            rebate_after_minor: now.rebate_minor,
            created_at: tx.now(),
        });
        Ok((before, *now))
    }

    /// Writes what was added.
    ///
    /// # Errors
    /// The database failed.
    pub async fn save(self, tx: &Tx) -> Result<()> {
        let touched: BTreeSet<Key> = self.entries.iter().map(key_of).collect();
        let volumes: Vec<(Key, Volume)> = self
            .now
            .into_iter()
            .filter(|(key, _)| touched.contains(key))
            .collect();
        volume_store::save(tx, &volumes).await?;
        let entries = self.entries.into_iter();
        tx.insert_all(entries.map(IntoActiveModel::into_active_model))
            .await
    }
}

fn beyond_the_bound(key: Key) -> Error {
    Refusal::new(
        Code::LimitReached,
        format!(
            "The rebate volume of the partner {} in the period from {} cannot exceed {MAX_SUM} minor units.",
            key.partner, key.period_start
        ),
    )
    .into()
}

/// The volumes before a deal as they stand, or stood before it was counted, for looking ahead.
///
/// # Errors
/// The database failed.
pub async fn look<C: ConnectionTrait>(
    db: &C,
    counted: &[Counted<'_>],
    deal: Option<DealId>,
) -> Result<compute::Volumes> {
    if counted.is_empty() {
        return Ok(compute::Volumes::new());
    }
    let keys: Vec<Key> = counted.iter().map(|counted| counted.key).collect();
    let rows = volume_store::find(db, &keys).await?;
    let mut volumes: BTreeMap<Key, Volume> = rows.into_iter().map(known).collect();
    if let Some(deal) = deal {
        for entry in volume_store::entries(db, &[deal]).await? {
            if entry.refund_id.is_none() {
                let before = Volume {
                    volume_minor: entry.volume_after_minor - entry.volume_minor,
                    rebate_minor: entry.rebate_after_minor - entry.rebate_minor,
                };
                volumes.insert(key_of(&entry), before);
            }
        }
    }
    let volume = |counted: &Counted<'_>| Some((counted.place, *volumes.get(&counted.key)?));
    Ok(counted.iter().filter_map(volume).collect())
}

/// Takes a refund off the volumes that its deal counts towards; returns the lines that take back what the rebates are
/// then too high by, by plan. `entries` are those of the deal, `plans` those that they name.
///
/// # Errors
/// The database failed.
pub async fn refunded(
    tx: &Tx,
    deal: &deal::Model,
    refund: &deal_refund::Model,
    plans: &[incentive_plan::Model],
    entries: &[rebate_entry::Model],
) -> Result<BTreeMap<IncentivePlanId, Vec<Line<PartnerId>>>> {
    let mut counts: BTreeMap<Key, i64> = BTreeMap::new();
    for entry in entries {
        *counts.entry(key_of(entry)).or_default() += entry.volume_minor;
    }
    let left = deal.value_minor - deal.refunded_minor;
    counts.retain(|_, counted| *counted > left);
    if counts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut volumes = Volumes::hold(tx, counts.keys().copied().collect()).await?;
    let mut lines: BTreeMap<IncentivePlanId, Vec<Line<PartnerId>>> = BTreeMap::new();
    for (key, counts) in counts {
        let Some(counted) = promise(plans, key) else {
            return Err(Error::internal("a volume has no rebate"));
        };
        let off = (deal.id, Some(refund.id));
        let (before, after) = volumes.add(tx, &counted, off, left - counts)?;
        let amount_minor = after.rebate_minor - before.rebate_minor;
        if amount_minor != 0 {
            lines.entry(key.plan).or_default().push(Line {
                component: counted.place,
                partner: key.partner,
                kind: AccrualKind::Clawback,
                amount_minor,
                weight: 1,
                pool_minor: after.rebate_minor,
                available_at: refund.refunded_at,
            });
        }
    }
    volumes.save(tx).await?;
    Ok(lines)
}

fn promise(plans: &[incentive_plan::Model], key: Key) -> Option<Counted<'_>> {
    let plan = plans.iter().find(|plan| plan.id == key.plan)?;
    let place = usize::try_from(key.component).ok()?;
    let component = plan.terms.components.get(place)?;
    Some(Counted {
        key,
        place,
        rebate: component.rebate.as_ref()?,
        cap_minor: component.cap_minor,
    })
}

fn known(row: crate::entity::rebate_volume::Model) -> (Key, Volume) {
    let key = Key {
        plan: row.plan_id,
        component: row.component,
        partner: row.partner_id,
        period_start: row.period_start,
    };
    let volume = Volume {
        volume_minor: row.volume_minor,
        rebate_minor: row.rebate_minor,
    };
    (key, volume)
}

fn key_of(entry: &rebate_entry::Model) -> Key {
    Key {
        plan: entry.plan_id,
        component: entry.component,
        partner: entry.partner_id,
        period_start: entry.period_start,
    }
}
