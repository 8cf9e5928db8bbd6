//! What a vendor decides about registrations and deals: the pipeline, the windows of decisions, reminders and invitations,
//! and when two customers may be the same.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::stage::{Stage, StageKind};
use crate::{
    programs::rules,
    rules::{Check, RuleDocument},
};

/// The rules of a programme as deals read them.
pub type Rules = rules::Rules<PipelineRules>;

const WHOLE_PPM: i32 = 1_000_000;

/// The rules of registrations and deals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineRules {
    /// The pipeline. At most 30.
    pub stages: Vec<Stage>,
    /// When two customers are taken for possibly the same.
    pub conflict: ConflictSettings,
    /// Days before the end of protection on which the partner is reminded. At most 10.
    pub reminder_days: Vec<u16>,
    /// Hours in which a registration is to be decided, 1 to 2,000.
    pub review_sla_hours: u16,
    /// Days for which an invitation to a deal stands, 1 to 365.
    pub invitation_days: u16,
}

/// When two customers are taken for possibly the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConflictSettings {
    /// Jaro-Winkler similarity of words from which names are similar, in parts per million, 800,000
    /// to 1,000,000.
    pub name_similarity_ppm: i32,
}

impl RuleDocument for PipelineRules {
    fn check(&self, check: &mut Check) {
        self.check_stages(check);
        let similarity = self.conflict.name_similarity_ppm;
        check.within(similarity, 800_000, WHOLE_PPM, "conflict.nameSimilarity");
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

impl PipelineRules {
    fn check_stages(&self, check: &mut Check) {
        check.within(self.stages.len(), 3, 30, "stages");
        let names = self.stages.iter();
        check.names(
            "stages",
            names.map(|stage| (stage.key.as_str(), stage.name.as_str(), stage.rank)),
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
            check.within(stage.probability_ppm, least, most, &at("probability"));
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
}

impl Default for PipelineRules {
    /// The pipeline that a vendor starts from.
    fn default() -> Self {
        let stages = [
            ("PROSPECT", "Prospect", 10, StageKind::Open),
            ("QUALIFIED", "Qualified", 25, StageKind::Open),
            ("PROPOSAL", "Proposal", 50, StageKind::Open),
            ("NEGOTIATION", "Negotiation", 75, StageKind::Open),
            ("COMMITTED", "Committed", 90, StageKind::Open),
            ("WON", "Won", 100, StageKind::Won),
            ("LOST", "Lost", 0, StageKind::Lost),
        ];
        let stage =
            |((key, name, percent, kind), rank): ((&str, &str, i32, StageKind), i32)| Stage {
                key: key.to_owned(),
                name: name.to_owned(),
                rank,
                probability_ppm: percent * 10_000,
                kind,
                requires_accepted_roles_to_leave: key == "QUALIFIED",
            };
        Self {
            stages: stages.into_iter().zip(1..).map(stage).collect(),
            conflict: ConflictSettings {
                name_similarity_ppm: 920_000,
            },
            reminder_days: vec![14, 3],
            review_sla_hours: 48,
            invitation_days: 15,
        }
    }
}
