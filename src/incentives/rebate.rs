//! A volume rebate: a rate of everything that a partner sold in a calendar period, higher with more of it.
//!
//! It is booked cumulatively. Each won deal adds its value to the partner's volume of the period in which it was won,
//! and earns the rebate on the volume so far less what was booked of it before; each refund, whenever it happens, takes
//! its amount off that volume, and takes back what the rebate then is too high by. So what is booked is always
//! the rebate on what is left, in whatever order deals and refunds come: never more, and nothing when all is refunded. With
//! retroactive tiers a refund of one deal may take back more than that deal earned, because it lowers the rate of the
//! others.
//!
//! Pure: decides from facts alone.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::platform::fault::Fault;
use crate::platform::money::{Currency, MAX_MINOR, MAX_SUM, Money, MoneyError, rates};
use crate::platform::ppm::Ppm;

/// More tiers than this nobody keeps in mind.
pub const MAX_TIERS: usize = 10;

/// The calendar period over which volume is counted, by the day of the win in the programme's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(name = "RebatePeriod")]
pub enum Period {
    /// January to March, April to June, July to September, October to December.
    Quarter,
    /// January to December.
    Year,
}

/// What the rate of a tier applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(name = "RebateMethod")]
pub enum Method {
    /// The part of the volume within the tier.
    Marginal,
    /// The whole volume, once it reaches the tier.
    Retroactive,
}

/// A rate from a volume on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The volume from which it applies, itself included, in minor units.
    pub from_minor: i64,
    /// The rate.
    pub rate_ppm: Ppm,
}

/// The promise of a volume rebate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebate {
    /// Over which period volume is counted.
    pub period: Period,
    /// What the rates apply to.
    pub method: Method,
    /// 1 to [`MAX_TIERS`], lowest first; below the first there is no rebate.
    pub tiers: Vec<Tier>,
}

/// A partner's volume of a period and the rebate booked on it, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// What was sold, less what was refunded.
    pub volume_minor: i64,
    /// What was booked: earned less taken back.
    pub rebate_minor: i64,
}

impl Period {
    /// The first day of the period that a day is in.
    #[must_use]
    pub fn start(self, day: NaiveDate) -> NaiveDate {
        let month = match self {
            Self::Quarter => day.month0() / 3 * 3 + 1,
            Self::Year => 1,
        };
        // The first of a month exists wherever one of its days does.
        NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

impl Rebate {
    /// The rebate on a volume, rounded once, half to even, at most `cap_minor`.
    ///
    /// * MARGINAL: Σ over tiers of (the part of the volume between the tier and the next) × rate;
    /// * RETROACTIVE: volume × rate of the highest tier that the volume reaches.
    ///
    /// It never falls with a growing volume, because rates never fall with higher tiers.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] for a volume or a rebate beyond the bounds of money.
    pub fn on(&self, volume_minor: i64, cap_minor: Option<i64>) -> Result<i64, MoneyError> {
        if !(0..=MAX_SUM).contains(&volume_minor) {
            return Err(MoneyError::OutOfRange);
        }
        let reached = || {
            self.tiers
                .iter()
                .enumerate()
                .take_while(|(_, tier)| tier.from_minor <= volume_minor)
        };
        let rebate = match self.method {
            Method::Marginal => rates(reached().map(|(place, tier)| {
                let end = self
                    .tiers
                    .get(place + 1)
                    .map_or(volume_minor, |next| next.from_minor.min(volume_minor));
                (end - tier.from_minor, tier.rate_ppm)
            })),
            Method::Retroactive => rates(
                reached()
                    .last()
                    .map(|(_, tier)| (volume_minor, tier.rate_ppm)),
            ),
        }?;
        Ok(rebate.min(cap_minor.unwrap_or(i64::MAX)))
    }

    /// A volume after some was added, or taken off, and the rebate on it booked.
    ///
    /// # Errors
    /// As [`Rebate::on`].
    pub fn after(
        &self,
        before: Volume,
        added_minor: i64,
        cap_minor: Option<i64>,
    ) -> Result<Volume, MoneyError> {
        let volume_minor = before
            .volume_minor
            .checked_add(added_minor)
            .ok_or(MoneyError::OutOfRange)?;
        Ok(Volume {
            volume_minor,
            rebate_minor: self.on(volume_minor, cap_minor)?,
        })
    }

    pub(super) fn check(&self, path: &str, faults: &mut Vec<Fault>) {
        let mut fault = |place: String, problem: String| faults.push(Fault::at(place, problem));
        let tiers = format!("{path}.tiers");
        if !(1..=MAX_TIERS).contains(&self.tiers.len()) {
            let problem = format!("must be 1 to {MAX_TIERS}, not {}", self.tiers.len());
            fault(tiers.clone(), problem);
        }
        let mut last: Option<&Tier> = None;
        for (place, tier) in self.tiers.iter().enumerate() {
            let at = |field: &str| format!("{tiers}.{place}.{field}");
            let rises = last.is_none_or(|last| tier.from_minor > last.from_minor);
            if !(0..=MAX_MINOR).contains(&tier.from_minor) {
                let problem = "must not be negative, and be within the range of amounts";
                fault(at("from_minor"), problem.to_owned());
            } else if !rises {
                fault(
                    at("from_minor"),
                    "must be above that of the tier before".to_owned(),
                );
            }
            if tier.rate_ppm < Ppm::ZERO || tier.rate_ppm > Ppm::WHOLE {
                fault(at("rate_ppm"), "must be from 0 % to 100 %".to_owned());
            } else if last.is_some_and(|last| tier.rate_ppm < last.rate_ppm) {
                let problem = "must not be below that of the tier before";
                fault(at("rate_ppm"), problem.to_owned());
            }
            last = Some(tier);
        }
    }

    pub(super) fn sentences(
        &self,
        currency: Currency,
        cap_minor: Option<i64>,
        deals: &str,
    ) -> Result<String, MoneyError> {
        let money = |minor| Money::new(minor, currency);
        let mut parts = Vec::with_capacity(self.tiers.len());
        for (place, tier) in self.tiers.iter().enumerate() {
            let (rate, from) = (tier.rate_ppm, money(tier.from_minor)?);
            let next = self.tiers.get(place + 1);
            parts.push(match (self.method, tier.from_minor, next) {
                (Method::Marginal, 0, None) | (Method::Retroactive, 0, _) => {
                    format!("{rate} % of all of it")
                }
                (Method::Marginal, 0, Some(next)) => {
                    format!("{rate} % of the part up to {}", money(next.from_minor)?)
                }
                (Method::Marginal, _, Some(next)) => {
                    let until = money(next.from_minor)?;
                    format!("{rate} % of the part from {from} to {until}")
                }
                (Method::Marginal, _, None) => format!("{rate} % of the part above {from}"),
                (Method::Retroactive, _, _) => {
                    format!("{rate} % of all of it once it reaches {from}")
                }
            });
        }
        let (period, tiers) = (self.period.word(), parts.join(", "));
        let cap = match cap_minor {
            Some(cap) => format!(", at most {} a {period}", money(cap)?),
            None => String::new(),
        };
        Ok(format!(
            "On the value of all {deals} in a calendar {period}, the partner who resold them, or else leads them, gets a \
             rebate: {tiers}{cap}. A refund, whenever it happens, lowers that value, and takes back what the rebate is \
             then too high by."
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rebate(method: Method) -> Rebate {
        let tier = |from_minor, percent: i32| Tier {
            from_minor,
            rate_ppm: Ppm::new(percent * 10_000),
        };
        Rebate {
            period: Period::Quarter,
            method,
            tiers: vec![tier(0, 2), tier(10_000_000, 3)],
        }
    }

    #[test]
    fn marginal_rates_apply_to_their_part_and_retroactive_ones_to_all() {
        let on = |method, volume| rebate(method).on(volume, None).unwrap();
        assert_eq!(on(Method::Marginal, 15_000_000), 350_000);
        assert_eq!(on(Method::Retroactive, 15_000_000), 450_000);
        assert_eq!(on(Method::Marginal, 10_000_000), 200_000);
        assert_eq!(on(Method::Retroactive, 9_999_999), 200_000);
        assert_eq!(on(Method::Retroactive, 10_000_000), 300_000);
        assert_eq!(on(Method::Marginal, 0), 0);
        let capped = rebate(Method::Marginal).on(15_000_000, Some(300_000));
        assert_eq!(capped.unwrap(), 300_000);
        assert!(rebate(Method::Marginal).on(-1, None).is_err());
        assert!(rebate(Method::Marginal).on(MAX_SUM + 1, None).is_err());
    }

    #[test]
    fn below_the_first_tier_there_is_none() {
        let mut from_50k = rebate(Method::Marginal);
        from_50k.tiers[0].from_minor = 5_000_000;
        assert_eq!(from_50k.on(4_999_999, None).unwrap(), 0);
        assert_eq!(from_50k.on(6_000_000, None).unwrap(), 20_000);
    }

    #[test]
    fn periods_are_those_of_the_calendar() {
        let start = |period: Period, day: &str| period.start(day.parse().unwrap()).to_string();
        assert_eq!(start(Period::Quarter, "2026-03-31"), "2026-01-01");
        assert_eq!(start(Period::Quarter, "2026-04-01"), "2026-04-01");
        assert_eq!(start(Period::Quarter, "2026-12-31"), "2026-10-01");
        assert_eq!(start(Period::Year, "2026-12-31"), "2026-01-01");
    }

    proptest! {
        #[test]
        fn what_is_booked_is_the_rebate_on_what_is_left_in_any_order(
            values in prop::collection::vec(1_i64..30_000_000, 1..12),
            refunds in prop::collection::vec((0_usize..12, 1_i64..30_000_000), 0..20),
            retroactive: bool,
            cap in prop::option::of(1_i64..2_000_000),
        ) {
            let rebate = rebate(if retroactive { Method::Retroactive } else { Method::Marginal });
            let (mut left, mut now) = (values.clone(), Volume::default());
            for value in &values {
                let next = rebate.after(now, *value, cap).unwrap();
                prop_assert!(next.rebate_minor >= now.rebate_minor);
                now = next;
            }
            for (deal, amount) in refunds {
                let deal = deal % left.len();
                let amount = amount.min(left[deal]);
                left[deal] -= amount;
                let next = rebate.after(now, -amount, cap).unwrap();
                prop_assert!(next.rebate_minor <= now.rebate_minor);
                now = next;
                prop_assert_eq!(now.rebate_minor, rebate.on(left.iter().sum(), cap).unwrap());
            }
            let all = rebate.after(now, -left.iter().sum::<i64>(), cap).unwrap();
            prop_assert_eq!(all, Volume::default());
        }
    }
}
