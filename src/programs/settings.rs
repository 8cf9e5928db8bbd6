//! What a vendor decides about a partner programme: tiers with their protection, the pipeline, role weights, the model
//! that pays, windows, reminders and minimum payouts.
//!
//! The settings are one versioned document. Deals and attribution runs remember the version they used, so a change never
//! rewrites what was computed. A document is accepted as a whole or refused with every fault at once.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::attribution::models::Model;
use crate::deals::participant::ParticipantRole;
use crate::deals::stage::{Stage, StageKind};

const WHOLE_PPM: i32 = 1_000_000;

/// Largest amount of money in minor units, as everywhere in the house.
const LARGEST_AMOUNT: i64 = 1_000_000_000_000_000;

/// The settings document of a programme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sea_orm::FromJsonQueryResult)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProgramSettings {
    /// ISO 4217 code of the currency that sums over deals are shown in.
    pub reporting_currency: String,
    /// IANA time zone of registrations that bring none of their own.
    pub default_time_zone: Tz,
    /// Levels of partnership. At most 20.
    pub tiers: Vec<Tier>,
    /// The pipeline. At most 30.
    pub stages: Vec<Stage>,
    /// What each role on a deal weighs; a role that is not listed weighs nothing.
    pub roles: Vec<RoleWeight>,
    /// The model whose credit is paid. Others may be compared with it.
    pub official_model: Model,
    /// Parameters of the models.
    pub attribution: AttributionSettings,
    /// When two customers are taken for possibly the same.
    pub conflict: ConflictSettings,
    /// Days before the end of protection on which the partner is reminded. At most 10.
    pub reminder_days: Vec<u16>,
    /// Hours in which a registration is to be decided, 1 to 2,000.
    pub review_sla_hours: u16,
    /// Days for which an invitation to a deal stands, 1 to 365.
    pub invitation_days: u16,
    /// Smallest payout by currency code, in minor units; less is carried forward. None where a currency is not listed.
    pub minimum_payout: BTreeMap<String, i64>,
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

/// What a role on a deal weighs, against the other roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleWeight {
    /// The role.
    pub role: ParticipantRole,
    /// Its weight, up to 1,000,000. Only the proportions count.
    pub weight: u32,
}

/// Parameters of the attribution models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttributionSettings {
    /// Days after which a touchpoint counts half, 1 to 3,650.
    pub half_life_days: u16,
    /// Days before the close in which touchpoints count, 1 to 3,650.
    pub lookback_days: u16,
    /// Shares of the phases of a customer's journey; without them phases play no part.
    pub phase_weights: Option<PhaseWeights>,
    /// Whether the share of a phase without touchpoints goes to the others; otherwise it stays with the vendor.
    pub redistribute_empty_phases: bool,
    /// Whether the share of a role that nobody fills goes to the others; otherwise it stays with the vendor.
    pub redistribute_empty_roles: bool,
    /// How many touchpoints of one kind by one partner on one day count, at least 1.
    pub daily_cap: u16,
}

/// What the phases of a customer's journey weigh. Only the proportions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhaseWeights {
    /// Awareness and consideration.
    pub pre_sales: u32,
    /// The sale itself.
    pub transaction: u32,
    /// Adoption, renewal and advocacy.
    pub post_sales: u32,
}

/// When two customers are taken for possibly the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConflictSettings {
    /// Jaro-Winkler similarity of words from which names are similar, in parts per million, 800,000 to 1,000,000.
    pub name_similarity_ppm: i32,
}

/// One thing that is wrong with a settings document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: field names and list places, outermost first.
    pub path: Vec<String>,
    /// What is wrong, in a sentence.
    pub message: String,
}

impl ProgramSettings {
    /// Checks the whole document. `is_currency` tells whether a code is a known currency.
    ///
    /// # Errors
    /// Every fault, in the order of the document.
    pub fn validate(&self, is_currency: impl Fn(&str) -> bool) -> Result<(), Vec<Fault>> {
        let mut check = Check::default();
        check.that(
            is_currency(&self.reporting_currency),
            "reportingCurrency",
            "is not a known currency",
        );
        self.check_tiers(&mut check);
        self.check_stages(&mut check);
        self.check_roles(&mut check);
        self.check_attribution(&mut check);
        self.check_clocks(&mut check);
        for (code, minor) in &self.minimum_payout {
            let path = format!("minimumPayout.{code}");
            check.that(is_currency(code), &path, "is not a known currency");
            check.within(*minor, 0, LARGEST_AMOUNT, &path);
        }
        check.done()
    }

    /// The tier with this key.
    pub fn tier(&self, key: &str) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.key == key)
    }

    /// The tier in which partners start: the one of lowest rank.
    pub fn entry_tier(&self) -> Option<&Tier> {
        self.tiers.iter().min_by_key(|tier| tier.rank)
    }

    fn check_tiers(&self, check: &mut Check) {
        check.within(self.tiers.len(), 1, 20, "tiers");
        check.names(
            "tiers",
            self.tiers
                .iter()
                .map(|tier| (tier.key.as_str(), tier.name.as_str(), tier.rank)),
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

    fn check_stages(&self, check: &mut Check) {
        check.within(self.stages.len(), 3, 30, "stages");
        check.names(
            "stages",
            self.stages
                .iter()
                .map(|stage| (stage.key.as_str(), stage.name.as_str(), stage.rank)),
        );
        let of_kind = |kind| self.stages.iter().filter(move |stage| stage.kind == kind);
        check.that(
            of_kind(StageKind::Open).count() > 0,
            "stages",
            "needs an open stage",
        );
        check.that(
            of_kind(StageKind::Won).count() == 1,
            "stages",
            "needs exactly one stage of won deals",
        );
        check.that(
            of_kind(StageKind::Lost).count() == 1,
            "stages",
            "needs exactly one stage of lost deals",
        );
        let last_open = of_kind(StageKind::Open).map(|stage| stage.rank).max();
        for (place, stage) in self.stages.iter().enumerate() {
            let at = |field: &str| format!("stages.{place}.{field}");
            let (least, most) = match stage.kind {
                StageKind::Open => (0, WHOLE_PPM),
                StageKind::Won => (WHOLE_PPM, WHOLE_PPM),
                StageKind::Lost => (0, 0),
            };
            check.within(stage.probability_ppm, least, most, &at("probabilityPpm"));
            let is_open = stage.kind == StageKind::Open;
            let behind = is_open || last_open.is_none_or(|last| stage.rank > last);
            check.that(behind, &at("rank"), "must be above all open stages");
            let gate = stage.requires_accepted_roles_to_leave;
            check.that(
                is_open || !gate,
                &at("requiresAcceptedRolesToLeave"),
                "is for open stages only",
            );
        }
    }

    fn check_roles(&self, check: &mut Check) {
        let mut seen = BTreeSet::new();
        for (place, entry) in self.roles.iter().enumerate() {
            check.that(
                seen.insert(entry.role),
                &format!("roles.{place}.role"),
                "is listed twice",
            );
            check.within(entry.weight, 0, 1_000_000, &format!("roles.{place}.weight"));
        }
        check.that(
            self.roles.iter().any(|entry| entry.weight > 0),
            "roles",
            "needs a role with a weight",
        );
    }

    fn check_attribution(&self, check: &mut Check) {
        let model = &self.attribution;
        check.within(model.half_life_days, 1, 3_650, "attribution.halfLifeDays");
        check.within(model.lookback_days, 1, 3_650, "attribution.lookbackDays");
        check.within(model.daily_cap, 1, u16::MAX, "attribution.dailyCap");
        if let Some(phases) = model.phase_weights {
            let weights = [
                ("preSales", phases.pre_sales),
                ("transaction", phases.transaction),
                ("postSales", phases.post_sales),
            ];
            let path = "attribution.phaseWeights";
            for (field, weight) in weights {
                check.within(weight, 0, 1_000_000, &format!("{path}.{field}"));
            }
            check.that(
                weights.iter().any(|(_, weight)| *weight > 0),
                path,
                "needs a phase with a weight",
            );
        }
    }

    fn check_clocks(&self, check: &mut Check) {
        let similarity = self.conflict.name_similarity_ppm;
        check.within(similarity, 800_000, WHOLE_PPM, "conflict.nameSimilarityPpm");
        check.within(self.reminder_days.len(), 0, 10, "reminderDays");
        let mut seen = BTreeSet::new();
        for (place, days) in self.reminder_days.iter().enumerate() {
            let path = format!("reminderDays.{place}");
            check.within(*days, 1, 1_000, &path);
            check.that(seen.insert(days), &path, "is listed twice");
        }
        check.within(self.review_sla_hours, 1, 2_000, "reviewSlaHours");
        check.within(self.invitation_days, 1, 365, "invitationDays");
    }
}

/// Collects faults.
#[derive(Default)]
struct Check {
    faults: Vec<Fault>,
}

impl Check {
    fn that(&mut self, holds: bool, path: &str, message: &str) {
        if !holds {
            let path = path.split('.').map(str::to_owned).collect();
            self.faults.push(Fault {
                path,
                message: message.to_owned(),
            });
        }
    }

    fn within<N: PartialOrd + std::fmt::Display>(
        &mut self,
        number: N,
        least: N,
        most: N,
        path: &str,
    ) {
        let holds = least <= number && number <= most;
        self.that(holds, path, &format!("must be from {least} to {most}"));
    }

    fn names<'a>(&mut self, list: &str, entries: impl Iterator<Item = (&'a str, &'a str, i32)>) {
        let (mut keys, mut ranks) = (BTreeSet::new(), BTreeSet::new());
        for (place, (key, name, rank)) in entries.enumerate() {
            let at = |field: &str| format!("{list}.{place}.{field}");
            let of_a_key = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_';
            let well_formed = (1..=40).contains(&key.len()) && key.bytes().all(of_a_key);
            self.that(
                well_formed,
                &at("key"),
                "must be 1 to 40 capital letters, digits and underscores",
            );
            self.that(keys.insert(key), &at("key"), "is used twice");
            let named = !name.trim().is_empty() && name.chars().count() <= 80;
            self.that(named, &at("name"), "must have 1 to 80 characters");
            self.that(ranks.insert(rank), &at("rank"), "is used twice");
        }
    }

    fn done(self) -> Result<(), Vec<Fault>> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(self.faults)
        }
    }
}

impl Default for ProgramSettings {
    /// A sound programme to start from.
    fn default() -> Self {
        Self {
            reporting_currency: "USD".to_owned(),
            default_time_zone: Tz::UTC,
            tiers: default_tiers(),
            stages: default_stages(),
            roles: default_roles(),
            official_model: Model::RoleWeighted,
            attribution: AttributionSettings {
                half_life_days: 30,
                lookback_days: 180,
                phase_weights: None,
                redistribute_empty_phases: false,
                redistribute_empty_roles: true,
                daily_cap: 1,
            },
            conflict: ConflictSettings {
                name_similarity_ppm: 920_000,
            },
            reminder_days: vec![14, 3],
            review_sla_hours: 48,
            invitation_days: 15,
            minimum_payout: BTreeMap::from([("USD".to_owned(), 5_000)]),
        }
    }
}

fn default_tiers() -> Vec<Tier> {
    let tiers = [
        ("REGISTERED", "Registered", 60, 10),
        ("SILVER", "Silver", 60, 25),
        ("GOLD", "Gold", 90, 50),
    ];
    let ranked = tiers.into_iter().zip(1..);
    ranked
        .map(
            |((key, name, protection_days, max_open_registrations), rank)| Tier {
                key: key.to_owned(),
                name: name.to_owned(),
                rank,
                protection_days,
                extension_days: 30,
                max_extensions: 1,
                max_open_registrations,
            },
        )
        .collect()
}

fn default_stages() -> Vec<Stage> {
    let stages = [
        ("PROSPECT", "Prospect", 10, StageKind::Open),
        ("QUALIFIED", "Qualified", 25, StageKind::Open),
        ("PROPOSAL", "Proposal", 50, StageKind::Open),
        ("NEGOTIATION", "Negotiation", 75, StageKind::Open),
        ("COMMITTED", "Committed", 90, StageKind::Open),
        ("WON", "Won", 100, StageKind::Won),
        ("LOST", "Lost", 0, StageKind::Lost),
    ];
    let ranked = stages.into_iter().zip(1..);
    ranked
        .map(|((key, name, percent, kind), rank)| Stage {
            key: key.to_owned(),
            name: name.to_owned(),
            rank,
            probability_ppm: percent * 10_000,
            kind,
            requires_accepted_roles_to_leave: key == "QUALIFIED",
        })
        .collect()
}

fn default_roles() -> Vec<RoleWeight> {
    use ParticipantRole as R;
    let weights = [
        (R::Sourcer, 25),
        (R::Influencer, 10),
        (R::Reseller, 25),
        (R::Implementer, 15),
        (R::ManagedService, 10),
        (R::Technology, 10),
        (R::Distributor, 5),
    ];
    weights
        .map(|(role, weight)| RoleWeight { role, weight })
        .to_vec()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    fn faults(settings: &ProgramSettings) -> String {
        let known = |code: &str| ["USD", "EUR", "JPY"].contains(&code);
        let faults = settings.validate(known).err().unwrap_or_default();
        let lines = faults
            .iter()
            .map(|fault| format!("{} {}", fault.path.join("."), fault.message));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_default_programme_is_sound_and_survives_the_wire() {
        let settings = ProgramSettings::default();
        assert_eq!(faults(&settings), "");
        assert_eq!(
            settings.roles.iter().map(|entry| entry.weight).sum::<u32>(),
            100
        );
        assert_eq!(settings.entry_tier().unwrap().key, "REGISTERED");
        assert_eq!(settings.tier("GOLD").unwrap().protection_days, 90);
        let wire = serde_json::to_string(&settings).unwrap();
        assert_eq!(
            serde_json::from_str::<ProgramSettings>(&wire).unwrap(),
            settings
        );
    }

    #[test]
    fn unknown_fields_are_refused() {
        let mut wire = serde_json::to_value(ProgramSettings::default()).unwrap();
        wire["tiers"][0]["protectionDay"] = 5.into();
        let refused = serde_json::from_value::<ProgramSettings>(wire).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("unknown field `protectionDay`")
        );
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let mut settings = ProgramSettings::default();
        settings.reporting_currency = "XXX".into();
        settings.tiers[1].key = "GOLD".into();
        settings.tiers[0].extension_days = 0;
        settings.tiers[0].max_open_registrations = 0;
        settings.stages[0].name = " ".into();
        settings.stages[1].probability_ppm = 1_000_001;
        settings.stages[5].rank = 0;
        settings.stages[5].requires_accepted_roles_to_leave = true;
        settings.stages[6].kind = StageKind::Won;
        settings.roles = vec![
            RoleWeight {
                role: ParticipantRole::Sourcer,
                weight: 0
            };
            2
        ];
        settings.attribution.half_life_days = 0;
        settings.attribution.phase_weights = Some(PhaseWeights {
            pre_sales: 0,
            transaction: 0,
            post_sales: 0,
        });
        settings.conflict.name_similarity_ppm = 500_000;
        settings.reminder_days = vec![3, 0, 3];
        settings.review_sla_hours = 0;
        settings.invitation_days = 366;
        settings.minimum_payout = BTreeMap::from([("ABC".into(), -1)]);
        insta::assert_snapshot!(faults(&settings), @"");
    }

    #[test]
    fn an_empty_pipeline_is_refused() {
        let mut settings = ProgramSettings::default();
        settings.stages.clear();
        settings.tiers.clear();
        insta::assert_snapshot!(faults(&settings), @"");
    }
}
