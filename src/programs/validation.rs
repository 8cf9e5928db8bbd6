//! What makes the settings of a programme sound. Every fault is found at once and named with its
//! place.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeSet;

use super::settings::ProgramSettings;
use crate::platform::fault::Fault;
use crate::{deals::stage::StageKind, entity::attribution_run::AttributionModel};

const WHOLE_PPM: i32 = 1_000_000;

/// Largest amount of money in minor units, as everywhere in the house.
const LARGEST_AMOUNT: i64 = 1_000_000_000_000_000;

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
        check.within(
            model.influence_threshold,
            1,
            u16::MAX,
            "attribution.influenceThreshold",
        );
        self.check_kinds(check);
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

    fn check_kinds(&self, check: &mut Check) {
        let kinds = &self.attribution.kind_weights;
        let mut seen = BTreeSet::new();
        for (place, entry) in kinds.iter().enumerate() {
            let path = format!("attribution.kindWeights.{place}");
            check.that(
                seen.insert(entry.kind),
                &format!("{path}.kind"),
                "is listed twice",
            );
            check.within(entry.weight, 0, 1_000_000, &format!("{path}.weight"));
        }
        let weighs = kinds.iter().any(|entry| entry.weight > 0);
        let needed = self.official_model == AttributionModel::Custom || !kinds.is_empty();
        check.that(
            weighs || !needed,
            "attribution.kindWeights",
            "needs a kind with a weight",
        );
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
        check.within(self.rate_max_age_days, 0, 31, "rateMaxAgeDays");
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
            self.faults.push(Fault::at(path, message));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::settings::{PhaseWeights, RoleWeight};
    use super::*;
    use crate::entity::deal_participant::ParticipantRole;

    fn faults(settings: &ProgramSettings) -> String {
        let known = |code: &str| ["USD", "EUR", "JPY"].contains(&code);
        let faults = settings.validate(known).err().unwrap_or_default();
        let lines = faults
            .iter()
            .map(|fault| format!("{} {}", fault.path, fault.problem));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let mut settings = ProgramSettings {
            reporting_currency: "XXX".into(),
            review_sla_hours: 0,
            invitation_days: 366,
            ..ProgramSettings::default()
        };
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
        settings.minimum_payout = BTreeMap::from([("ABC".into(), -1)]);
        insta::assert_snapshot!(faults(&settings), @r"
        reportingCurrency is not a known currency
        tiers.2.key is used twice
        tiers.0.extensionDays must be from 1 to 1000
        tiers.0.maxOpenRegistrations must be from 1 to 65535
        stages.0.name must have 1 to 80 characters
        stages needs exactly one stage of won deals
        stages needs exactly one stage of lost deals
        stages.1.probabilityPpm must be from 0 to 1000000
        stages.5.rank must be above all open stages
        stages.5.requiresAcceptedRolesToLeave is for open stages only
        stages.6.probabilityPpm must be from 1000000 to 1000000
        roles.1.role is listed twice
        roles needs a role with a weight
        attribution.halfLifeDays must be from 1 to 3650
        attribution.phaseWeights needs a phase with a weight
        conflict.nameSimilarityPpm must be from 800000 to 1000000
        reminderDays.1 must be from 1 to 1000
        reminderDays.2 is listed twice
        reviewSlaHours must be from 1 to 2000
        invitationDays must be from 1 to 365
        minimumPayout.ABC is not a known currency
        minimumPayout.ABC must be from 0 to 1000000000000000
        ");
    }

    #[test]
    fn a_custom_model_needs_weights_by_kind() {
        use super::super::settings::KindWeight;
        use crate::entity::touchpoint::TouchpointKind;

        let mut settings = ProgramSettings {
            official_model: AttributionModel::Custom,
            ..ProgramSettings::default()
        };
        assert_eq!(
            faults(&settings),
            "attribution.kindWeights needs a kind with a weight"
        );
        settings.attribution.kind_weights = vec![
            KindWeight {
                kind: TouchpointKind::Demo,
                weight: 3
            };
            2
        ];
        assert_eq!(
            faults(&settings),
            "attribution.kindWeights.1.kind is listed twice"
        );
        settings.attribution.kind_weights.pop();
        settings.attribution.influence_threshold = 0;
        assert_eq!(
            faults(&settings),
            "attribution.influenceThreshold must be from 1 to 65535"
        );
    }

    #[test]
    fn an_empty_pipeline_is_refused() {
        let mut settings = ProgramSettings::default();
        settings.stages.clear();
        settings.tiers.clear();
        insta::assert_snapshot!(faults(&settings), @r"
        tiers must be from 1 to 20
        stages must be from 3 to 30
        stages needs an open stage
        stages needs exactly one stage of won deals
        stages needs exactly one stage of lost deals
        ");
    }
}
