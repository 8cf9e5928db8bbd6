//! What a vendor decides about credit: the model that pays, what roles and touchpoints weigh, and which touchpoints count.
//!
//! Pure: decides from facts alone.

use chrono_tz::Tz;
use sea_orm::ActiveEnum;
use serde::{Deserialize, Serialize};

use super::parameters::{Parameters, PhaseRule};
use crate::{
    entity::{
        attribution_run::AttributionModel, deal_participant::ParticipantRole,
        touchpoint::TouchpointKind,
    },
    programs::rules,
    rules::{Check, RuleDocument},
};

/// The rules of a programme as attribution reads them.
pub type Rules = rules::Rules<AttributionRules>;

/// The rules of attribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttributionRules {
    /// What each role on a deal weighs; a role that is not listed weighs nothing.
    pub roles: Vec<RoleWeight>,
    /// The model whose credit is paid. Others may be compared with it.
    pub official_model: AttributionModel,
    /// Parameters of the models.
    #[serde(rename = "attribution")]
    pub models: AttributionSettings,
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
    /// Whether the share of a phase without touchpoints goes to the others; otherwise it stays with
    /// the vendor.
    pub redistribute_empty_phases: bool,
    /// Whether the share of a role that nobody fills goes to the others; otherwise it stays with
    /// the vendor.
    pub redistribute_empty_roles: bool,
    /// How many touchpoints of one kind by one partner on one day count, at least 1; see `attribution::countable`.
    pub daily_cap: u16,
    /// What each kind of touchpoint weighs in the model CUSTOM; a kind that is not listed weighs nothing.
    #[serde(default)]
    pub kind_weights: Vec<KindWeight>,
    /// Verified touchpoints from which a partner without a role counts as having influenced a deal, at least 1.
    #[serde(default = "one")]
    pub influence_threshold: u16,
}

const fn one() -> u16 {
    1
}

/// What a kind of touchpoint weighs, against the other kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KindWeight {
    /// The kind.
    pub kind: TouchpointKind,
    /// Its weight, up to 1,000,000. Only the proportions count.
    pub weight: u32,
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

impl RuleDocument for AttributionRules {
    fn check(&self, check: &mut Check) {
        let roles = self.roles.iter();
        check.weights(
            "roles",
            "role",
            roles.map(|entry| (entry.role, entry.weight)),
        );
        check.that(
            self.roles.iter().any(|entry| entry.weight > 0),
            "roles",
            "needs a role with a weight",
        );
        let model = &self.models;
        check.within(model.half_life_days, 1, 3_650, "attribution.halfLifeDays");
        check.within(model.lookback_days, 1, 3_650, "attribution.lookbackDays");
        check.within(model.daily_cap, 1, u16::MAX, "attribution.dailyCap");
        check.within(
            model.influence_threshold,
            1,
            u16::MAX,
            "attribution.influenceThreshold",
        );
        let kinds = &model.kind_weights;
        check.weights(
            "attribution.kindWeights",
            "kind",
            kinds.iter().map(|entry| (entry.kind, entry.weight)),
        );
        let needed = self.official_model == AttributionModel::Custom || !kinds.is_empty();
        check.that(
            !needed || kinds.iter().any(|entry| entry.weight > 0),
            "attribution.kindWeights",
            "needs a kind with a weight",
        );
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
}

impl AttributionRules {
    /// The parameters that these rules mean in a programme of this time zone.
    #[must_use]
    pub fn parameters(&self, zone: Tz) -> Parameters {
        let chosen = &self.models;
        let roles = self.roles.iter().filter(|entry| entry.weight > 0);
        Parameters {
            lookback_days: chosen.lookback_days.into(),
            daily_cap: chosen.daily_cap.into(),
            time_zone: zone,
            half_life_days: chosen.half_life_days.into(),
            role_weights: roles
                .map(|entry| (entry.role.to_value(), entry.weight))
                .collect(),
            redistribute_unfilled_roles: chosen.redistribute_empty_roles,
            kind_weights: chosen
                .kind_weights
                .iter()
                .map(|entry| (entry.kind, entry.weight))
                .collect(),
            phases: chosen
                .phase_weights
                .map(|weights| phases(weights, chosen.redistribute_empty_phases)),
        }
    }
}

fn phases(weights: PhaseWeights, redistribute_empty: bool) -> PhaseRule {
    let rule = PhaseRule::sales(weights.pre_sales, weights.transaction, weights.post_sales);
    PhaseRule {
        redistribute_empty,
        ..rule
    }
}

impl Default for AttributionRules {
    /// The attribution that a vendor starts from.
    fn default() -> Self {
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
        Self {
            roles: weights
                .map(|(role, weight)| RoleWeight { role, weight })
                .to_vec(),
            official_model: AttributionModel::RoleWeighted,
            models: AttributionSettings {
                half_life_days: 30,
                lookback_days: 180,
                phase_weights: None,
                redistribute_empty_phases: false,
                redistribute_empty_roles: true,
                daily_cap: 1,
                kind_weights: Vec::new(),
                influence_threshold: 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(rules: &AttributionRules) -> Vec<String> {
        let mut check = Check::default();
        rules.check(&mut check);
        let faults = check.faults();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_custom_model_needs_weights_by_kind() {
        let mut rules = AttributionRules {
            official_model: AttributionModel::Custom,
            ..AttributionRules::default()
        };
        let kind_weights = "attribution.kindWeights";
        assert_eq!(
            faults(&rules),
            [format!("{kind_weights}: needs a kind with a weight")]
        );
        let demo = KindWeight {
            kind: TouchpointKind::Demo,
            weight: 3,
        };
        rules.models.kind_weights = vec![demo; 2];
        assert_eq!(
            faults(&rules),
            [format!("{kind_weights}.1.kind: is listed twice")]
        );
        rules.models.kind_weights.pop();
        rules.models.influence_threshold = 0;
        assert_eq!(
            faults(&rules),
            ["attribution.influenceThreshold: must be from 1 to 65535"]
        );
    }

    #[test]
    fn the_standard_roles_weigh_a_hundred() {
        let roles = AttributionRules::default().roles;
        assert_eq!(roles.iter().map(|entry| entry.weight).sum::<u32>(), 100);
    }
}
