//! What a vendor decides about a programme itself: its tiers, its time zone and its currency.
//!
//! Pure: decides from facts alone.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{
    platform::money::Currency,
    rules::{Check, RuleDocument},
};

/// The rules of a programme that are not those of one domain above it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgramRules {
    /// ISO 4217 code of the currency that sums over deals are shown in.
    pub reporting_currency: String,
    /// Days by which an exchange rate may be older than the day it is wanted for, 0 to 31: rates rest at weekends.
    #[serde(default = "seven")]
    pub rate_max_age_days: u16,
    /// The IANA time zone whose days are the programme's business days, and that of registrations that bring none of their
    /// own.
    pub default_time_zone: Tz,
    /// Levels of partnership. At most 20.
    pub tiers: Vec<Tier>,
}

/// A level of partnership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tier {
    /// Stable name for programs, such as `GOLD`; unique in the programme.
    pub key: String,
    /// Name for people.
    pub name: String,
    /// Place among the tiers, lowest first; unique in the programme.
    pub rank: i32,
    /// Days for which an approved deal is protected, 1 to 1,000.
    pub protection_days: u16,
    /// Days that one extension adds, 1 to 1,000 where extensions are allowed.
    pub extension_days: u16,
    /// How often protection may be extended, up to 10.
    pub max_extensions: u16,
    /// How many registrations a partner may have open at once, at least 1.
    pub max_open_registrations: u16,
}

const fn seven() -> u16 {
    7
}

impl ProgramRules {
    /// The tier with this key.
    #[must_use]
    pub fn tier(&self, key: &str) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.key == key)
    }

    /// The tier in which partners start: the one of lowest rank.
    #[must_use]
    pub fn entry_tier(&self) -> Option<&Tier> {
        self.tiers.iter().min_by_key(|tier| tier.rank)
    }
}

impl RuleDocument for ProgramRules {
    fn check(&self, check: &mut Check) {
        check.that(
            self.reporting_currency.parse::<Currency>().is_ok(),
            "reportingCurrency",
            "is not a known currency",
        );
        check.within(self.rate_max_age_days, 0, 31, "rateMaxAgeDays");
        check.within(self.tiers.len(), 1, 20, "tiers");
        let names = self.tiers.iter();
        check.names(
            "tiers",
            names.map(|tier| (tier.key.as_str(), tier.name.as_str(), tier.rank)),
        );
        for (place, tier) in self.tiers.iter().enumerate() {
            let at = |field: &str| format!("tiers.{place}.{field}");
            check.within(tier.protection_days, 1, 1_000, &at("protectionDays"));
            let least = u16::from(tier.max_extensions > 0);
            check.within(tier.extension_days, least, 1_000, &at("extensionDays"));
            check.within(tier.max_extensions, 0, 10, &at("maxExtensions"));
            check.within(
                tier.max_open_registrations,
                1,
                u16::MAX,
                &at("maxOpenRegistrations"),
            );
        }
    }
}

impl Default for ProgramRules {
    /// The programme that a vendor starts from.
    fn default() -> Self {
        let tiers = [
            ("REGISTERED", "Registered", 60, 10),
            ("SILVER", "Silver", 60, 25),
            ("GOLD", "Gold", 90, 50),
        ];
        let tier = |((key, name, protection_days, max_open_registrations), rank): (
            (&str, &str, u16, u16),
            i32,
        )| Tier {
            key: key.to_owned(),
            name: name.to_owned(),
            rank,
            protection_days,
            extension_days: 30,
            max_extensions: 1,
            max_open_registrations,
        };
        Self {
            reporting_currency: "USD".to_owned(),
            rate_max_age_days: 7,
            default_time_zone: Tz::UTC,
            tiers: tiers.into_iter().zip(1..).map(tier).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_start_at_the_lowest_tier() {
        let rules = ProgramRules::default();
        assert_eq!(rules.entry_tier().unwrap().key, "REGISTERED");
        assert_eq!(rules.tier("GOLD").unwrap().protection_days, 90);
        assert_eq!(rules.tier("PLATINUM"), None);
    }

    #[test]
    fn unknown_fields_of_a_tier_are_refused() {
        let mut wire = serde_json::to_value(ProgramRules::default()).unwrap();
        wire["tiers"][0]["protectionDay"] = 5.into();
        let refused = serde_json::from_value::<ProgramRules>(wire).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("unknown field `protectionDay`")
        );
    }
}
