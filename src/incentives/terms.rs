//! The document of an incentive plan: simple enough to be understood, checked as a whole, told in sentences.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::rebate::Rebate;
use crate::platform::fault::Fault;
use crate::platform::money::{Currency, MAX_MINOR, Money, MoneyError};
use crate::platform::ppm::Ppm;

/// More components than this nobody keeps in mind.
pub const MAX_COMPONENTS: usize = 3;

const MAX_DAYS: u32 = 3_660;

crate::text_enum! {
    /// What a component of an incentive plan pays for.
    #[graphql(name = "IncentiveComponentKind")]
    pub enum ComponentKind {
        /// A fee to the partner who brought the deal (role SOURCER).
        ReferralFee,
        /// A margin to the partner who resold it (role RESELLER).
        ResaleMargin,
        /// A pool shared among all partners in proportion to their credit.
        InfluencePool,
        /// A flat bonus to the partner who brought the deal (role SOURCER), if it holds a product of the family.
        Spiff,
        /// A rebate on all that a partner sold in a calendar period, to the partner of record: who resold a deal (role
        /// RESELLER), else the partner that leads it.
        VolumeRebate,
        /// A commission on renewals, to the partner of record: who resold the renewal (role RESELLER), else the partner that
        /// leads it.
        Renewal,
    }
}

/// Whom a component pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payee {
    /// The partners in a role.
    Role(&'static str),
    /// All partners, by their credit.
    Credit,
    /// The partner of record.
    OfRecord,
}

impl ComponentKind {
    /// Whom it pays.
    #[must_use]
    pub const fn payee(self) -> Payee {
        match self {
            Self::ReferralFee | Self::Spiff => Payee::Role("SOURCER"),
            Self::ResaleMargin => Payee::Role("RESELLER"),
            Self::InfluencePool => Payee::Credit,
            Self::VolumeRebate | Self::Renewal => Payee::OfRecord,
        }
    }

    /// What happens with the amount, as the end of a sentence.
    const fn destination(self) -> &'static str {
        match self {
            Self::ReferralFee => "goes to the partner who brought the deal, as a referral fee",
            Self::ResaleMargin => "goes to the partner who resold it, as a resale margin",
            Self::InfluencePool => "is shared among its partners in proportion to their credit",
            Self::Spiff => "goes to the partner who brought the deal, as a bonus",
            Self::VolumeRebate => "is paid as a rebate",
            Self::Renewal => "goes to the partner who resold it, or else leads it",
        }
    }
}

/// What a plan promises. Amounts are minor units of `currency`, rates parts per million.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sea_orm::FromJsonQueryResult)]
#[serde(deny_unknown_fields)]
pub struct PlanTerms {
    /// The currency of the deals it is for, and of its amounts.
    pub currency: Currency,
    /// What it pays for, at most [`MAX_COMPONENTS`]. Their amounts add up.
    pub components: Vec<Component>,
    /// What is held back of each partner's line.
    #[serde(default)]
    pub holdback: Holdback,
    /// A refund up to this many days after the win takes back; 0 never does.
    #[serde(default)]
    pub clawback_days: u32,
}

/// One promise of a plan: a rate of the deal's value or a flat amount, or a volume rebate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// What it pays for.
    pub kind: ComponentKind,
    /// The rate of the deal's value; either this or `flat_minor`, and none for a VOLUME_REBATE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_ppm: Option<Ppm>,
    /// The amount per deal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flat_minor: Option<i64>,
    /// The most that a rate yields per deal, before it is shared; that a VOLUME_REBATE yields per partner and period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_minor: Option<i64>,
    /// SPIFF only: the product family that the deal must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_family: Option<String>,
    /// Whether renewals are paid like new business. A RENEWAL pays for renewals only, everything else unless told
    /// otherwise for new business only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub includes_renewals: bool,
    /// VOLUME_REBATE only: period, method and tiers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebate: Option<Rebate>,
}

/// The part of a line that is paid later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holdback {
    /// How much; zero holds nothing back.
    pub rate_ppm: Ppm,
    /// How many days after the win it is released.
    pub days: u32,
}

impl PlanTerms {
    /// Everything wrong with the document, by field.
    #[must_use]
    pub fn validate(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !(1..=MAX_COMPONENTS).contains(&self.components.len()) {
            let problem = format!(
                "must be 1 to {MAX_COMPONENTS}, not {}",
                self.components.len()
            );
            faults.push(Fault::at("components", problem));
        }
        let mut seen = BTreeSet::new();
        for (position, component) in self.components.iter().enumerate() {
            let path = format!("components.{position}");
            if !seen.insert((component.kind, &component.product_family)) {
                faults.push(Fault::at(format!("{path}.kind"), "is listed twice"));
            }
            component.check(&path, &mut faults);
        }
        self.holdback.check(&mut faults);
        if self.clawback_days > MAX_DAYS {
            faults.push(Fault::at(
                "clawback_days",
                format!("must be at most {MAX_DAYS} days"),
            ));
        }
        faults
    }

    /// The plan in plain English, made only from its data; one sentence per promise.
    ///
    /// # Errors
    ///
    /// [`MoneyError::OutOfRange`] for amounts that [`PlanTerms::validate`] would refuse.
    pub fn plan_text(&self) -> Result<String, MoneyError> {
        let sentences = self
            .components
            .iter()
            .map(|component| component.sentence(self.currency));
        let mut sentences = sentences.collect::<Result<Vec<String>, MoneyError>>()?;
        if self.holdback.rate_ppm > Ppm::ZERO {
            sentences.push(format!(
                "{} % of each partner's amount is held back and released {} after the win.",
                self.holdback.rate_ppm,
                days(self.holdback.days)
            ));
        }
        let rebates = self.components.iter().filter(|one| one.rebate.is_some());
        let each = match rebates.count() {
            // A rebate tells of refunds itself.
            count if count == self.components.len() => return Ok(sentences.join(" ")),
            0 => ("What", "each amount"),
            _ => ("Else, what", "each other amount"),
        };
        sentences.push(match self.clawback_days {
            0 => format!("{} was earned is kept when the customer is refunded.", each.0),
            limit => format!(
                "If the customer is refunded within {} of the win, the refunded part of {} is taken back.",
                days(limit),
                each.1
            ),
        });
        Ok(sentences.join(" "))
    }
}

impl Component {
    fn check(&self, path: &str, faults: &mut Vec<Fault>) {
        let mut fault =
            |field: &str, problem: &str| faults.push(Fault::at(format!("{path}.{field}"), problem));
        let is_rebate = self.kind == ComponentKind::VolumeRebate;
        if is_rebate && (self.rate_ppm.is_some() || self.flat_minor.is_some()) {
            fault(
                "rate_ppm",
                "the rates of a VOLUME_REBATE are those of its tiers",
            );
        } else if !is_rebate && self.rate_ppm.is_some() == self.flat_minor.is_some() {
            fault("rate_ppm", "needs either a rate or a flat amount");
        }
        if is_rebate != self.rebate.is_some() {
            fault("rebate", "belongs to a VOLUME_REBATE, and to nothing else");
        }
        if self.includes_renewals && self.kind == ComponentKind::Renewal {
            fault("includes_renewals", "a RENEWAL pays for renewals only");
        }
        if self
            .rate_ppm
            .is_some_and(|rate| rate <= Ppm::ZERO || rate > Ppm::WHOLE)
        {
            fault("rate_ppm", "must be above 0 % and at most 100 %");
        }
        let amounts = [
            ("flat_minor", self.flat_minor),
            ("cap_minor", self.cap_minor),
        ];
        for (field, amount) in amounts {
            if amount.is_some_and(|amount| !(1..=MAX_MINOR).contains(&amount)) {
                fault(field, "must be positive and within the range of amounts");
            }
        }
        if self.cap_minor.is_some() && self.rate_ppm.is_none() && !is_rebate {
            fault("cap_minor", "limits a rate; a flat amount has no cap");
        }
        if self.kind == ComponentKind::Spiff && self.rate_ppm.is_some() {
            fault("rate_ppm", "a SPIFF is a flat amount");
        }
        match &self.product_family {
            Some(_) if self.kind != ComponentKind::Spiff => {
                fault("product_family", "is for a SPIFF only")
            }
            Some(family) if family.trim().is_empty() => {
                fault("product_family", "must not be empty")
            }
            _ => {}
        }
        if let Some(rebate) = &self.rebate {
            rebate.check(&format!("{path}.rebate"), faults);
        }
    }

    /// Whether it pays for a deal of this kind.
    #[must_use]
    pub fn pays_for(&self, is_renewal: bool) -> bool {
        match self.kind {
            ComponentKind::Renewal => is_renewal,
            _ => !is_renewal || self.includes_renewals,
        }
    }

    /// Whether it pays for a deal with products of these families.
    #[must_use]
    pub fn applies_to(&self, families: &BTreeSet<String>) -> bool {
        let wanted = self.product_family.as_ref();
        wanted.is_none_or(|family| families.contains(family))
    }

    fn sentence(&self, currency: Currency) -> Result<String, MoneyError> {
        if let Some(rebate) = &self.rebate {
            let deals = if self.includes_renewals {
                "deals won, renewals included,"
            } else {
                "new business won"
            };
            return rebate.sentences(currency, self.cap_minor, deals);
        }
        let (deal, included) = match (self.kind, self.includes_renewals) {
            (ComponentKind::Renewal, _) => ("won renewal", ""),
            (_, true) => ("won deal", ", renewals included"),
            (_, false) => ("won deal that is new business", ""),
        };
        let money = |minor: Option<i64>| minor.map(|minor| Money::new(minor, currency)).transpose();
        let holding = match &self.product_family {
            Some(family) => format!(" with a product of the family {family}"),
            None => String::new(),
        };
        let amount = match (self.rate_ppm, money(self.flat_minor)?) {
            (Some(rate), _) => format!("{rate} % of its value"),
            (None, Some(flat)) => flat.to_string(),
            (None, None) => "nothing".to_owned(),
        };
        let cap =
            money(self.cap_minor)?.map_or_else(String::new, |cap| format!(", at most {cap},"));
        Ok(format!(
            "For each {deal}{holding}{included}, {amount}{cap} {}.",
            self.kind.destination()
        ))
    }
}

impl Holdback {
    fn check(self, faults: &mut Vec<Fault>) {
        if self.rate_ppm < Ppm::ZERO || self.rate_ppm > Ppm::WHOLE {
            faults.push(Fault::at("holdback.rate_ppm", "must be from 0 % to 100 %"));
        }
        let wanted = if self.rate_ppm == Ppm::ZERO {
            0..=MAX_DAYS
        } else {
            1..=MAX_DAYS
        };
        if !wanted.contains(&self.days) {
            let problem = format!("must be from {} to {MAX_DAYS} days", wanted.start());
            faults.push(Fault::at("holdback.days", problem));
        }
    }
}

fn days(n: u32) -> String {
    if n == 1 {
        "1 day".to_owned()
    } else {
        format!("{n} days")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(document: &str) -> PlanTerms {
        serde_json::from_str(document).unwrap()
    }

    const POOL: &str = r#"{"currency": "USD", "components": [{"kind": "INFLUENCE_POOL", "rate_ppm": 100000,
        "cap_minor": 2000000}], "holdback": {"rate_ppm": 100000, "days": 90}, "clawback_days": 90}"#;

    #[test]
    fn a_plan_is_told_from_its_data() {
        assert_eq!(terms(POOL).validate(), []);
        assert_eq!(
            terms(POOL).plan_text().unwrap(),
            "For each won deal that is new business, 10 % of its value, at most 20,000.00 USD, is shared among its partners in \
             proportion to their credit. 10 % of each partner's amount is held back and released 90 days \
             after the win. If the customer is refunded within 90 days of the win, the refunded part of each \
             amount is taken back."
        );
        let spiff = r#"{"currency": "JPY", "components": [{"kind": "SPIFF", "flat_minor": 50000, "product_family": "Backup"}]}"#;
        assert_eq!(
            terms(spiff).plan_text().unwrap(),
            "For each won deal that is new business with a product of the family Backup, 50,000 JPY goes to the partner who brought \
             the deal, as a bonus. What was earned is kept when the customer is refunded."
        );
    }

    const REBATE: &str = r#"{"currency": "USD", "components": [{"kind": "VOLUME_REBATE", "rebate": {"period": "QUARTER",
        "method": "MARGINAL", "tiers": [{"from_minor": 0, "rate_ppm": 20000}, {"from_minor": 10000000, "rate_ppm": 30000}]}},
        {"kind": "RENEWAL", "rate_ppm": 30000}], "clawback_days": 90}"#;

    #[test]
    fn a_rebate_and_a_renewal_are_told_from_their_data() {
        assert_eq!(terms(REBATE).validate(), []);
        assert_eq!(
            terms(REBATE).plan_text().unwrap(),
            "On the value of all new business won in a calendar quarter, the partner who resold them, or else leads them, \
             gets a rebate: 2 % of the part up to 100,000.00 USD, 3 % of the part above 100,000.00 USD. A refund, \
             whenever it happens, lowers that value, and takes back what the rebate is then too high by. For each won \
             renewal, 3 % of its value goes to the partner who resold it, or else leads it. If the customer is refunded \
             within 90 days of the win, the refunded part of each other amount is taken back."
        );
        let yearly = terms(
            &REBATE
                .replace("MARGINAL", "RETROACTIVE")
                .replace("QUARTER", "YEAR"),
        );
        let told = yearly.plan_text().unwrap();
        assert!(
            told.contains("calendar year")
                && told
                    .contains("2 % of all of it, 3 % of all of it once it reaches 100,000.00 USD."),
            "{told}"
        );
    }

    #[test]
    fn a_rebate_needs_tiers_that_rise_and_nothing_of_other_kinds() {
        let plan = terms(
            r#"{"currency": "USD", "components": [
                {"kind": "VOLUME_REBATE", "rate_ppm": 1, "product_family": "Backup"},
                {"kind": "RENEWAL", "rate_ppm": 1, "includes_renewals": true, "rebate": {"period": "YEAR", "method": "MARGINAL",
                 "tiers": [{"from_minor": -1, "rate_ppm": 30000}, {"from_minor": -1, "rate_ppm": 20000},
                 {"from_minor": -2, "rate_ppm": 1000001}]}}
            ]}"#,
        );
        let faults = plan.validate();
        let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "components.0.rate_ppm",
                "components.0.rebate",
                "components.0.product_family",
                "components.1.rebate",
                "components.1.includes_renewals",
                "components.1.rebate.tiers.0.from_minor",
                "components.1.rebate.tiers.1.from_minor",
                "components.1.rebate.tiers.1.rate_ppm",
                "components.1.rebate.tiers.2.from_minor",
                "components.1.rebate.tiers.2.rate_ppm",
            ]
        );
        let mut rebate = terms(REBATE);
        rebate.components[0]
            .rebate
            .as_mut()
            .unwrap()
            .tiers
            .swap(0, 1);
        assert_eq!(
            rebate.validate(),
            [
                Fault::at(
                    "components.0.rebate.tiers.1.from_minor",
                    "must be above that of the tier before"
                ),
                Fault::at(
                    "components.0.rebate.tiers.1.rate_ppm",
                    "must not be below that of the tier before"
                ),
            ]
        );
    }

    #[test]
    fn a_promise_reads_as_one_sentence_with_every_option() {
        let mut plan = terms(POOL);
        for kind in [
            ComponentKind::InfluencePool,
            ComponentKind::ReferralFee,
            ComponentKind::ResaleMargin,
            ComponentKind::Spiff,
            ComponentKind::Renewal,
        ] {
            for options in 0..8_u8 {
                let chosen = |bit: u8| options & bit != 0;
                plan.components = vec![Component {
                    kind,
                    rate_ppm: (!chosen(1)).then(|| Ppm::new(100_000)),
                    flat_minor: chosen(1).then_some(50_000),
                    cap_minor: (!chosen(1)).then_some(2_000_000),
                    product_family: chosen(2).then(|| "Backup".to_owned()),
                    includes_renewals: chosen(4),
                    rebate: None,
                }];
                let text = plan.plan_text().unwrap();
                assert!(!text.contains(",,") && !text.contains("  "), "{text}");
            }
        }
        plan.components[0].kind = ComponentKind::Spiff;
        assert!(
            plan.plan_text().unwrap().starts_with(
                "For each won deal with a product of the family Backup, renewals included, 500.00 USD goes to the partner"
            )
        );
    }

    #[test]
    fn a_fourth_component_is_refused() {
        let mut plan = terms(POOL);
        let with = |kind| Component {
            kind,
            cap_minor: None,
            ..plan.components[0].clone()
        };
        let more = [
            with(ComponentKind::ReferralFee),
            with(ComponentKind::ResaleMargin),
        ];
        plan.components.extend(more);
        assert_eq!(plan.validate(), []);
        plan.components.push(Component {
            kind: ComponentKind::Spiff,
            rate_ppm: None,
            flat_minor: Some(1),
            cap_minor: None,
            product_family: None,
            includes_renewals: false,
            rebate: None,
        });
        assert_eq!(
            plan.validate(),
            [Fault::at("components", "must be 1 to 3, not 4")]
        );
    }

    #[test]
    fn every_fault_is_told_at_once_with_its_place() {
        let plan = terms(
            r#"{"currency": "USD", "components": [
                {"kind": "REFERRAL_FEE"},
                {"kind": "REFERRAL_FEE", "rate_ppm": 1000001, "product_family": "Backup"},
                {"kind": "SPIFF", "flat_minor": 0, "cap_minor": 5}
            ], "holdback": {"rate_ppm": 100000, "days": 0}, "clawback_days": 99999}"#,
        );
        let faults = plan.validate();
        let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "components.0.rate_ppm",
                "components.1.rate_ppm",
                "components.1.product_family",
                "components.2.flat_minor",
                "components.2.cap_minor",
                "holdback.days",
                "clawback_days"
            ]
        );
        let mut twice = terms(POOL);
        twice.components.push(twice.components[0].clone());
        assert_eq!(
            twice.validate(),
            [Fault::at("components.1.kind", "is listed twice")]
        );
    }

    #[test]
    fn a_document_with_an_unknown_field_is_refused() {
        let document = POOL.replace("clawback_days", "clawback_weeks");
        assert!(serde_json::from_str::<PlanTerms>(&document).is_err());
        let read = terms(POOL);
        assert_eq!(terms(&serde_json::to_string(&read).unwrap()), read);
    }
}
