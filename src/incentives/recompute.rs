//! What won deals earn and give back by their stored facts, computed anew to be compared with what was booked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter};

use super::{
    accrual::Line,
    accrue,
    clawback::{self, Booked, Refund, Refunded},
    compute::{self, DealFacts, Volumes},
    rebate::Volume,
    store, volume_store,
};
use crate::{
    attribution::attribute::{self, Attributed},
    entity::{
        accrual::{self, AccrualKind},
        deal, deal_participant, deal_product, deal_refund,
        ids::{DealId, PartnerId},
        incentive_plan, product, rebate_entry,
    },
    error::Result,
    platform::{money::MoneyError, sql::any_of},
};

/// A won deal with its credit, and everything that was booked on it.
#[derive(Debug)]
pub struct Won {
    /// The deal and its credit.
    pub attributed: Attributed,
    /// Its commission lines.
    pub lines: Vec<accrual::Model>,
    /// What it counts for rebates.
    pub volumes: Vec<rebate_entry::Model>,
    facts: DealFacts<PartnerId>,
    refunds: Vec<Refund>,
    /// The latest change of one of its products: the families of before are not known any more.
    products_changed_at: Option<DateTime<Utc>>,
    /// Whether a participant was noted after the credit who counts as accepted before it.
    is_joined_later: bool,
}

/// Won deals whose credit is stored, with what was booked on them.
///
/// # Errors
/// The database failed, or a value of a row cannot be read.
pub async fn won<C: ConnectionTrait>(db: &C, ids: &[DealId]) -> Result<Vec<Won>> {
    let of = |column| any_of(db, column, ids.iter().copied());
    let deals = deal::Entity::find().filter(any_of(db, deal::Column::Id, ids.iter().copied()));
    let attributed = attribute::stored(db, &deals.all(db).await?).await?;
    let mut families = store::families_of(db, ids).await?;
    let changed = products_changed_at(db, ids).await?;
    let of_participants = any_of(db, deal_participant::Column::DealId, ids.iter().copied());
    let participants = deal_participant::Entity::find().filter(of_participants);
    let participants = by_deal(participants.all(db).await?, |row| row.deal_id);
    let lines = accrual::Entity::find().filter(of(accrual::Column::DealId));
    let mut lines = by_deal(lines.all(db).await?, |row| row.deal_id);
    let mut volumes = by_deal(volume_store::entries(db, ids).await?, |row| row.deal_id);
    let refunds = deal_refund::Entity::find().filter(any_of(
        db,
        deal_refund::Column::DealId,
        ids.iter().copied(),
    ));
    let refunds = by_deal(refunds.all(db).await?, |row| row.deal_id);
    let won = |attributed: Attributed| {
        let id = attributed.deal.id;
        let as_of = attributed.run.created_at;
        let refund = |row: &deal_refund::Model| Refund {
            at: row.refunded_at,
            amount_minor: row.amount_minor,
        };
        let later = |row: &deal_participant::Model| {
            row.created_at > as_of && row.accepted_at.is_some_and(|at| at <= as_of)
        };
        Ok(Won {
            facts: accrue::deal_facts(&attributed, families.remove(&id).as_ref())?,
            lines: lines.remove(&id).unwrap_or_default(),
            volumes: volumes.remove(&id).unwrap_or_default(),
            refunds: refunds.get(&id).into_iter().flatten().map(refund).collect(),
            products_changed_at: changed.get(&id).copied(),
            is_joined_later: participants.get(&id).into_iter().flatten().any(later),
            attributed,
        })
    };
    attributed.into_iter().map(won).collect()
}

fn by_deal<R>(rows: Vec<R>, deal: impl Fn(&R) -> DealId) -> HashMap<DealId, Vec<R>> {
    let mut by_deal: HashMap<DealId, Vec<R>> = HashMap::new();
    for row in rows {
        by_deal.entry(deal(&row)).or_default().push(row);
    }
    by_deal
}

async fn products_changed_at<C: ConnectionTrait>(
    db: &C,
    deals: &[DealId],
) -> Result<HashMap<DealId, DateTime<Utc>>> {
    let of_deals = any_of(db, deal_product::Column::DealId, deals.iter().copied());
    let sold = deal_product::Entity::find()
        .filter(of_deals)
        .all(db)
        .await?;
    let ids: BTreeSet<_> = sold.iter().map(|row| row.product_id).collect();
    let products = product::Entity::find().filter(any_of(db, product::Column::Id, ids));
    let products = products.all(db).await?;
    let changed: HashMap<_, _> = products
        .into_iter()
        .map(|row| (row.id, row.updated_at))
        .collect();
    let mut latest: HashMap<DealId, DateTime<Utc>> = HashMap::new();
    for row in sold {
        if let Some(at) = changed.get(&row.product_id) {
            let of_deal = latest.entry(row.deal_id).or_insert(*at);
            *of_deal = (*of_deal).max(*at);
        }
    }
    Ok(latest)
}

impl Won {
    /// What was earned or held under a plan.
    pub fn earned<'w>(
        &'w self,
        plan: &'w incentive_plan::Model,
    ) -> impl Iterator<Item = &'w accrual::Model> {
        self.lines
            .iter()
            .filter(move |row| row.plan_id == plan.id && row.kind != AccrualKind::Clawback)
    }

    /// Whether anything was booked under a plan, or counted for a rebate of it.
    #[must_use]
    pub fn is_booked(&self, plan: &incentive_plan::Model) -> bool {
        self.earned(plan).next().is_some() || self.volumes.iter().any(|row| row.plan_id == plan.id)
    }

    /// Of plans, those that were in force when the credit was computed and pay for the deal.
    #[must_use]
    pub fn promised<'p>(
        &self,
        plans: &'p [incentive_plan::Model],
    ) -> Vec<&'p incentive_plan::Model> {
        let deal = &self.attributed.deal;
        let in_force = |plan: &&incentive_plan::Model| {
            plan.status == incentive_plan::PlanStatus::Active
                && plan
                    .activated_at
                    .is_some_and(|at| at < self.attributed.run.created_at)
        };
        let won_at = self.facts.won_at;
        let mut paying = accrue::paying(plans, deal.program_id, deal.currency, won_at);
        paying.retain(in_force);
        paying
    }

    /// What the deal earns under a plan. Components whose facts have changed since, so that nobody can say any more what they
    /// were, are left out and named.
    ///
    /// # Errors
    /// The deal is in another currency than the plan; an amount is out of bounds.
    pub fn due(
        &self,
        plan: &incentive_plan::Model,
    ) -> Result<(Vec<Line<PartnerId>>, BTreeSet<usize>), MoneyError> {
        let mut unknown = BTreeSet::new();
        let booked_at = self.earned(plan).map(|row| row.created_at).min();
        let booked_at = booked_at.unwrap_or(self.attributed.run.created_at);
        let is_changed = self.products_changed_at.is_some_and(|at| at > booked_at);
        for (place, component) in plan.terms.components.iter().enumerate() {
            let by_role = component.kind.payee() != super::terms::Payee::Credit;
            if (component.product_family.is_some() && is_changed)
                || (by_role && self.is_joined_later)
            {
                unknown.insert(place);
            }
        }
        let mut lines = compute::lines(&self.facts, &plan.terms, &self.volumes_before(plan))?;
        lines.retain(|line| !unknown.contains(&line.component));
        Ok((lines, unknown))
    }

    fn volumes_before(&self, plan: &incentive_plan::Model) -> Volumes {
        let of_win = |row: &&rebate_entry::Model| row.plan_id == plan.id && row.refund_id.is_none();
        let before = |row: &rebate_entry::Model| {
            let place = usize::try_from(row.component).ok()?;
            Some((place, before(row)))
        };
        self.volumes
            .iter()
            .filter(of_win)
            .filter_map(before)
            .collect()
    }

    /// What the refunds of the deal take back of each component of a plan, all partners together; rebates follow their
    /// volume instead and are left out. Which partner gave how much depends on the order of the refunds.
    ///
    /// # Errors
    /// An amount is out of bounds.
    pub fn to_take_back(
        &self,
        plan: &incentive_plan::Model,
    ) -> Result<BTreeMap<usize, i64>, MoneyError> {
        let mut booked: BTreeMap<(usize, PartnerId), Booked<PartnerId>> = BTreeMap::new();
        for row in self.earned(plan) {
            let Ok(component) = usize::try_from(row.component) else {
                continue;
            };
            let terms = plan.terms.components.get(component);
            if terms.is_some_and(|component| component.rebate.is_some()) {
                continue;
            }
            let of_partner = booked.entry((component, row.partner_id)).or_insert(Booked {
                component,
                partner: row.partner_id,
                earned_minor: 0,
                clawed_back_minor: 0,
                weight: 1,
                pool_minor: row.pool_minor,
            });
            of_partner.earned_minor = of_partner.earned_minor.saturating_add(row.amount_minor);
        }
        let refunded = Refunded {
            value_minor: self.facts.value_minor,
            won_at: self.facts.won_at,
            zone: self.facts.zone,
            clawback_days: plan.terms.clawback_days,
            refunds: self.refunds.clone(),
        };
        let mut taken: BTreeMap<usize, i64> = BTreeMap::new();
        if self.refunds.is_empty() {
            return Ok(taken);
        }
        let booked: Vec<_> = booked.into_values().collect();
        for line in clawback::lines(&booked, &refunded, self.facts.won_at)? {
            let sum = taken.entry(line.component).or_default();
            *sum = sum.saturating_sub(line.amount_minor);
        }
        Ok(taken)
    }
}

/// The volume and the rebate before an entry.
#[must_use]
pub const fn before(row: &rebate_entry::Model) -> Volume {
    Volume {
        volume_minor: row.volume_after_minor.saturating_sub(row.volume_minor),
        rebate_minor: row.rebate_after_minor.saturating_sub(row.rebate_minor),
    }
}
