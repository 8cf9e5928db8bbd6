//! The promises of incentive plans in the API.

use async_graphql::{Description, InputObject, Object, SimpleObject};

use crate::{
    graphql::scalars::{Decimal, Money, percent},
    incentives::{
        plan::{DraftComponent, DraftRebate},
        rebate::{Method, Period, Rebate, Tier},
        terms::{Component, ComponentKind, Holdback},
    },
    platform::money::Currency,
};

/// One promise of a plan.
#[derive(Clone, Debug, Description)]
pub struct IncentiveComponent {
    pub(super) component: Component,
    pub(super) currency: Currency,
}

#[Object(use_type_description)]
impl IncentiveComponent {
    /// What it pays for, and whom.
    fn kind(&self) -> ComponentKind {
        self.component.kind
    }

    /// The percentage of the deal's value; null for a flat amount and for a VOLUME_REBATE.
    fn rate_percent(&self) -> Option<Decimal> {
        self.component.rate_ppm.map(percent)
    }

    /// The amount per deal; null for a percentage and for a VOLUME_REBATE.
    fn flat_amount(&self) -> Option<Money> {
        self.component
            .flat_minor
            .map(|minor| Money::minor(minor, self.currency))
    }

    /// The most that the percentage yields per deal, before it is shared, or that a VOLUME_REBATE yields per partner and
    /// period; null for no limit.
    fn cap(&self) -> Option<Money> {
        self.component
            .cap_minor
            .map(|minor| Money::minor(minor, self.currency))
    }

    /// The code of the product family that the deal must hold; null for any.
    fn product_family(&self) -> Option<&str> {
        self.component.product_family.as_deref()
    }

    /// Whether renewals are paid like new business. A RENEWAL pays for renewals only; other kinds, unless this is true,
    /// for new business only.
    fn includes_renewals(&self) -> bool {
        self.component.includes_renewals
    }

    /// The terms of a VOLUME_REBATE; null for other kinds.
    fn rebate(&self) -> Option<IncentiveRebate> {
        let rebate = self.component.rebate.clone()?;
        Some(IncentiveRebate {
            rebate,
            currency: self.currency,
        })
    }
}

/// A rebate on all that a partner sold in a calendar period: on the value of the deals won under this number of the plan
/// of which it is the partner of record, less what was refunded of them.
///
/// It is booked deal by deal: each pays the rebate on the volume so far less what was booked of it before. A refund,
/// whenever it happens, takes its amount off the volume of the period in which its deal was won, and takes back what the
/// rebate is then too high by; with retroactive tiers that may be more than the deal itself earned. So what is booked
/// is always the rebate on what is left, and nothing when everything is refunded; `clawbackDays` does not matter.
#[derive(Clone, Debug, Description)]
pub struct IncentiveRebate {
    rebate: Rebate,
    currency: Currency,
}

#[Object(use_type_description)]
impl IncentiveRebate {
    /// The calendar period over which volume is counted, by the day of the win in the programme's time zone.
    fn period(&self) -> Period {
        self.rebate.period
    }

    /// What the rates of the tiers apply to.
    fn method(&self) -> Method {
        self.rebate.method
    }

    /// The tiers, lowest first; below the first there is no rebate. At most 10.
    #[graphql(directive = crate::graphql::cost::list_size::apply(5, None))]
    fn tiers(&self) -> Vec<IncentiveRebateTier> {
        let tier = |tier: &Tier| IncentiveRebateTier {
            from: Money::minor(tier.from_minor, self.currency),
            rate_percent: percent(tier.rate_ppm),
        };
        self.rebate.tiers.iter().map(tier).collect()
    }
}

/// A rate from a volume on.
#[derive(Clone, Debug, SimpleObject)]
pub struct IncentiveRebateTier {
    /// The volume from which the rate applies, itself included.
    from: Money,
    /// The rate in percent.
    rate_percent: Decimal,
}

/// The part of each amount that is paid later.
#[derive(Clone, Copy, Debug, Description)]
pub struct IncentiveHoldback(pub(super) Holdback);

#[Object(use_type_description)]
impl IncentiveHoldback {
    /// How much of each partner's amount, in percent.
    fn percent(&self) -> Decimal {
        percent(self.0.rate_ppm)
    }

    /// How many days after the win it becomes available.
    fn days(&self) -> i32 {
        i32::try_from(self.0.days).unwrap_or(i32::MAX)
    }
}

/// One promise of a plan: a percentage, a flat amount, or a volume rebate.
#[derive(Clone, Debug, InputObject)]
pub struct IncentiveComponentInput {
    /// What it pays for, and whom.
    kind: ComponentKind,
    /// The percentage of the deal's value, above 0 and at most 100, with at most four decimals; either this or
    /// `flatAmount`, and neither for a VOLUME_REBATE.
    rate_percent: Option<Decimal>,
    /// The amount per deal, in the plan's currency. A SPIFF has one.
    flat_amount: Option<Decimal>,
    /// The most that the percentage yields per deal, before it is shared, or that a VOLUME_REBATE yields per partner and
    /// period; no limit when left out.
    cap: Option<Decimal>,
    /// SPIFF only: the code of the product family that the deal must hold.
    product_family: Option<String>,
    /// Whether renewals are paid like new business; not for a RENEWAL, which pays for renewals only.
    #[graphql(default)]
    includes_renewals: bool,
    /// VOLUME_REBATE only, and mandatory for it: period, method and tiers.
    rebate: Option<IncentiveRebateInput>,
}

impl IncentiveComponentInput {
    pub(super) fn draft(self) -> DraftComponent {
        DraftComponent {
            kind: self.kind,
            rate_percent: self.rate_percent.map(|rate| rate.0),
            flat_amount: self.flat_amount.map(|amount| amount.0),
            cap: self.cap.map(|amount| amount.0),
            product_family: self.product_family,
            includes_renewals: self.includes_renewals,
            rebate: self.rebate.map(|rebate| DraftRebate {
                period: rebate.period,
                method: rebate.method,
                tiers: rebate
                    .tiers
                    .into_iter()
                    .map(|tier| (tier.from.0, tier.rate_percent.0))
                    .collect(),
            }),
        }
    }
}

/// The terms of a volume rebate.
#[derive(Clone, Debug, InputObject)]
pub struct IncentiveRebateInput {
    /// The calendar period over which volume is counted, by the day of the win in the programme's time zone.
    period: Period,
    /// What the rates of the tiers apply to.
    method: Method,
    /// The tiers, lowest first, with rising volumes and rates that do not fall; 1 to 10.
    tiers: Vec<IncentiveRebateTierInput>,
}

/// A rate from a volume on.
#[derive(Clone, Debug, InputObject)]
pub struct IncentiveRebateTierInput {
    /// The volume in the plan's currency from which the rate applies, itself included; 0 for the first unit on.
    from: Decimal,
    /// The rate in percent, 0 to 100 with at most four decimals.
    rate_percent: Decimal,
}

/// The part of each amount that is to be paid later.
#[derive(Clone, Debug, InputObject)]
pub struct IncentiveHoldbackInput {
    /// How much of each partner's amount, in percent, 0 to 100 with at most four decimals.
    pub(super) percent: Decimal,
    /// How many days after the win it becomes available, at most 3,660.
    pub(super) days: i32,
}
