//! Why a won deal pays no commission, by cause, so that nothing is left unpaid without a word.

use std::collections::{BTreeSet, HashMap};

use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};

use super::{
    accrue,
    compute::{self, DealFacts},
    store,
    terms::{Component, PlanTerms},
};
use crate::{
    attribution::attribute::Attributed,
    entity::ids::{DealId, PartnerId, ProgramId},
    error::Result,
};

/// Why a won deal pays no commission.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(name = "CommissionExceptionReason")]
pub enum Reason {
    /// No plan of the programme was active on the day the deal was won.
    NoActivePlan,
    /// Plans were active, but none in the currency of the deal.
    NoPlanInCurrency,
    /// No plan pays for this kind of business: only for new business, or only for renewals.
    BusinessNotCovered,
    /// Plans ask for a product of a family, and the deal has none.
    ProductNotCovered,
    /// No partner takes part in the deal.
    NoPartner,
    /// Partners take part, but none has the role or the credit that the plans pay for.
    NoBeneficiary,
    /// The amount rounds to zero.
    NothingDue,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoActivePlan => "no plan was active on the day they were won",
            Self::NoPlanInCurrency => "no active plan is in their currency",
            Self::BusinessNotCovered => "no plan pays for their kind of business",
            Self::ProductNotCovered => "no plan pays for their products",
            Self::NoPartner => "no partner takes part",
            Self::NoBeneficiary => "no partner has the role or the credit that the plans pay for",
            Self::NothingDue => "the amount rounds to zero",
        })
    }
}

/// A won deal that pays no commission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// The deal.
    pub deal: DealId,
    /// Why.
    pub reason: Reason,
}

/// Why a deal that has no commission line has none. `active` are the plans that cover the instant of the win.
pub fn reason<K: Ord + Copy>(deal: &DealFacts<K>, active: &[&PlanTerms]) -> Reason {
    if active.is_empty() {
        return Reason::NoActivePlan;
    }
    let mut components: Vec<&Component> = active
        .iter()
        .filter(|terms| terms.currency == deal.currency)
        .flat_map(|terms| &terms.components)
        .collect();
    if components.is_empty() {
        return Reason::NoPlanInCurrency;
    }
    components.retain(|component| component.pays_for(deal.is_renewal));
    if components.is_empty() {
        return Reason::BusinessNotCovered;
    }
    components.retain(|component| component.applies_to(&deal.product_families));
    if components.is_empty() {
        return Reason::ProductNotCovered;
    }
    components.retain(|component| compute::has_beneficiary(deal, component));
    if !components.is_empty() {
        return Reason::NothingDue;
    }
    let is_credited = deal.credits.iter().any(|(partner, _)| partner.is_some());
    if deal.leader.is_none() && deal.participants.is_empty() && !is_credited {
        Reason::NoPartner
    } else {
        Reason::NoBeneficiary
    }
}

/// Those of these won deals that pay no commission, in their order: that earned nothing and count for no rebate.
///
/// # Errors
/// The database failed.
pub async fn of<C: ConnectionTrait>(db: &C, deals: &[Attributed]) -> Result<Vec<Exception>> {
    let ids: Vec<DealId> = deals.iter().map(|won| won.deal.id).collect();
    let booked = store::booked(db, &ids).await?;
    let paid: BTreeSet<DealId> = booked.into_iter().map(|(deal, _)| deal).collect();
    let unpaid: Vec<&Attributed> = deals
        .iter()
        .filter(|won| !paid.contains(&won.deal.id))
        .collect();
    if unpaid.is_empty() {
        return Ok(Vec::new());
    }
    let programs: BTreeSet<ProgramId> = unpaid.iter().map(|won| won.deal.program_id).collect();
    let plans = store::active_plans(db, &programs).await?;
    let families = if plans.iter().any(accrue::asks_for_products) {
        let ids: Vec<DealId> = unpaid.iter().map(|won| won.deal.id).collect();
        store::families_of(db, &ids).await?
    } else {
        HashMap::new()
    };
    let exception = |won: &Attributed| {
        let facts: DealFacts<PartnerId> = accrue::deal_facts(won, families.get(&won.deal.id))?;
        let active: Vec<&PlanTerms> = plans
            .iter()
            .filter(|plan| plan.program_id == won.deal.program_id)
            .filter(|plan| accrue::covers(plan, facts.won_at))
            .map(|plan| &plan.terms)
            .collect();
        Ok(Exception {
            deal: won.deal.id,
            reason: reason(&facts, &active),
        })
    };
    unpaid.into_iter().map(exception).collect()
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::{
        attribution::computation::Participant,
        incentives::terms::{ComponentKind, Holdback},
        platform::{money::Currency, ppm::Ppm},
    };
    use chrono::{DateTime, Utc};

    const WON: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);

    fn plan(kind: ComponentKind, family: Option<&str>) -> PlanTerms {
        PlanTerms {
            currency: Currency::USD,
            components: vec![Component {
                kind,
                rate_ppm: Some(Ppm::new(100_000)),
                flat_minor: None,
                cap_minor: None,
                product_family: family.map(str::to_owned),
                includes_renewals: false,
                rebate: None,
            }],
            holdback: Holdback::default(),
            clawback_days: 0,
        }
    }

    fn deal(role: Option<&str>) -> DealFacts<u8> {
        let participant = |role: &str| Participant {
            partner: 1,
            role: role.to_owned(),
            accepted_at: WON,
        };
        DealFacts {
            value_minor: 1_000,
            currency: Currency::USD,
            won_at: WON,
            zone: Tz::UTC,
            is_renewal: false,
            leader: None,
            participants: role.map(participant).into_iter().collect(),
            credits: vec![(None, 1)],
            product_families: BTreeSet::new(),
        }
    }

    #[test]
    fn each_cause_is_named() {
        let fee = plan(ComponentKind::ReferralFee, None);
        let bonus = plan(ComponentKind::Spiff, Some("Backup"));
        let sourced = deal(Some("SOURCER"));
        let euros = DealFacts {
            currency: "EUR".parse().unwrap(),
            ..deal(None)
        };
        let renewal = DealFacts {
            is_renewal: true,
            ..sourced.clone()
        };
        let led = DealFacts {
            leader: Some(1),
            ..deal(None)
        };
        let small = DealFacts {
            value_minor: 1,
            ..sourced.clone()
        };
        for (deal, plans, expected) in [
            (&sourced, vec![], Reason::NoActivePlan),
            (&euros, vec![&fee, &bonus], Reason::NoPlanInCurrency),
            (&renewal, vec![&fee], Reason::BusinessNotCovered),
            (&sourced, vec![&bonus], Reason::ProductNotCovered),
            (&deal(None), vec![&fee], Reason::NoPartner),
            (&deal(Some("RESELLER")), vec![&fee], Reason::NoBeneficiary),
            (&led, vec![&bonus, &fee], Reason::NoBeneficiary),
            (&small, vec![&fee], Reason::NothingDue),
        ] {
            assert_eq!(reason(deal, &plans), expected, "{deal:?}");
        }
    }
}
