//! What a programme may choose about attribution: windows, caps and the weights of the models.
//!
//! It is a document with a version; a result remembers the version it was computed with.
//!
//! Pure: decides from facts alone.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{
    entity::{
        attribution_run::AttributionModel,
        touchpoint::{JourneyPhase, TouchpointKind},
    },
    platform::fault::Fault,
};

/// The largest sum of the points of one scale. Points are relative to each other: 30/40/30 and 3/4/3 say the same.
pub const MAX_POINTS: u64 = 1_000_000;

const MAX_DAYS: u32 = 3_660;

/// The choices of a programme; everything left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Touchpoints earlier than this many days before the close do not count.
    pub lookback_days: u32,
    /// How many touchpoints of one kind by one partner count per deal and day.
    pub daily_cap: u32,
    /// The time zone of the programme, in which days are counted.
    #[serde(skip_serializing_if = "is_utc")]
    pub time_zone: Tz,
    /// TIME_DECAY: days in which the weight of a touchpoint halves.
    pub half_life_days: u32,
    /// ROLE_WEIGHTED: points by role; a role that is not listed earns nothing.
    pub role_weights: BTreeMap<String, u32>,
    /// ROLE_WEIGHTED: whether the points of roles nobody fills go to the filled ones pro rata; else the
    /// house keeps them.
    pub redistribute_unfilled_roles: bool,
    /// CUSTOM: points of each touchpoint by its kind; a kind that is not listed earns nothing.
    pub kind_weights: BTreeMap<TouchpointKind, u32>,
    /// Points by phase of the journey; the model then divides each group's points within the group. Roles
    /// have no phase, so ROLE_WEIGHTED ignores it.
    pub phases: Option<PhaseRule>,
}

/// The hash of the inputs of a credit is over the parameters as text: without a zone, days are in UTC.
fn is_utc(zone: &Tz) -> bool {
    *zone == Tz::UTC
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            lookback_days: 180,
            daily_cap: 1,
            time_zone: Tz::UTC,
            half_life_days: 30,
            role_weights: BTreeMap::new(),
            redistribute_unfilled_roles: false,
            kind_weights: BTreeMap::new(),
            phases: None,
        }
    }
}

/// How much of a deal belongs to which part of the customer's journey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseRule {
    /// The parts of the journey; together they hold each phase exactly once.
    pub groups: Vec<PhaseGroup>,
    /// Whether the points of a part without touchpoints go to the others pro rata; else the house keeps them.
    #[serde(default)]
    pub redistribute_empty: bool,
}

/// One part of the journey, such as everything before the sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseGroup {
    /// What people call it.
    pub name: String,
    /// The phases in it.
    pub phases: BTreeSet<JourneyPhase>,
    /// Its points.
    pub weight: u32,
}

impl PhaseRule {
    /// The place of the part that holds a phase.
    #[must_use]
    pub fn part(&self, phase: JourneyPhase) -> Option<usize> {
        self.groups
            .iter()
            .position(|group| group.phases.contains(&phase))
    }

    /// Pre-sales, transaction and post-sales with these points; empty parts stay with the house.
    #[must_use]
    pub fn sales(pre: u32, transaction: u32, post: u32) -> Self {
        let group = |name: &str, phases: &[JourneyPhase], weight| PhaseGroup {
            name: name.to_owned(),
            phases: phases.iter().copied().collect(),
            weight,
        };
        Self {
            groups: vec![
                group(
                    "Pre-sales",
                    &[JourneyPhase::Awareness, JourneyPhase::Consideration],
                    pre,
                ),
                group("Transaction", &[JourneyPhase::Transaction], transaction),
                group(
                    "Post-sales",
                    &[
                        JourneyPhase::Adoption,
                        JourneyPhase::Renewal,
                        JourneyPhase::Advocacy,
                    ],
                    post,
                ),
            ],
            redistribute_empty: false,
        }
    }
}

impl Parameters {
    /// Everything wrong with the document, given the models the programme uses.
    #[must_use]
    pub fn faults(&self, models: &[AttributionModel]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (path, days) in [
            ("lookback_days", self.lookback_days),
            ("half_life_days", self.half_life_days),
        ] {
            if !(1..=MAX_DAYS).contains(&days) {
                faults.push(Fault::at(
                    path,
                    format!("must be from 1 to {MAX_DAYS} days"),
                ));
            }
        }
        if self.daily_cap == 0 {
            faults.push(Fault::at("daily_cap", "must be at least 1"));
        }
        if !self.role_weights.is_empty() || models.contains(&AttributionModel::RoleWeighted) {
            check_points("role_weights", self.role_weights.values(), &mut faults);
        }
        if !self.kind_weights.is_empty() || models.contains(&AttributionModel::Custom) {
            check_points("kind_weights", self.kind_weights.values(), &mut faults);
        }
        if let Some(rule) = &self.phases {
            check_points(
                "phases.groups",
                rule.groups.iter().map(|group| &group.weight),
                &mut faults,
            );
            for phase in <JourneyPhase as sea_orm::Iterable>::iter() {
                let held = rule
                    .groups
                    .iter()
                    .filter(|group| group.phases.contains(&phase))
                    .count();
                if held != 1 {
                    let problem =
                        format!("must hold the phase {phase:?} exactly once, not {held} times");
                    faults.push(Fault::at("phases.groups", problem));
                }
            }
        }
        faults
    }
}

fn check_points<'a>(path: &str, points: impl Iterator<Item = &'a u32>, faults: &mut Vec<Fault>) {
    let sum: u64 = points.copied().map(u64::from).sum();
    if !(1..=MAX_POINTS).contains(&sum) {
        faults.push(Fault::at(
            path,
            format!("must sum to between 1 and {MAX_POINTS} points, not {sum}"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_document_has_the_defaults_and_no_faults() {
        let parameters: Parameters = serde_json::from_str("{}").unwrap();
        assert_eq!(parameters, Parameters::default());
        assert_eq!(parameters.half_life_days, 30);
        assert_eq!(parameters.faults(&[AttributionModel::Linear]), []);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(serde_json::from_str::<Parameters>(r#"{"half_life": 7}"#).is_err());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let mut phases = PhaseRule::sales(30, 40, 30);
        phases.groups.pop();
        let parameters = Parameters {
            lookback_days: 0,
            daily_cap: 0,
            half_life_days: 4_000,
            phases: Some(phases),
            ..Parameters::default()
        };
        let faults = parameters.faults(&[AttributionModel::RoleWeighted, AttributionModel::Custom]);
        let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "lookback_days",
                "half_life_days",
                "daily_cap",
                "role_weights",
                "kind_weights",
                "phases.groups",
                "phases.groups",
                "phases.groups"
            ]
        );
    }
}
