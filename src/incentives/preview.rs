//! What a deal would pay, by the same rule by which it will.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveEnum, ConnectionTrait};

use super::{
    accrual::Line,
    accrue,
    compute::{self, DealFacts},
    store,
    terms::ComponentKind,
    volume,
};
use crate::{
    attribution::{attribute, facts::out_of_bounds},
    entity::{
        deal::{self, DealBusiness},
        deal_participant::ParticipantRole,
        ids::{PartnerId, ProgramId},
        incentive_plan,
    },
    error::Result,
    platform::{money::Money, ppm::Ppm},
    programs::rules::{self, Rules},
};

/// One line that a plan would pay.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The plan.
    pub plan: incentive_plan::Model,
    /// What the component pays for.
    pub component: ComponentKind,
    /// Who would get it; none where nobody in particular was asked about.
    pub line: Line<Option<PartnerId>>,
}

/// A deal that somebody thinks of.
#[derive(Clone, Debug)]
pub struct Imagined {
    /// Under which programme.
    pub program: ProgramId,
    /// Its value.
    pub value: Money,
    /// New business or a renewal.
    pub business: DealBusiness,
    /// Whose volume counts for rebates; nothing was sold before where nobody is asked about.
    pub partner: Option<PartnerId>,
    /// The share of the credit.
    pub share: Ppm,
    /// The roles one would have.
    pub roles: Vec<ParticipantRole>,
    /// Codes of the product families it would hold.
    pub families: BTreeSet<String>,
}

/// What a deal of this kind would pay to whoever has this share and these roles, if it were won now.
///
/// # Errors
/// The database failed; an amount exceeds the bounds of money.
pub async fn imagined<C: ConnectionTrait>(
    db: &C,
    deal: &Imagined,
    now: DateTime<Utc>,
) -> Result<Vec<Expected>> {
    let plans = store::active_plans(db, &[deal.program].into()).await?;
    let rules: Rules = rules::in_force(db, deal.program, now).await?;
    let zone = rules.program.default_time_zone;
    let roles: Vec<String> = deal.roles.iter().map(ActiveEnum::to_value).collect();
    let facts = compute::imagined(
        (deal.value.minor(), deal.value.currency()),
        deal.business == DealBusiness::Renewal,
        (now, zone),
        deal.share,
        &roles,
        deal.families.clone(),
    );
    let facts = facts.map_err(out_of_bounds)?;
    let mut expected = Vec::new();
    for plan in accrue::paying(&plans, deal.program, deal.value.currency(), now) {
        let counted = volume::of_partner(plan, &facts, deal.partner);
        let volumes = volume::look(db, &counted, None).await?;
        let lines = compute::lines(&facts, &plan.terms, &volumes);
        expected.extend(told(plan, lines.map_err(out_of_bounds)?, |()| None));
    }
    Ok(expected)
}

/// What a deal pays, or would pay if it were won now, to everybody who has a part in it.
///
/// # Errors
/// The database failed; an amount exceeds the bounds of money.
pub async fn of_deal<C: ConnectionTrait>(
    db: &C,
    deal: &deal::Model,
    now: DateTime<Utc>,
) -> Result<Vec<Expected>> {
    let plans = store::active_plans(db, &[deal.program_id].into()).await?;
    let credit = attribute::expected(db, deal, now).await?;
    let families = store::families_of(db, &[deal.id]).await?.remove(&deal.id);
    let facts = DealFacts {
        value_minor: deal.value_minor,
        currency: deal.currency,
        won_at: credit.close,
        zone: credit.zone,
        is_renewal: deal.business == DealBusiness::Renewal,
        leader: deal.partner_id,
        participants: accrue::participants(&credit.participants),
        credits: credit.credits,
        product_families: families.unwrap_or_default(),
    };
    let mut expected = Vec::new();
    for plan in accrue::paying(&plans, deal.program_id, deal.currency, credit.close) {
        let counted = volume::counted(plan, &facts);
        let volumes = volume::look(db, &counted, Some(deal.id)).await?;
        let lines = compute::lines(&facts, &plan.terms, &volumes).map_err(out_of_bounds)?;
        expected.extend(told(plan, lines, Some));
    }
    Ok(expected)
}

fn told<K: Copy>(
    plan: &incentive_plan::Model,
    lines: Vec<Line<K>>,
    whose: impl Fn(K) -> Option<PartnerId>,
) -> Vec<Expected> {
    let expected = |line: Line<K>| {
        let component = plan.terms.components.get(line.component)?.kind;
        let line = Line {
            component: line.component,
            partner: whose(line.partner),
            kind: line.kind,
            amount_minor: line.amount_minor,
            weight: line.weight,
            pool_minor: line.pool_minor,
            available_at: line.available_at,
        };
        Some(Expected {
            plan: plan.clone(),
            component,
            line,
        })
    };
    lines.into_iter().filter_map(expected).collect()
}
