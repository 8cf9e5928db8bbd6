//! The rules of a programme as one object: the documents of all domains, composed.
//!
//! Each domain owns, types and checks its document. The API shows them as one `settings` object and changes them by one
//! input. What composes them stands above the domains, so that programmes know none of the domains that read their rules.

pub mod graphql;
pub mod input;

use crate::{
    attribution::AttributionRules,
    deals::PipelineRules,
    error::{Faults, Result},
    payouts::PayoutRules,
    platform::fault::Fault,
    programs::{Amendment, ProgramRules, rules::Part},
    rules::{Check, Documents, RuleDocument},
};

/// All rules of a programme.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramSettings {
    /// Those of the programme itself.
    pub program: ProgramRules,
    /// Those of registrations and deals.
    pub pipeline: PipelineRules,
    /// Those of credit.
    pub attribution: AttributionRules,
    /// Those of payouts.
    pub payouts: PayoutRules,
}

/// Reads all documents of a version.
impl Part for ProgramSettings {
    fn read(documents: &Documents) -> serde_json::Result<Self> {
        Ok(Self {
            program: documents.read()?,
            pipeline: documents.read()?,
            attribution: documents.read()?,
            payouts: documents.read()?,
        })
    }
}

impl ProgramSettings {
    /// The documents of a version.
    ///
    /// # Errors
    /// Never for the documents above; the signature follows serde.
    pub fn documents(&self) -> serde_json::Result<Documents> {
        Documents::default()
            .with(&self.program)?
            .with(&self.pipeline)?
            .with(&self.attribution)?
            .with(&self.payouts)
    }

    /// Every fault of every document, at its field of the API's input.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut check = Check::default();
        self.program.check(&mut check);
        self.pipeline.check(&mut check);
        self.attribution.check(&mut check);
        self.payouts.check(&mut check);
        check.faults()
    }

    /// The documents, with each fault added under `settings`.
    fn checked(&self, faults: &mut Faults) -> Result<Documents> {
        for fault in self.faults() {
            faults.add(&format!("settings.{}", fault.path), fault.problem);
        }
        Ok(self.documents()?)
    }
}

/// A complete set of rules takes the place of the last one.
impl Amendment for ProgramSettings {
    fn amend(&self, _: Option<&Documents>, faults: &mut Faults) -> Result<Documents> {
        self.checked(faults)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        attribution::settings::{PhaseWeights, RoleWeight},
        deals::stage::StageKind,
        entity::deal_participant::ParticipantRole,
    };

    fn faults(settings: &ProgramSettings) -> String {
        let lines = settings.faults();
        let lines = lines
            .iter()
            .map(|fault| format!("{} {}", fault.path, fault.problem));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_standard_rules_are_sound_and_survive_the_wire() {
        let settings = ProgramSettings::default();
        assert_eq!(settings.faults(), []);
        let wire = serde_json::to_string(&settings.documents().unwrap()).unwrap();
        let read = serde_json::from_str(&wire).unwrap();
        assert_eq!(ProgramSettings::read(&read).unwrap(), settings);
    }

    #[test]
    fn no_two_documents_have_a_field_of_the_same_name() {
        let all = ProgramSettings::default();
        let fields = |documents: serde_json::Result<Documents>| {
            let value = serde_json::to_value(documents.unwrap()).unwrap();
            value.as_object().unwrap().len()
        };
        let alone = fields(Documents::default().with(&all.program))
            + fields(Documents::default().with(&all.pipeline))
            + fields(Documents::default().with(&all.attribution))
            + fields(Documents::default().with(&all.payouts));
        assert_eq!(fields(all.documents()), alone);
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let mut settings = ProgramSettings::default();
        settings.program.reporting_currency = "XXX".into();
        settings.program.tiers[1].key = "GOLD".into();
        settings.program.tiers[0].extension_days = 0;
        settings.program.tiers[0].max_open_registrations = 0;
        let pipeline = &mut settings.pipeline;
        pipeline.review_sla_hours = 0;
        pipeline.invitation_days = 366;
        pipeline.stages[0].name = " ".into();
        pipeline.stages[1].probability_ppm = 1_000_001;
        pipeline.stages[5].rank = 0;
        pipeline.stages[5].requires_accepted_roles_to_leave = true;
        pipeline.stages[6].kind = StageKind::Won;
        pipeline.conflict.name_similarity_ppm = 500_000;
        pipeline.reminder_days = vec![3, 0, 3];
        settings.attribution.roles = vec![
            RoleWeight {
                role: ParticipantRole::Sourcer,
                weight: 0
            };
            2
        ];
        settings.attribution.models.half_life_days = 0;
        settings.attribution.models.phase_weights = Some(PhaseWeights {
            pre_sales: 0,
            transaction: 0,
            post_sales: 0,
        });
        settings.payouts.minimum_payout = BTreeMap::from([("ABC".into(), -1)]);
        insta::assert_snapshot!(faults(&settings), @r"
        reportingCurrency is not a known currency
        tiers.2.key is used twice
        tiers.0.extensionDays must be from 1 to 1000
        tiers.0.maxOpenRegistrations must be from 1 to 65535
        stages.0.name must have 1 to 80 characters
        stages needs exactly one stage of won deals
        stages needs exactly one stage of lost deals
        stages.1.probability must be from 0 to 1000000
        stages.5.rank must be above all open stages
        stages.5.requiresAcceptedRolesToLeave is for open stages only
        stages.6.probability must be from 1000000 to 1000000
        conflict.nameSimilarity must be from 800000 to 1000000
        reminderDays.1 must be from 1 to 1000
        reminderDays.2 is listed twice
        reviewSlaHours must be from 1 to 2000
        invitationDays must be from 1 to 365
        roles.1.role is listed twice
        roles needs a role with a weight
        attribution.halfLifeDays must be from 1 to 3650
        attribution.phaseWeights needs a phase with a weight
        minimumPayout.0.currency is not a known currency
        minimumPayout.0.amount must be from 0 to 1000000000000000
        ");
    }

    #[test]
    fn an_empty_pipeline_is_refused() {
        let mut settings = ProgramSettings::default();
        settings.pipeline.stages.clear();
        settings.program.tiers.clear();
        insta::assert_snapshot!(faults(&settings), @r"
        tiers must be from 1 to 20
        stages must be from 3 to 30
        stages needs an open stage
        stages needs exactly one stage of won deals
        stages needs exactly one stage of lost deals
        ");
    }
}
